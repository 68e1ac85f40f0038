"""Which objects of two overlapping windows are the same."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.masks import Mask, MaskTable
from napari_sam.segment.match import same_objects

SHARED = (0, 40, 100, 60)
"""Window a ends at column 60, window b begins at column 40."""


def table(*boxes: tuple[int, int, int, int]) -> MaskTable:
    """Return rectangles."""
    return MaskTable.of(
        Mask.from_array(np.ones((y1 - y0, x1 - x0), bool), y0, x0) for y0, x0, y1, x1 in boxes
    )


def same(a: MaskTable, b: MaskTable) -> list[tuple[int, int]]:
    ends = a.boxes[:, 3] == 60, b.boxes[:, 1] == 40
    pairs = same_objects(a, b, SHARED, *ends, 0.5)
    return sorted(zip(pairs[:, 0].tolist(), pairs[:, 1].tolist(), strict=True))


def test_what_both_windows_show() -> None:
    a, b = table((0, 30, 10, 55), (20, 45, 30, 58)), table((20, 44, 30, 57), (0, 40, 10, 54))
    assert same(a, b) == [(0, 1), (1, 0)]


def test_only_what_both_windows_see_is_compared() -> None:
    a, b = table((0, 0, 10, 60)), table((0, 40, 10, 100))
    assert same(a, b) == [(0, 0)]
    assert same_objects(a, b, SHARED, np.ones(1, bool), np.ones(1, bool), 0.5)[0, 2] == 200


def test_neighbors_are_not_the_same() -> None:
    assert same(table((0, 30, 10, 50)), table((0, 50, 10, 90))) == []
    assert same(table((0, 30, 10, 54)), table((0, 50, 10, 90))) == []


def test_pieces_belong_to_the_object_that_holds_them() -> None:
    """A ring that one window shows whole is in two pieces in the other."""
    ring, pieces = table((0, 30, 40, 60)), table((0, 40, 24, 70), (30, 40, 40, 70))
    assert same(ring, pieces) == [(0, 0), (0, 1)]


def test_a_nucleus_is_no_piece_of_its_cell() -> None:
    cell, nucleus = (0, 0, 40, 60), (15, 20, 25, 60)
    rest_of_cell, rest_of_nucleus = (0, 40, 40, 100), (15, 40, 25, 80)
    found = same(table(cell, nucleus), table(rest_of_nucleus, rest_of_cell))
    assert found == [(0, 1), (1, 0)]


@pytest.mark.parametrize(("a", "b"), [((), ((0, 40, 9, 70),)), (((0, 0, 9, 39),), ())])
def test_nothing_to_compare(a: tuple, b: tuple) -> None:
    assert same(table(*a), table(*b)) == []
