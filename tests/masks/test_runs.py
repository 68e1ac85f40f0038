"""Masks are the same after they have been text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from napari_sam.masks import Mask, MaskTable
from napari_sam.masks.runs import from_runs, iter_rows, masks_from_rows, to_runs

pixels = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=30))


@given(pixels, st.integers(-9, 99), st.integers(-9, 99))
def test_pixels_come_back(array, y, x):
    box = (y, x, y + array.shape[0], x + array.shape[1])
    assert np.array_equal(from_runs(box, to_runs(array)), array)


def test_runs_that_do_not_fill_the_box_are_refused():
    with pytest.raises(ValueError, match="runs cover"):
        from_runs((0, 0, 5, 5), to_runs(np.ones((4, 4), bool)))


@given(st.lists(st.tuples(pixels, st.floats(0, 1, width=32)), max_size=5))
def test_a_table_comes_back(found):
    masks = [
        Mask((3, 4, 3 + len(array), 4 + array.shape[1]), array, score) for array, score in found
    ]
    table = MaskTable.of(masks)
    again = masks_from_rows(eval(repr(list(iter_rows(table))), {"nan": np.nan}))
    for name, column in table.to_arrays().items():
        np.testing.assert_array_equal(again.to_arrays()[name], column)
