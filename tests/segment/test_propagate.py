"""One object, followed through the planes of a stack."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.labels.others import Others
from napari_sam.masks import Mask
from napari_sam.segment.propagate import PropagateSettings, propagate

MIDDLE = 7


@pytest.fixture(scope="module")
def ball():
    """A ball of radius 20 in 15 planes of which the outermost are empty, at (60, 50)."""
    z, y, x = np.indices((15, 128, 128))
    return ((z - MIDDLE) * 4) ** 2 + (y - 60) ** 2 + (x - 50) ** 2 <= 20**2


def in_plane(stack, *plane):
    return Mask.from_array(stack[plane])


def follow(embeddings, mask, plane=(MIDDLE,), **how):
    return dict(propagate(embeddings, mask, plane, **how))


def test_a_ball_is_followed_as_far_as_its_planes_overlap(embed, ball):
    found = follow(embed(ball, axes="zyx"), in_plane(ball, MIDDLE))
    for (z,), mask in found.items():
        assert mask.iou(in_plane(ball, z)) > 0.9
    ious = [in_plane(ball, z).iou(in_plane(ball, z + 1)) for z in range(MIDDLE, 14)]
    n_planes = next(n for n, iou in enumerate(ious) if iou < 0.5)
    assert sorted(found) == [
        (z,) for z in range(MIDDLE - n_planes, MIDDLE + n_planes + 1) if z != MIDDLE
    ]
    assert n_planes >= 3


def test_the_planes_come_in_the_order_in_which_they_are_reached(embed, ball):
    steps = propagate(embed(ball, axes="zyx"), in_plane(ball, MIDDLE), (MIDDLE,))
    assert [z for (z,), _ in steps][:4] == [8, 9, 10, 11]


def test_it_ends_where_the_next_mask_lies_elsewhere(embed, ball):
    moved = ball.copy()
    moved[MIDDLE + 1 :] = np.roll(ball[MIDDLE + 1 :], 15, axis=2)
    found = follow(embed(moved, axes="zyx"), in_plane(ball, MIDDLE))
    assert max(found) < (MIDDLE,)


def test_it_ends_where_the_model_is_not_sure(embed, ball):
    embeddings = embed(ball, axes="zyx")
    settings = PropagateSettings(pred_iou=0.95)
    assert not follow(embeddings, in_plane(ball, MIDDLE), settings=settings)
    assert follow(embeddings, in_plane(ball, MIDDLE))


def test_it_goes_no_further_than_asked(embed, ball):
    embeddings, mask = embed(ball, axes="zyx"), in_plane(ball, MIDDLE)
    assert sorted(follow(embeddings, mask, settings=PropagateSettings(max_planes=1))) == [
        (MIDDLE - 1,),
        (MIDDLE + 1,),
    ]
    assert max(follow(embeddings, mask, ends_at={(MIDDLE + 2,)}.__contains__)) == (MIDDLE + 1,)


def test_a_stack_over_time_is_followed_through_z_alone(embed, ball):
    embeddings = embed(np.stack([ball, ball]), axes="tzyx")
    found = follow(embeddings, in_plane(ball, MIDDLE), (1, MIDDLE))
    assert {t for t, _ in found} == {1}
    assert set(follow(embeddings, in_plane(ball, MIDDLE), (1, MIDDLE), axis=0)) == {(0, MIDDLE)}


def test_other_objects_stay_whole(embed, ball):
    labels = np.zeros(ball.shape, np.uint16)
    labels[MIDDLE + 1, :, 55:] = 3
    others = Others(labels, own=1, are_negatives=False)
    found = follow(embed(ball, axes="zyx"), in_plane(ball, MIDDLE), others=others)
    assert found[MIDDLE + 1,].box[3] == 55
    assert found[MIDDLE - 1,].box[3] > 60


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (Mask.from_array(np.ones((3, 3), bool)), "single plane"),
        (Mask.from_array(np.zeros((3, 3), bool)), "empty"),
    ],
)
def test_what_cannot_be_followed_is_refused(embed, ball, mask, message):
    embeddings = embed(ball[MIDDLE]) if mask.area else embed(ball, axes="zyx")
    with pytest.raises(ValueError, match=message):
        list(propagate(embeddings, mask, (MIDDLE,)))


@pytest.mark.parametrize("limits", [{"overlap": 1.2}, {"pred_iou": -1}, {"max_planes": 0}])
def test_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(ValueError, match=next(iter(limits))):
        PropagateSettings(**limits)
