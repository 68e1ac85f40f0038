"""Agreement of label images: cases worked out by hand, and what must hold for all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.train.scores import InstanceScores, instance_scores, iou_table

label_images = hnp.arrays(np.int32, (6, 7), elements=st.integers(0, 4))
PERFECT, WRONG = InstanceScores(1, 1, 1), InstanceScores(0, 0, 0)


def strip(*ends: tuple[int, int, int]) -> np.ndarray:
    """Make an image of one row, in which (label, start, stop) are painted."""
    row = np.zeros((1, 100), np.int32)
    for number, start, stop in ends:
        row[0, start:stop] = number
    return row


def test_iou_of_every_pair():
    truth = strip((1, 0, 10), (2, 20, 30))
    found = strip((7, 0, 5), (9, 5, 10), (4, 20, 40))
    np.testing.assert_allclose(iou_table(truth, found), [[0, 0.5, 0.5], [0.5, 0, 0]])


def test_an_object_found_half_counts_for_nothing():
    assert instance_scores(strip((1, 0, 10)), strip((1, 0, 5))) == WRONG


def test_thresholds():
    # IoU 0.8: found at the six thresholds 0.5 to 0.75, but not at 0.8 itself
    scores = instance_scores(strip((1, 0, 10)), strip((1, 0, 8)))
    assert scores == InstanceScores(msa=pytest.approx(0.6), ap50=1, f1=1)


def test_missed_and_invented_objects():
    truth = strip((1, 0, 10), (2, 20, 30))
    missed = instance_scores(truth, strip((1, 0, 10)))
    assert missed == InstanceScores(msa=0.5, ap50=0.5, f1=pytest.approx(2 / 3))
    invented = instance_scores(truth, strip((1, 0, 10), (2, 20, 30), (3, 40, 50), (4, 60, 61)))
    assert invented == InstanceScores(msa=0.5, ap50=0.5, f1=pytest.approx(2 / 3))


def test_two_objects_found_as_one():
    scores = instance_scores(strip((1, 0, 10), (2, 10, 14)), strip((1, 0, 14)))
    assert scores.ap50 == pytest.approx(1 / 2)  # 10 of 14 pixels: the larger one is found


def test_nothing_to_find():
    nothing, something = strip(), strip((1, 3, 5))
    assert instance_scores(nothing, nothing) == PERFECT
    assert instance_scores(nothing, something) == WRONG
    assert instance_scores(something, nothing) == WRONG


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"\(1, 100\).*\(1, 50\)"):
        instance_scores(strip(), strip()[:, :50])


@given(label_images)
def test_identity_is_perfect(labels):
    assert instance_scores(labels, labels) == PERFECT


@given(label_images, label_images, st.permutations([11, 5, 800, 2]))
def test_numbers_do_not_matter(truth, found, numbers):
    renumbered = np.array([0, *numbers], np.int32)[found]
    assert instance_scores(truth, renumbered) == instance_scores(truth, found)


@given(label_images, label_images)
def test_both_directions_are_the_same(truth, found):
    there, back = instance_scores(truth, found), instance_scores(found, truth)
    assert (there.msa, there.ap50, there.f1) == pytest.approx((back.msa, back.ap50, back.f1))
    assert 0 <= there.msa <= there.ap50 + 1e-9 <= there.f1 + 2e-9 <= 1 + 3e-9
