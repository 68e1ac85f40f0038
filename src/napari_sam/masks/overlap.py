"""What the masks of a table share, pair by pair, for those whose boxes overlap."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from napari_sam.masks.mask_table import MaskTable

PAIRS_AT_ONCE = 1 << 21
"""Pairs of boxes compared at a time."""


def overlapping_boxes(boxes: NDArray[np.number]) -> NDArray[np.int64]:
    """Return the pairs of half-open boxes that share area, without comparing each with each.

    The boxes are sorted along one axis; each is compared with those that begin before it ends.

    Parameters
    ----------
    boxes : (N, 4) array
        (y0, x0, y1, x1), or (x0, y0, x1, y1).

    Returns
    -------
    (P, 2) int64 array
        Rows, the smaller one first.
    """
    by_axis = [_begin_inside(boxes[:, axis], boxes[:, axis + 2]) for axis in (0, 1)]
    order, counts = min(by_axis, key=lambda found: found[1].sum())
    parts = [np.zeros((0, 2), np.int64)]
    for first, last in _slices(counts):
        here = counts[first:last]
        one = np.repeat(np.arange(first, last), here)
        place = np.arange(len(one)) - np.repeat(np.cumsum(here) - here, here)
        pairs = np.sort(np.stack([order[one], order[one + 1 + place]], axis=1), axis=1)
        low = np.maximum(boxes[pairs[:, 0], :2], boxes[pairs[:, 1], :2])
        high = np.minimum(boxes[pairs[:, 0], 2:], boxes[pairs[:, 1], 2:])
        parts.append(pairs[(low < high).all(axis=1)])
    return np.concatenate(parts)


def intersections(table: MaskTable, row: int, others: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many pixels a mask shares with some others, whose boxes overlap its own.

    Parameters
    ----------
    table : MaskTable
        The masks.
    row : int
        The one mask.
    others : (K,) int array
        Rows of the others.
    """
    mask = table[row]
    low = np.maximum(table.boxes[others, :2], mask.box[:2])
    high = np.minimum(table.boxes[others, 2:], mask.box[2:])
    boxes = np.concatenate([low, high], axis=1).tolist()
    counts = [
        np.count_nonzero(mask.crop(box) & mask_part(table, other, box))
        for other, box in zip(others.tolist(), boxes, strict=True)
    ]
    return np.array(counts, np.int64)


def mask_part(table: MaskTable, row: int, box: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Return the part of a row's mask in a box inside its own; only those rows are unpacked."""
    y0, x0, _, x1 = table.boxes[row].tolist()
    start, stop = (box[0] - y0) * (x1 - x0), (box[2] - y0) * (x1 - x0)
    skipped, offset = start % 8, int(table.offsets[row])
    packed = table.bits[offset + start // 8 : offset - (-stop // 8)]
    bits = np.unpackbits(packed, count=stop - start + skipped)[skipped:]
    return bits.reshape(-1, x1 - x0)[:, box[1] - x0 : box[3] - x0].view(bool)


def inclusive(boxes: NDArray[np.int32]) -> NDArray[np.float32]:
    """Return boxes as SAM compares them: up to and with the last pixel, without adding 1."""
    return (boxes - np.array([0, 0, 1, 1])).astype(np.float32)


def box_ious(boxes: NDArray[np.floating], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the IoU of pairs of boxes, computed in the boxes' own precision."""
    sides = boxes[:, 2:] - boxes[:, :2]
    areas = sides[:, 0] * sides[:, 1]
    shared = shared_areas(boxes[pairs])
    whole = areas[pairs[:, 0]] + areas[pairs[:, 1]] - shared
    return np.divide(shared, whole, out=np.zeros_like(shared), where=whole > 0).astype(np.float64)


def shared_areas(boxes: NDArray[np.number]) -> NDArray[np.number]:
    """Return the area that the two boxes of each pair (P, 2, 4) share."""
    sides = boxes[:, :, 2:].min(axis=1) - boxes[:, :, :2].max(axis=1)
    sides = np.maximum(sides, 0)
    return sides[:, 0] * sides[:, 1]


def _begin_inside(
    starts: NDArray[np.number], stops: NDArray[np.number]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of intervals by start, and how many of the next begin before each ends."""
    order = np.argsort(starts, kind="stable")
    ends = np.searchsorted(starts[order], stops[order])
    return order, np.maximum(ends - np.arange(len(order)) - 1, 0)


def _slices(counts: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cut boxes into runs with about `PAIRS_AT_ONCE` pairs each."""
    part = np.cumsum(counts) // PAIRS_AT_ONCE
    cuts = [0, *(np.flatnonzero(np.diff(part)) + 1).tolist(), len(counts)]
    yield from pairwise(cuts)
