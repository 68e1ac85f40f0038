"""Objects as a table: a row for each, made of what it has on its planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.parts import Parts

Rows = NDArray[np.void]
"""(N,) structured array of `row_dtype`, ascending by label."""

LEAST_AT_SEAM = 4
"""So many more objects than usual, and as many standard deviations, end there by no accident."""

Seams = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns at which objects have been cut."""


def row_dtype(n_leading: int) -> np.dtype[np.void]:
    """Return the type of a row in labels with so many axes in front of rows and columns.

    Fields
    ------
    label, n_planes : int64
        Number in the labels; on how many planes it is.
    first, last : (n_leading,) int64
        Lowest and highest index of its planes along each axis.
    plane : (n_leading,) int64
        Where to look at it: where the model was least sure, or else where it is largest.
    n_missing, missing : int64
        Planes between its first and last that it is not on, along the last of the axes; the first
        of them, or -1.
    box : (4,) int64
        (y0, x0, y1, x1) around it on all planes.
    area : int64
        Pixels on all planes.
    filled : float64
        Share of its box that it fills, where that is least.
    predicted_iou, stability_score : float64
        The lowest; NaN if unknown.
    is_at_border, is_at_seam : bool
        Whether it touches the border of the image, or ends where many objects do.
    is_reviewed : bool
        Whether somebody has accepted all of it.
    """
    integers = [(name, np.int64) for name in ("label", "n_planes", "area", "n_missing", "missing")]
    planes = [(name, np.int64, (n_leading,)) for name in ("first", "last", "plane")]
    floats = [(name, np.float64) for name in ("filled", "predicted_iou", "stability_score")]
    flags = [(name, np.bool_) for name in ("is_at_border", "is_at_seam", "is_reviewed")]
    return np.dtype([*integers, *planes, ("box", np.int64, (4,)), *floats, *flags])


def object_rows(parts: Parts, shape: tuple[int, ...], seams: Seams | None = None) -> Rows:
    """Return a row for each object.

    Parameters
    ----------
    parts : structured array
        Ascending by label and plane, see `part_dtype`.
    shape : tuple of int
        Of the labels.
    seams : (array, array), optional
        As `find_seams` gives them.
    """
    labels, starts = np.unique(parts["label"], return_index=True)
    rows = np.zeros(len(labels), row_dtype(len(shape) - 2))
    if not len(parts):
        return rows
    rows["label"] = labels
    rows["n_planes"] = np.diff(np.append(starts, len(parts)))
    rows["first"] = np.minimum.reduceat(parts["plane"], starts)
    rows["last"] = np.maximum.reduceat(parts["plane"], starts)
    rows["plane"] = parts["plane"][_where_to_look(parts, starts)]
    rows["n_missing"], rows["missing"] = _missing(parts, starts)
    rows["box"][:, :2] = np.minimum.reduceat(parts["box"][:, :2], starts)
    rows["box"][:, 2:] = np.maximum.reduceat(parts["box"][:, 2:], starts)
    rows["area"] = np.add.reduceat(parts["area"], starts)
    sides = parts["box"][:, 2:] - parts["box"][:, :2]
    filled = parts["area"] / np.maximum(sides.prod(axis=1), 1)
    rows["filled"] = np.minimum.reduceat(filled, starts)
    for score in ("predicted_iou", "stability_score"):
        rows[score] = np.fmin.reduceat(parts[score], starts)
    rows["is_at_border"] = np.logical_or.reduceat(_at_border(parts["box"], shape[-2:]), starts)
    rows["is_at_seam"] = np.logical_or.reduceat(_at_seam(parts["box"], seams), starts)
    rows["is_reviewed"] = np.logical_and.reduceat(parts["is_reviewed"], starts)
    return rows


def find_seams(parts: Parts, shape: tuple[int, ...]) -> Seams:
    """Return the rows and columns at which objects have been cut, as tiles segmented apart do.

    There, far more boxes end than elsewhere, and as many begin: more than the mean over the
    positions by `LEAST_AT_SEAM` and as many standard deviations of a Poisson distribution. Objects
    that are only in line do not both end and begin. The border of the image is no seam.
    """
    rows, columns = (_find_seams_along(parts["box"], axis, shape[axis - 2]) for axis in (0, 1))
    return rows, columns


def _find_seams_along(boxes: NDArray[np.int64], axis: int, length: int) -> NDArray[np.intp]:
    begin, end = (np.bincount(boxes[:, axis + i], minlength=length + 1) for i in (0, 2))
    mean = len(boxes) / max(length, 1)
    n_least = mean + LEAST_AT_SEAM * (1 + np.sqrt(mean))
    return 1 + np.flatnonzero(np.minimum(begin, end)[1:length] > n_least)


def _where_to_look(parts: Parts, starts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return for each object its part of the lowest predicted IoU, or the largest, if unknown."""
    iou = np.nan_to_num(parts["predicted_iou"], nan=np.inf)
    order: NDArray[np.intp] = np.lexsort((-parts["area"], iou, parts["label"]))
    return order[starts]


def _missing(parts: Parts, starts: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return for each object how many planes it skips, and the first of them or -1."""
    n_missing, first = np.zeros(len(parts), np.int64), np.full(len(parts), np.iinfo(np.int64).max)
    planes = parts["plane"]
    if planes.shape[1] and len(parts) > 1:
        is_next = parts["label"][1:] == parts["label"][:-1]
        is_next &= (planes[1:, :-1] == planes[:-1, :-1]).all(axis=1)
        skipped = np.where(is_next, planes[1:, -1] - planes[:-1, -1] - 1, 0)
        n_missing[1:] = skipped
        first[1:] = np.where(skipped > 0, planes[:-1, -1] + 1, first[1:])
    total = np.add.reduceat(n_missing, starts)
    return total, np.where(total > 0, np.minimum.reduceat(first, starts), -1)


def _at_border(boxes: NDArray[np.int64], shape_yx: tuple[int, ...]) -> NDArray[np.bool_]:
    touches: NDArray[np.bool_] = (boxes[:, :2] <= 0) | (boxes[:, 2:] >= shape_yx)
    return np.logical_or(touches[:, 0], touches[:, 1])


def _at_seam(boxes: NDArray[np.int64], seams: Seams | None) -> NDArray[np.bool_]:
    at = np.zeros(len(boxes), bool)
    for axis, there in enumerate(seams or ()):
        at |= np.isin(boxes[:, axis], there) | np.isin(boxes[:, axis + 2], there)
    return at
