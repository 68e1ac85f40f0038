"""Suppression keeps what comparing each with each, in order, keeps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.masks import Mask, MaskTable
from napari_sam.masks import overlap as overlap_module
from napari_sam.masks.overlap import inclusive, mask_part, overlapping_boxes
from napari_sam.masks.suppression import Suppression, box_nms, suppress

from .tables import SHAPE, shares, squares, tables


def plain_nms(
    n: int, scores: np.ndarray, threshold: float, overlap: Callable[[int, int], float]
) -> list[int]:
    """Greedy suppression, each with each, as torchvision's own kernel does it."""
    kept: list[int] = []
    for row in sorted(range(n), key=lambda i: np.inf if np.isnan(scores[i]) else -scores[i]):
        if not any(overlap(row, better) > threshold for better in kept):
            kept.append(row)
    return kept


def plain_box_iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    shared = sides.prod()
    whole = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared
    return float(shared / whole) if whole else float("nan")


corners = hnp.arrays(np.float32, (10, 4), elements=st.integers(0, 8).map(float)).map(
    lambda boxes: np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
)
few_scores = hnp.arrays(np.float32, 10, elements=st.sampled_from([0.25, 0.5, 1]))


@given(corners, few_scores, shares)
def test_boxes(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> None:
    def overlap(i: int, j: int) -> float:
        return plain_box_iou(boxes[i], boxes[j])

    expected = plain_nms(10, scores, threshold, overlap)
    assert box_nms(boxes, scores, threshold).tolist() == expected
    flipped = boxes[:, [1, 0, 3, 2]]
    assert box_nms(flipped, scores, threshold).tolist() == expected


def test_boxes_without_area_stay() -> None:
    boxes = [[3, 3, 3, 3], [3, 3, 3, 3], [0, 0, 5, 5], [0, 2, 5, 2]]
    assert box_nms(boxes, [0.1, 0.2, 0.3, 0.4], 0.0).tolist() == [3, 2, 1, 0]
    assert box_nms(np.zeros((0, 4)), np.zeros(0), 0.5).tolist() == []


def test_the_threshold_itself_is_allowed() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 7]], np.float32)
    assert box_nms(boxes, [1, 0.5], 0.7).tolist() == [0, 1]  # 0.7 as float32 lies below 0.7
    assert box_nms(boxes, [1, 0.5], 0.69).tolist() == [0]


@given(tables, shares, st.sampled_from(["mask", "smaller", "box"]))
def test_masks(table: MaskTable, threshold: float, by: str) -> None:
    planes = [mask.to_array(SHAPE) for mask in table]
    boxes = inclusive(table.boxes)

    def overlap(i: int, j: int) -> float:
        if by == "box":
            return plain_box_iou(boxes[i], boxes[j])
        shared = (planes[i] & planes[j]).sum()
        smaller = min(planes[i].sum(), planes[j].sum())
        return shared / (smaller if by == "smaller" else (planes[i] | planes[j]).sum())

    expected = plain_nms(len(table), table.predicted_iou, threshold, overlap)
    assert suppress(table, threshold, by).tolist() == expected


@given(tables, st.lists(shares, min_size=2, max_size=4), st.data())
def test_what_was_counted_before_does_not_matter(
    table: MaskTable, thresholds: list[float], data: st.DataObject
) -> None:
    suppression = Suppression(table, "mask")
    for threshold in thresholds:
        among = np.array(data.draw(st.lists(st.booleans(), min_size=len(table), max_size=12)), bool)
        among = among[: len(table)]
        rows = np.flatnonzero(among)
        expected = rows[suppress(table.select(among), threshold, "mask")]
        assert suppression.rows(threshold, among).tolist() == expected.tolist()


def test_scores_may_be_others() -> None:
    table = squares((0, 0, 10, 10), (0, 0, 10, 9), (50, 50, 60, 60))
    assert suppress(table, 0.7, "mask").tolist() == [0, 2]
    assert suppress(table, 0.7, "mask", scores=[0, 2, 1]).tolist() == [1, 2]


def test_a_part_inside_a_whole() -> None:
    table = squares((0, 0, 10, 10), (2, 2, 5, 5))
    assert suppress(table, 0.5, "mask").tolist() == [0, 1]
    assert suppress(table, 0.5, "smaller").tolist() == [0]


def test_ten_thousand_masks_are_not_compared_each_with_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(overlap_module, "PAIRS_AT_ONCE", 1000)
    places = [(10 * y, 10 * x) for y in range(100) for x in range(100)]
    table = squares(*[(y, x, y + 12, x + 12) for y, x in places])
    assert len(overlapping_boxes(table.boxes)) == 2 * 100 * 99 + 2 * 99**2
    assert len(suppress(table, 0.5, "mask")) == 10_000
    assert len(suppress(table, 0.0, "mask")) == 50 * 50


@given(tables, st.data())
def test_a_part_of_a_packed_mask(table: MaskTable, data: st.DataObject) -> None:
    for row, mask in enumerate(table):
        y0, x0, y1, x1 = mask.box
        top, bottom = sorted(data.draw(st.lists(st.integers(y0, y1), min_size=2, max_size=2)))
        left, right = sorted(data.draw(st.lists(st.integers(x0, x1), min_size=2, max_size=2)))
        box = (top, left, bottom, right)
        np.testing.assert_array_equal(mask_part(table, row, box), mask.crop(box))


def test_what_makes_no_sense_is_refused() -> None:
    table = MaskTable.of([Mask.from_array(np.ones((2, 2), bool))])
    with pytest.raises(ValueError, match=r"overlap is 1\.5; expected a number from 0 to 1"):
        suppress(table, 1.5)
    with pytest.raises(ValueError, match="'area'; expected box, mask or smaller"):
        suppress(table, 0.5, "area")  # type: ignore[arg-type]
