"""The pixels of an object that is in labels already."""

from __future__ import annotations

import numpy as np

from napari_sam.image.plane import parse_plane
from napari_sam.labels.array import LabelsArray, check_labels
from napari_sam.masks.mask import Mask, box_slices, clip_box

FIRST_SIDE = 64
"""Rows and columns that are looked at first around a pixel."""

Box = tuple[int, int, int, int]


def object_at(
    labels: LabelsArray,
    label: int,
    *,
    plane: int | tuple[int, ...] = (),
    near: tuple[float, float] | None = None,
    box: Box | None = None,
) -> Mask:
    """Return an object of one plane; reads a box around it, however large the plane is.

    The box grows until the object no longer touches its sides. Parts of it further away are found
    only if they lie in `box`.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array
        (…, rows, columns) integers.
    label : int
        The object's number.
    plane : int or tuple of int
        Index of the axes in front of rows and columns.
    near : tuple of float, optional
        (y, x) of one of its pixels.
    box : tuple of int, optional
        (y0, x0, y1, x1) where it should be, half open, such as `ObjectRecord.box`.

    Returns
    -------
    Mask
        Empty, if the object is not there.

    Raises
    ------
    TypeError, ValueError
        If the labels have no such plane, or neither `near` nor `box` is given.
    """
    check_labels(labels)
    leading = parse_plane(plane, tuple(labels.shape[:-2]), f"labels of shape {labels.shape}")
    shape = (int(labels.shape[-2]), int(labels.shape[-1]))
    seen = clip_box(_start(near, box), shape)
    while True:
        is_object = np.asarray(labels[(*leading, *box_slices(seen))]) == label
        grown = clip_box(_grown(seen, is_object), shape)
        if grown == seen:
            return Mask.from_array(is_object, *seen[:2])
        seen = grown


def _start(near: tuple[float, float] | None, box: Box | None) -> Box:
    """Return the box to begin with."""
    if near is None:
        if box is None:
            raise ValueError("Neither near nor box is given; expected a pixel or the box of it.")
        return box
    row, column = (int(np.floor(place + 0.5)) for place in near)
    half = FIRST_SIDE // 2
    around = (row - half, column - half, row + half, column + half)
    if box is None:
        return around
    return (
        min(around[0], box[0]),
        min(around[1], box[1]),
        max(around[2], box[2]),
        max(around[3], box[3]),
    )


def _grown(box: Box, is_object: np.ndarray) -> Box:
    """Return a box that is larger wherever the object touches its side."""
    y0, x0, y1, x1 = box
    if not is_object.any():
        return box
    rows, columns = max(y1 - y0, FIRST_SIDE), max(x1 - x0, FIRST_SIDE)
    return (
        y0 - rows * bool(is_object[0].any()),
        x0 - columns * bool(is_object[:, 0].any()),
        y1 + rows * bool(is_object[-1].any()),
        x1 + columns * bool(is_object[:, -1].any()),
    )
