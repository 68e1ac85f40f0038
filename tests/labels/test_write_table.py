"""Many masks written at once: numbers, what is there already, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.labels.write_table import new_rows, write_table
from napari_sam.masks import Mask
from napari_sam.masks.mask_table import MaskTable

SHAPE = (2, 30, 40)


def squares(*corners, side=6):
    return MaskTable.of(Mask.from_array(np.ones((side, side), bool), y, x) for y, x in corners)


def test_numbers_follow_the_rows():
    labels = np.zeros(SHAPE, np.uint16)
    edit = write_table(labels, squares((2, 3), (20, 30)), 7, plane=1)
    assert labels[1, 2, 3] == 7
    assert labels[1, 25, 35] == 8
    assert edit.n_changed == np.count_nonzero(labels) == 72
    assert not labels[0].any()


def test_what_is_there_stays_and_what_lies_on_it_is_not_new():
    labels = np.zeros(SHAPE[1:], np.uint16)
    labels[:10, :10] = 3
    table = squares((2, 2), (8, 8), (20, 20))
    assert new_rows(labels, table).tolist() == [1, 2]
    write_table(labels, table.select([1, 2]), 4)
    assert (labels[:10, :10] == 3).all()
    assert labels[12, 12] == 4


def test_the_smaller_mask_lies_on_top():
    labels = np.zeros(SHAPE[1:], np.uint16)
    large = MaskTable.of([Mask.from_array(np.ones((20, 20), bool), 0, 0)])
    write_table(labels, MaskTable.concatenate([squares((5, 5)), large]), 1)
    assert labels[5, 5] == 1
    assert labels[0, 0] == 2


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(-4, 32), st.integers(-4, 42)), max_size=8),
    st.integers(0, 2**32 - 1),
)
def test_undo_and_redo_are_exact(corners, seed):
    labels = np.random.default_rng(seed).integers(0, 2, SHAPE).astype(np.uint16)
    before = labels.copy()
    edit = write_table(labels, squares(*corners), 5, plane=0)
    after = labels.copy()
    assert (after[before > 0] == before[before > 0]).all()
    edit.undo(labels)
    assert np.array_equal(labels, before)
    edit.redo(labels)
    assert np.array_equal(labels, after)


def test_too_many_for_the_type_of_the_labels():
    labels = np.zeros(SHAPE[1:], np.uint8)
    with pytest.raises(ValueError, match="255"):
        write_table(labels, squares((0, 0), (10, 10)), 255)
    assert not labels.any()


def test_nothing_to_write():
    labels = np.zeros(SHAPE[1:], np.uint8)
    assert not write_table(labels, MaskTable.of(), 1).n_changed
    assert len(new_rows(labels, MaskTable.of())) == 0
