"""Where objects are in a block of labels: found run by run, and joined by label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
    padded = np.zeros((block.shape[0], block.shape[1] + 2), block.dtype)
    padded[:, 1:-1] = block  # np.pad takes ten times as long
    flat = padded.ravel()  # rows meet in background: no edge is between them
    edge = np.flatnonzero(flat[1:] != flat[:-1])
    row, column = np.divmod(edge, padded.shape[1])
    label = flat[edge + 1].astype(np.int64)
    is_object = np.flatnonzero(label > 0)  # each row ends in background: a next edge is there
    row, start, stop = row[is_object], column[is_object], column[is_object + 1]
    y, x = corner
    boxes = np.stack([row + y, start + x, row + y + 1, stop + x], axis=1)
    return join_found([PlaneObjects(label[is_object], boxes, stop - start)])


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
