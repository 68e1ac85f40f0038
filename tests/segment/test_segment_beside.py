"""One object among others: they become negatives, and stay whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_sam.labels.others import Others
from napari_sam.masks.inmost import roundness
from napari_sam.prompts import Prompts
from napari_sam.segment.segment_beside import segment_beside
from napari_sam.segment.segment_object import segment_object

CLICK = Prompts([[50.0, 50.0]])


@pytest.fixture
def embeddings(embed):
    """Return a bright square of 40 x 40 pixels."""
    bright = np.zeros((128, 128), bool)
    bright[30:70, 30:70] = True
    return embed(bright)


def others(kept, **kwargs):
    labels = np.zeros((128, 128), np.uint16)
    for label, box in enumerate(kept, 1):
        labels[box[0] : box[2], box[1] : box[3]] = label
    return Others(labels, **kwargs)


def test_far_from_others_it_is_the_object_itself(embeddings):
    found = segment_beside(embeddings, CLICK, others([(0, 0, 9, 9)]))
    alone = segment_object(embeddings, CLICK)
    assert [mask.box for mask in found] == [mask.box for mask in alone]
    assert len(embeddings.model.decoded) == 2


def test_a_neighbor_that_it_runs_into_is_asked_about_as_a_negative(embeddings):
    segment_beside(embeddings, CLICK, others([(30, 30, 40, 70)]))
    first, again = embeddings.model.decoded
    assert first["labels"][0].tolist() == [1]
    assert again["labels"][0].tolist() == [1, 0]
    x, y = again["points"][0, 1].tolist()
    assert 30 <= y < 40
    assert 30 <= x < 70
    assert again["mask"] is not None
    assert again["multimask"]


def test_it_can_be_cut_without_asking(embeddings):
    found = segment_beside(embeddings, CLICK, others([(30, 30, 40, 70)], are_negatives=False))
    assert len(embeddings.model.decoded) == 1
    assert found.best.box == (40, 30, 70, 70)


def test_the_part_under_the_click_is_kept(embeddings):
    band = others([(30, 40, 70, 44)], are_negatives=False)
    assert segment_beside(embeddings, CLICK, band).best.box == (30, 44, 70, 70)


def test_a_click_on_another_finds_nothing_and_costs_nothing(embeddings):
    found = segment_beside(embeddings, CLICK, others([(0, 0, 9, 9), (45, 45, 55, 55)]))
    assert not found
    assert found.note.startswith("Object 2 is here already")
    assert not embeddings.model.decoded


def test_what_is_below_0_is_taken_too_but_no_object(embeddings):
    ignored = Others(np.zeros((128, 128), np.int8))
    ignored.labels[30:40, 30:70] = -1
    found = segment_beside(embeddings, CLICK, ignored)
    assert len(embeddings.model.decoded) == 1  # it is no negative
    assert found.best.box == (40, 30, 70, 70)
    ignored.labels[:] = -1
    assert segment_beside(embeddings, CLICK, ignored).note == "The labels are -1 here, and stay so."


def test_its_own_pixels_are_no_neighbor(embeddings):
    own = others([(30, 30, 60, 70)], own=1)
    found = segment_beside(embeddings, CLICK, own)
    assert found.best.box == (30, 30, 70, 70)
    assert len(embeddings.model.decoded) == 1


boxes = st.tuples(*[st.integers(0, 100)] * 2, *[st.integers(1, 60)] * 2)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(boxes, max_size=4), st.booleans())
def test_no_mask_shares_a_pixel_with_others(embeddings, kept, are_negatives):
    corners = [(y, x, y + height, x + width) for y, x, height, width in kept]
    around = others(corners, are_negatives=are_negatives)
    for mask in segment_beside(embeddings, CLICK, around):
        assert not (mask.to_array((128, 128)) & (around.labels > 0)).any()
        assert mask.area


@pytest.mark.parametrize("prompts", [Prompts([[50.0, 69.0]]), Prompts().with_box((30, 30, 69, 69))])
def test_what_a_kept_object_has_left_is_no_object(embeddings, prompts):
    """The model means the object that is there: two columns of it are free."""
    for are_negatives in (False, True):
        kept = others([(30, 30, 70, 68)], are_negatives=are_negatives)
        found = segment_beside(embeddings, prompts, kept)
        assert not found
        assert found.note.startswith("Object 1 is here already")


def test_a_rim_is_no_object_if_the_model_means_the_one_inside():
    disc = np.hypot(*np.mgrid[-20:21, -20:21])
    assert roundness(disc <= 20) > 0.9
    assert roundness(disc <= 3) > 0.9
    assert roundness((disc <= 20) & (disc > 18)) < 0.3
    assert roundness((disc <= 20) & (np.hypot(*np.mgrid[-20:21, -18:23]) > 20)) < 0.5
