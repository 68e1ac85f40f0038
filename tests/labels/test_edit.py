from __future__ import annotations

import numpy as np
import pytest

from napari_sam.labels import write_mask
from napari_sam.labels.write import plan_mask
from napari_sam.masks import Mask


def square(y0, x0, side=10):
    return Mask.from_array(np.ones((side, side), dtype=bool), y0, x0)


def test_a_stack_of_edits_comes_off_in_reverse():
    labels = np.zeros((50, 50), dtype=np.uint16)
    states, edits = [labels.copy()], []
    for label, overlap in enumerate(["keep", "replace", "keep", "erase", "replace"], start=1):
        edits.append(write_mask(labels, square(5 * label, 4 * label, 15), label, overlap=overlap))
        states.append(labels.copy())
    for edit, state in zip(edits[::-1], states[-2::-1], strict=True):
        edit.undo(labels)
        np.testing.assert_array_equal(labels, state)
    for edit, state in zip(edits, states[1:], strict=True):
        edit.redo(labels)
        np.testing.assert_array_equal(labels, state)


def test_undo_refuses_to_overwrite_what_came_later():
    labels = np.zeros((50, 50), dtype=np.uint16)
    edit = write_mask(labels, square(10, 10), 1)
    labels[12, 12:15] = 9  # painted by hand
    painted = labels.copy()
    with pytest.raises(ValueError, match="3 of the 100 pixels were changed by something else"):
        edit.undo(labels)
    np.testing.assert_array_equal(labels, painted)


def test_undo_leaves_neighbors_in_the_box_alone():
    labels = np.zeros((50, 50), dtype=np.uint16)
    corner = np.triu(np.ones((10, 10), dtype=bool))
    edit = write_mask(labels, Mask.from_array(corner, 10, 10), 1)
    labels[19, 10] = 7  # in the box, not in the mask
    edit.undo(labels)
    assert labels[19, 10] == 7
    assert np.count_nonzero(labels) == 1


def test_redo_needs_the_state_before():
    labels = np.zeros((50, 50), dtype=np.uint16)
    edit = write_mask(labels, square(10, 10), 1)
    with pytest.raises(ValueError, match="100 of the 100 pixels"):
        edit.redo(labels)


def test_the_inverse_is_the_way_back():
    labels = np.arange(2500, dtype=np.uint16).reshape(50, 50) % 7
    before = labels.copy()
    edit = write_mask(labels, square(5, 5), 3, overlap="replace")
    after = labels.copy()
    edit.inverse().redo(labels)
    np.testing.assert_array_equal(labels, before)
    edit.inverse().inverse().redo(labels)
    np.testing.assert_array_equal(labels, after)


def test_what_is_possible_leaves_out_what_was_painted_since():
    labels = np.zeros((50, 50), dtype=np.uint16)
    edit = plan_mask(labels, square(10, 10), 1)
    labels[12, 12:15] = 9
    possible = edit.possible(labels)
    assert possible.n_changed == 97
    possible.write(labels)
    assert labels[12, 12:15].tolist() == [9, 9, 9]
    assert (labels == 1).sum() == 97
    possible.undo(labels)
    assert np.count_nonzero(labels) == 3
