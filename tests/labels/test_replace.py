"""Giving a kept object other pixels, and taking it away."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sam.labels.replace import plan_removal, plan_replacement
from napari_sam.labels.write import write_mask
from napari_sam.masks import Mask

SHAPE = (12, 15)
planes = arrays(np.uint8, SHAPE, elements=st.integers(0, 3))
masks = st.builds(
    Mask.from_array,
    arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8))),
    st.integers(-4, 12),
    st.integers(-4, 15),
)
rules = st.sampled_from(["keep", "replace"])


@given(planes, masks, masks, rules)
def test_it_is_as_if_the_object_had_been_made_so_at_first(others, old, new, rule):
    labels = others.copy()
    write_mask(labels, old, 9)
    plan_replacement(labels, old, new, 9, overlap=rule).write(labels)
    expected = others.copy()
    write_mask(expected, new, 9, overlap=rule)
    assert np.array_equal(labels, expected)


@given(planes, masks)
def test_a_removed_object_leaves_background_and_the_others(others, mask):
    labels = others.copy()
    write_mask(labels, mask, 9)
    plan_removal(labels, mask, 9).write(labels)
    assert np.array_equal(labels, others)


def test_nothing_is_written_before_it_is_asked_for():
    labels = np.zeros(SHAPE, np.uint8)
    mask = Mask.from_array(np.ones((3, 3), bool), 2, 2)
    write_mask(labels, mask, 4)
    before = labels.copy()
    edit = plan_removal(labels, mask, 4)
    assert np.array_equal(labels, before)
    assert edit.n_changed == 9


def test_a_label_that_the_type_does_not_hold_is_refused():
    mask = Mask.from_array(np.ones((3, 3), bool), 2, 2)
    with pytest.raises(ValueError, match="hold at most 255"):
        plan_replacement(np.zeros(SHAPE, np.uint8), mask, mask, 300)
