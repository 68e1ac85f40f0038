"""Packed masks come back as they were."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.masks import Mask, MaskTable

arrays = hnp.arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))).filter(np.any)
masks = st.builds(
    lambda array, y, x, iou: Mask.from_array(array, y, x, predicted_iou=iou, stability_score=0.5),
    arrays,
    st.integers(-5, 1000),
    st.integers(-5, 1000),
    st.floats(0, 1, width=32),
)


def assert_same(found: Mask, expected: Mask) -> None:
    assert found.box == expected.box
    np.testing.assert_array_equal(found.array, expected.array)
    assert (found.predicted_iou, found.stability_score) == (expected.predicted_iou, 0.5)


@given(st.lists(masks, max_size=6), st.lists(masks, max_size=6))
def test_masks_come_back(first: list[Mask], second: list[Mask]) -> None:
    table = MaskTable.concatenate([MaskTable.of(first), MaskTable.of(second)])
    assert len(table) == len(first + second)
    for found, expected in zip(table, first + second, strict=True):
        assert_same(found, expected)
    assert table.areas.tolist() == [mask.area for mask in first + second]


@given(st.lists(masks, min_size=1, max_size=8), st.data())
def test_rows_are_chosen_in_order(given_masks: list[Mask], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(given_masks) - 1), max_size=10))
    chosen = MaskTable.of(given_masks).select(np.array(rows, int))
    for found, row in zip(chosen, rows, strict=True):
        assert_same(found, given_masks[row])
    is_chosen = np.isin(np.arange(len(given_masks)), rows)
    assert len(MaskTable.of(given_masks).select(is_chosen)) == is_chosen.sum()


def test_choosing_rows_takes_little_more_memory_than_they_do() -> None:
    table = MaskTable.of(Mask.from_array(np.ones((400, 400), bool)) for _ in range(20))
    tracemalloc.start()
    try:
        chosen = table.select(np.arange(15))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * chosen.nbytes


def test_columns(tmp_path: Path) -> None:
    square = Mask.from_array(np.ones((3, 3), bool), 10, 20, predicted_iou=0.5)
    table = MaskTable.of([square, square], points=[[11, 21], [12, 22]], tile=(4, 5))
    assert table.tiles.tolist() == [[4, 5], [4, 5]]
    moved = table[1:].shifted(-10, 1)
    assert moved.boxes.tolist() == [[0, 21, 3, 24]]
    assert moved.points.tolist() == [[2, 23]]

    np.savez(tmp_path / "table.npz", **table.to_arrays())
    with np.load(tmp_path / "table.npz") as saved:
        again = MaskTable.from_arrays(saved)
    for name, column in table.to_arrays().items():
        np.testing.assert_array_equal(again.to_arrays()[name], column)
    assert again.nbytes == table.nbytes


def test_what_is_no_table_is_refused() -> None:
    square = Mask.from_array(np.ones((3, 3), bool))
    columns = MaskTable.of([square]).to_arrays()
    with pytest.raises(ValueError, match="areas is missing"):
        MaskTable.from_arrays({name: c for name, c in columns.items() if name != "areas"})
    with pytest.raises(ValueError, match="do not fit"):
        MaskTable.from_arrays(columns | {"bits": columns["bits"][1:]})
    with pytest.raises(ValueError, match="empty mask"):
        MaskTable.of([Mask.from_array(np.zeros((3, 3), bool))])
    with pytest.raises(ValueError, match="1 masks"):
        MaskTable.of([square], points=[[1, 2], [3, 4]])
