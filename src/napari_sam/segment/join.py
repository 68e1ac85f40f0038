"""The objects of a plane, from those of its tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_sam.segment.match import NEIGHBORS
from napari_sam.segment.run import Run
from napari_sam.segment.run_folder import Part, RunFolder

SAME_BOX = 0.5
"""Of objects of one group, those are the same whose boxes overlap (IoU) by more."""


@dataclass(frozen=True, eq=False)
class PlaneObjects:
    """The K objects of a plane, and which rows of the tiles' tables they consist of.

    Attributes
    ----------
    tiles : (T, 2) int array
        (row, column) of the tiles.
    starts : (T + 1,) int array
        Where in `numbers` the rows of each tile begin.
    numbers : (N,) int array
        Of the object, from 1 to K, that each row is a part of; 0 if of none.
    boxes : (K, 4) int array
        (y0, x0, y1, x1) in level-0 pixels.
    areas : (K,) int array
        In pixels; of an object in several tiles, as nearly as pairs of its parts tell.
    scores : (K,) float array
        Predicted IoU, the best of its parts.
    """

    tiles: NDArray[np.int64]
    starts: NDArray[np.int64]
    numbers: NDArray[np.int64]
    boxes: NDArray[np.int64]
    areas: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def load(cls, folder: RunFolder, plane: Part) -> PlaneObjects:
        """Return what `join_plane` saved."""
        return cls(**folder.load("join", plane))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all columns by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def join_plane(run: Run, plane: Part) -> None:
    """Make the objects of all tiles of a plane one list: a task of the third pass.

    Objects that `match_tile` paired are a group. If one of them is whole, not cut by its window, it
    is the object, and its fragments are dropped; of several that are the same, the one with most
    room around it in its window. If all are fragments, they are the object together. A fragment
    alone is dropped: the neighbor, who sees where it is cut, does not see it. So no object is cut
    where a tile ends, and none is there twice.

    Only boxes, scores and pairs are in memory, about 100 bytes for each object of the plane.
    """
    tiles = run.tiles()
    found = [run.folder.load("match", (*plane, *tile)) for tile in tiles]
    starts = np.cumsum([0, *(len(columns["boxes"]) for columns in found)])
    columns = {
        name: np.concatenate([part[name] for part in found])
        for name in ("boxes", "areas", "scores", "is_cut", "room")
    }
    pairs = _global_pairs(tiles, starts, [part["pairs"] for part in found])
    numbers = _number(columns, pairs)
    boxes, areas, scores = _describe(numbers, columns, pairs)
    is_wanted = _is_wanted(run, boxes, areas)
    renumbered = np.concatenate([[0], np.where(is_wanted, np.cumsum(is_wanted), 0)])
    result = PlaneObjects(
        np.array(tiles, np.int64).reshape(-1, 2),
        starts,
        renumbered[numbers],
        boxes[is_wanted],
        areas[is_wanted],
        scores[is_wanted],
    )
    run.folder.save("join", plane, result.to_arrays())


def _global_pairs(
    tiles: Sequence[tuple[int, int]],
    starts: NDArray[np.int64],
    pairs_by_tile: Sequence[NDArray[np.int64]],
) -> NDArray[np.int64]:
    """Return (P, 3) pairs of rows counted over the whole plane, and the pixels they share."""
    number = {tile: i for i, tile in enumerate(tiles)}
    parts = [np.zeros((0, 3), np.int64)]
    for (row, column), start, pairs in zip(tiles, starts, pairs_by_tile, strict=False):
        for which, (down, right) in enumerate(NEIGHBORS):
            here = pairs[pairs[:, 1] == which]
            if len(here):
                other = starts[number[row + down, column + right]]
                parts.append(np.column_stack([here[:, 0] + start, here[:, 2] + other, here[:, 3]]))
    return np.concatenate(parts)


def _number(columns: dict[str, NDArray[Any]], pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row the number of its object, from 1, in the order of the first rows."""
    n_rows = len(columns["boxes"])
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n_rows, n_rows))
    _, group = connected_components(graph, directed=False)
    paired = np.unique(pairs[:, :2])
    by_group = paired[np.argsort(group[paired], kind="stable")]
    # The first row of the object that each is a part of; -1 for a fragment that nothing goes on.
    first = np.where(columns["is_cut"], -1, np.arange(n_rows))
    first[paired] = -1
    for members in np.split(by_group, np.flatnonzero(np.diff(group[by_group])) + 1):
        for chosen in _choose(members, columns):
            first[chosen] = chosen.min()
    numbers = np.zeros(n_rows, np.int64)
    numbers[first >= 0] = np.unique(first[first >= 0], return_inverse=True)[1] + 1
    return numbers


def _choose(group: NDArray[np.int64], columns: dict[str, NDArray[Any]]) -> list[NDArray[np.int64]]:
    """Return the rows of each object of a group: one, unless wholes of several were connected."""
    whole = group[~columns["is_cut"][group]]
    if len(whole) == 0:
        return [group] if len(group) else []
    whole = whole[np.lexsort((whole, -columns["scores"][whole], -columns["room"][whole]))]
    chosen: list[int] = []
    for row in whole.tolist():
        boxes = columns["boxes"][[row, *chosen]]
        if not chosen or (_box_iou(boxes[0], boxes[1:]) <= SAME_BOX).all():
            chosen.append(row)
    return [np.array([row]) for row in sorted(chosen)]


def _box_iou(box: NDArray[np.int32], others: NDArray[np.int32]) -> NDArray[np.float64]:
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    shared = np.maximum(high - low, 0).prod(axis=1, dtype=np.float64)
    areas = (others[:, 2:] - others[:, :2]).prod(axis=1, dtype=np.float64)
    return shared / ((box[2:] - box[:2]).prod(dtype=np.float64) + areas - shared)


def _describe(
    numbers: NDArray[np.int64], columns: dict[str, NDArray[Any]], pairs: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return boxes, areas and scores of objects."""
    n_objects = int(numbers.max(initial=0))
    boxes = np.zeros((n_objects, 4), np.int64)
    scores = np.full(n_objects, -inf)
    chosen = np.flatnonzero(numbers)
    index = numbers[chosen] - 1
    boxes[:, :2] = np.iinfo(np.int64).max
    np.minimum.at(boxes[:, :2], index, columns["boxes"][chosen, :2])
    np.maximum.at(boxes[:, 2:], index, columns["boxes"][chosen, 2:])
    np.fmax.at(scores, index, columns["scores"][chosen])
    areas = np.bincount(index, columns["areas"][chosen], n_objects)
    one, two, shared = pairs.T
    is_inside = (numbers[one] == numbers[two]) & (numbers[one] > 0)
    areas -= np.bincount(numbers[one[is_inside]] - 1, shared[is_inside], n_objects)
    largest = np.zeros(n_objects)
    np.maximum.at(largest, index, columns["areas"][chosen])
    return boxes, np.maximum(areas, largest).astype(np.int64), scores


def _is_wanted(run: Run, boxes: NDArray[np.int64], areas: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which objects are neither too small nor too large, and in the region."""
    settings = run.settings.find
    is_wanted = areas >= settings.min_area
    if settings.max_area is not None:
        is_wanted &= areas <= settings.max_area
    if run.region is not None:
        is_wanted &= run.region.contains((boxes[:, :2] + boxes[:, 2:] - 1) / 2)
    return is_wanted
