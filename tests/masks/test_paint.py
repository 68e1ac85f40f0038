"""Each pixel gets the mask that the rule says, whichever region is painted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.masks import MaskTable
from napari_sam.masks.paint import paint

from .tables import SHAPE, squares, tables


@given(tables, st.sampled_from(["smaller", "first"]), st.data())
def test_pixels(table: MaskTable, on_top: str, data: st.DataObject) -> None:
    rows = data.draw(st.permutations(range(len(table))))
    expected = np.zeros(SHAPE, np.int32)
    size = dict(zip(rows, table.areas[list(rows)], strict=True))
    by_rule = sorted(rows, key=size.__getitem__) if on_top == "smaller" else rows
    for row in reversed(by_rule):  # sorting keeps the order of equal areas
        expected[table[row].to_array(SHAPE)] = rows.index(row) + 1
    np.testing.assert_array_equal(paint(table, rows, (0, 0, *SHAPE), on_top=on_top), expected)
    y, x = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20))
    part = paint(table, rows, (y, x, y + 4, x + 3), on_top=on_top)
    np.testing.assert_array_equal(part, expected[y : y + 4, x : x + 3])


def test_an_object_inside_another_stays_in_sight() -> None:
    table = squares((0, 0, 6, 6), (2, 2, 4, 4))
    assert paint(table, [0, 1], (0, 0, 6, 6))[3, 3] == 2
    assert paint(table, [0, 1], (0, 0, 6, 6), on_top="first")[3, 3] == 1


def test_labels_may_be_given() -> None:
    table = squares((0, 0, 2, 2), (4, 4, 6, 6))
    found = paint(table, [1, 0], (0, 0, 6, 6), labels=[70_000, 9])
    assert (found[0, 0], found[5, 5]) == (9, 70_000)
    with pytest.raises(ValueError, match="2 rows and 1 labels"):
        paint(table, [1, 0], (0, 0, 6, 6), labels=[3])
    with pytest.raises(ValueError, match="'last'; expected smaller or first"):
        paint(table, [1], (0, 0, 6, 6), on_top="last")  # type: ignore[arg-type]


def test_the_type_may_be_given() -> None:
    table = squares((0, 0, 2, 2))
    found = paint(table, [0], (0, 0, 3, 3), labels=[60_000], dtype=np.uint16)
    assert found.dtype == np.uint16
    assert found[0, 0] == 60_000


def test_no_masks() -> None:
    assert paint(MaskTable.of(), [], (0, 0, 3, 2)).tolist() == [[0, 0]] * 3
