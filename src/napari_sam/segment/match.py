"""Which objects of neighboring tiles are the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.window import Window
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.overlap import mask_part, overlapping_boxes
from napari_sam.segment.find import cut_sides, edge_room, inner_edges, logit_px
from napari_sam.segment.run import Box, Run
from napari_sam.segment.run_folder import Part

NEIGHBORS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""Tile rows and columns to the neighbors that a tile is compared with; the others compare
themselves with it."""


def match_tile(run: Run, tile: Part) -> None:
    """Compare the objects of a tile with those of its neighbors: a task of the second pass.

    Five tables are in memory at most. Saved are pairs of rows that are the same object, and of the
    tile's own objects what is needed to choose one of each pair.
    """
    *plane, row, column = tile
    own = load_table(run, tile)
    window = run.grid.window(row, column, tuple(plane))
    own_cut = _cut(run, own, window)
    pairs = [np.zeros((0, 4), np.int64)]
    for number, (down, right) in enumerate(NEIGHBORS):
        there = (*plane, row + down, column + right)
        if not len(own) or not run.folder.has("find", there):
            continue
        other = load_table(run, there)
        beyond = run.grid.window(row + down, column + right, tuple(plane))
        shared = _shared_box(window, beyond, run.shape_yx)
        # A fragment ends at a side of its own window inside the other one.
        facing = np.array([down < 0, right < 0, down > 0, right > 0])
        same = same_objects(
            own,
            other,
            shared,
            (own_cut & facing).any(axis=1),
            (_cut(run, other, beyond) & facing[[2, 3, 0, 1]]).any(axis=1),
            run.settings.join_overlap,
        )
        pairs.append(np.insert(same, 1, number, axis=1))
    is_cut = (own_cut & _has_neighbors(run, tile)).any(axis=1)
    room = np.where(inner_edges(window, run.shape_yx), edge_room(own, window), np.inf).min(axis=1)
    run.folder.save(
        "match",
        tile,
        {
            "boxes": own.boxes,
            "areas": own.areas,
            "scores": own.predicted_iou,
            "is_cut": np.asarray(is_cut),
            "room": room,
            "pairs": np.concatenate(pairs),
        },
    )


def same_objects(
    a: MaskTable,
    b: MaskTable,
    shared: Box,
    a_ends: NDArray[np.bool_],
    b_ends: NDArray[np.bool_],
    overlap: float,
) -> NDArray[np.int64]:
    """Return which objects of two overlapping windows are the same.

    Two are, if their IoU in what both windows see exceeds `overlap`. A fragment, which ends where
    its window does, can be less than what the other window shows: if no object there is the same by
    IoU, it belongs to the one that holds more than `overlap` of it. (So a nucleus that both windows
    show is not taken for a part of its cell.)

    Parameters
    ----------
    a, b : MaskTable
        The objects of each window.
    shared : tuple of int
        The box (y0, x0, y1, x1) that both windows see.
    a_ends, b_ends : (N,) and (M,) bool array
        Which of them are such fragments.
    overlap : float
        From 0.5 to 1, so that an object has one partner at most by either rule.

    Returns
    -------
    (P, 3) int64 array
        Row in `a`, row in `b`, pixels that both have.
    """
    near_a, near_b = _in_box(a, shared), _in_box(b, shared)
    boxes = np.concatenate([a.boxes[near_a], b.boxes[near_b]])
    boxes = np.concatenate(
        [np.maximum(boxes[:, :2], shared[:2]), np.minimum(boxes[:, 2:], shared[2:])], axis=1
    )
    candidates = overlapping_boxes(boxes)
    n = len(near_a)
    candidates = candidates[(candidates[:, 0] < n) & (candidates[:, 1] >= n)]
    masks = [mask_part(a, row, _as_box(box)) for row, box in zip(near_a, boxes, strict=False)]
    masks += [mask_part(b, row, _as_box(box)) for row, box in zip(near_b, boxes[n:], strict=True)]
    areas = np.array([np.count_nonzero(mask) for mask in masks], np.int64)
    both = np.array([_intersection(boxes, masks, i, j) for i, j in candidates.tolist()], np.int64)
    one, two = candidates.T
    is_same = both > overlap * (areas[one] + areas[two] - both)
    has_same = np.zeros(len(boxes), bool)
    has_same[candidates[is_same]] = True
    ends = np.concatenate([a_ends[near_a], b_ends[near_b]]) & ~has_same
    for part in (one, two):
        is_same |= ends[part] & (both > overlap * areas[part])
    rows = np.concatenate([near_a, near_b])[candidates[is_same]]
    return np.column_stack([rows, both[is_same]])


def load_table(run: Run, tile: Part) -> MaskTable:
    """Return the objects of a tile.

    Raises
    ------
    OSError
        If the file is gone or damaged; then it is removed, to be computed again.
    """
    columns = run.folder.load("find", tile)
    try:
        return MaskTable.from_arrays(columns)
    except ValueError as error:
        raise run.folder.discard("find", tile, error) from error


def _has_neighbors(run: Run, tile: Part) -> NDArray[np.bool_]:
    """Return at which sides (top, left, bottom, right) another tile has looked too."""
    *plane, row, column = tile
    sides = ((row - 1, column), (row, column - 1), (row + 1, column), (row, column + 1))
    return np.array([run.folder.has("find", (*plane, *side)) for side in sides])


def _cut(run: Run, table: MaskTable, window: Window) -> NDArray[np.bool_]:
    return cut_sides(table, window, run.shape_yx, logit_px(run.embeddings.model, window))


def _shared_box(a: Window, b: Window, shape_yx: tuple[int, int]) -> Box:
    low = np.floor(np.maximum(a.extent[:2], b.extent[:2])).astype(int)
    high = np.ceil(np.minimum(np.minimum(a.extent[2:], b.extent[2:]), shape_yx)).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def _in_box(table: MaskTable, box: Box) -> NDArray[np.int64]:
    low = np.maximum(table.boxes[:, :2], box[:2])
    high = np.minimum(table.boxes[:, 2:], box[2:])
    return np.flatnonzero((low < high).all(axis=1))


def _as_box(box: NDArray[np.int32]) -> Box:
    y0, x0, y1, x1 = box.tolist()
    return y0, x0, y1, x1


def _intersection(boxes: NDArray[np.int32], masks: list[NDArray[np.bool_]], i: int, j: int) -> int:
    """Return how many pixels two masks in their boxes share."""
    low = np.maximum(boxes[i, :2], boxes[j, :2])
    high = np.minimum(boxes[i, 2:], boxes[j, 2:])
    parts = []
    for k in (i, j):
        y0, x0, y1, x1 = np.concatenate([low - boxes[k, :2], high - boxes[k, :2]]).tolist()
        parts.append(masks[k][y0:y1, x0:x1])
    return int(np.count_nonzero(parts[0] & parts[1]))
