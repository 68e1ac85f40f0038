"""Where objects are in a block of labels: found run by run, and joined by label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class PlaneObjects:
    """Where the objects of one plane, or a part of it, are.

    Attributes
    ----------
    labels : (N,) int64 array
        Ascending.
    boxes : (N, 4) int64 array
        (y0, x0, y1, x1), half open.
    areas : (N,) int64 array
        Pixels.
    """

    labels: NDArray[np.int64]
    boxes: NDArray[np.int64]
    areas: NDArray[np.int64]


def find_in_block(block: NDArray[np.integer], corner: tuple[int, int]) -> PlaneObjects:
    """Return the objects, labels above 0, of a block (h, w) whose first pixel is `corner`.

    Each row is cut into runs of equal labels; runs of the same label are one object, whether they
    touch or not.
    """
    _, runs = find_runs(np.ravel(block), [block.shape], [corner])
    return join_found([runs])


def find_runs(
    pixels: NDArray[np.integer], shapes: ArrayLike, corners: ArrayLike
) -> tuple[NDArray[np.intp], PlaneObjects]:
    """Return the runs of equal labels above 0 in the rows of blocks: in which block, and where.

    Parameters
    ----------
    pixels : (N,) array of int
        Of all blocks, one after the other, each in reading order.
    shapes : (M, 2) array of int
        Height and width of each block.
    corners : (M, 2) array of int
        The first pixel (y, x) of each.
    """
    heights, widths = np.asarray(shapes).T
    block = np.repeat(np.arange(len(heights)), heights)  # of each row, as what follows
    row = np.arange(len(block)) - (np.cumsum(heights) - heights)[block]
    first = np.cumsum(widths[block]) - widths[block]
    is_edge = np.ones(len(pixels) + 1, bool)
    np.not_equal(pixels[1:], pixels[:-1], out=is_edge[1:-1])
    is_edge[first] = True
    edge = np.flatnonzero(is_edge)
    label = pixels[edge[:-1]].astype(np.int64)
    is_object = np.flatnonzero(label > 0)
    start, stop = edge[is_object], edge[is_object + 1]
    at = np.searchsorted(first, start, "right") - 1
    corner_y, corner_x = np.asarray(corners)[block[at]].T
    y, x = corner_y + row[at], corner_x + start - first[at]
    boxes = np.stack([y, x, y + 1, x + stop - start], axis=1)
    return block[at], PlaneObjects(label[is_object], boxes, stop - start)


def join_found(parts: list[PlaneObjects]) -> PlaneObjects:
    """Join parts of the same label: the box around them, and the sum of their areas."""
    if not parts:
        empty = np.zeros(0, np.int64)
        return PlaneObjects(empty, empty.reshape(0, 4), empty)
    labels = np.concatenate([part.labels for part in parts])
    boxes = np.concatenate([part.boxes for part in parts])
    areas = np.concatenate([part.areas for part in parts])
    order = np.argsort(labels, kind="stable")
    names, starts = np.unique(labels[order], return_index=True)
    if not len(names):
        return PlaneObjects(names, boxes.reshape(0, 4), areas)
    low = np.minimum.reduceat(boxes[order, :2], starts)
    high = np.maximum.reduceat(boxes[order, 2:], starts)
    around = np.concatenate([low, high], axis=1)
    return PlaneObjects(names, around, np.add.reduceat(areas[order], starts))
