"""The point where a part is thickest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sam.masks.inmost import inmost_point


@given(arrays(bool, st.tuples(st.integers(1, 300), st.integers(1, 20))).filter(np.any))
def test_it_lies_in_the_part(part):
    assert part[inmost_point(part)]


def test_it_is_the_middle_of_the_thickest_place():
    part = np.zeros((50, 80), bool)
    part[20:23] = True
    part[10:41, 40:71] = True
    assert inmost_point(part) == (25, 55)


def test_a_large_part_is_looked_at_coarsely():
    rows, columns = np.ogrid[:2000, :1500]
    part = (rows - 1200) ** 2 + (columns - 700) ** 2 < 600**2
    assert np.hypot(*np.subtract(inmost_point(part), (1200, 700))) < 32


def test_nothing_has_no_inmost_point():
    with pytest.raises(ValueError, match="empty"):
        inmost_point(np.zeros((3, 3), bool))
