"""Many masks into a labels array at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.plane import parse_plane
from napari_sam.labels.array import LabelsArray, parse_writable
from napari_sam.labels.edit import Edit
from napari_sam.labels.write import parse_label
from napari_sam.masks.mask import box_slices, clip_box
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.overlap import mask_part
from napari_sam.masks.paint import paint

MAX_KEPT = 0.5
"""A mask of which more than this part lies on objects that are there already is one of them."""


def new_rows(
    labels: LabelsArray, table: MaskTable, *, plane: int | tuple[int, ...] = ()
) -> NDArray[np.int64]:
    """Return the masks that are not yet in labels, in the order of the table.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array
        (…, rows, columns) integers, objects where they are above 0. Only the box around all masks
        is read.
    table : MaskTable
        In pixels of the labels.
    plane : int or tuple of int
        Index of the axes in front of rows and columns.

    Returns
    -------
    (K,) int64 array
        Rows of which at most half (`MAX_KEPT`) lies on other objects.
    """
    box = _hull(table, labels)
    leading = parse_plane(plane, tuple(labels.shape[:-2]), f"labels of shape {labels.shape}")
    is_kept = np.asarray(labels[(*leading, *box_slices(box))]) > 0
    if not is_kept.any():
        return np.arange(len(table))
    rows = [row for row in range(len(table)) if _kept_share(table, row, is_kept, box) <= MAX_KEPT]
    return np.array(rows, np.int64)


def write_table(
    labels: LabelsArray, table: MaskTable, label: int, *, plane: int | tuple[int, ...] = ()
) -> Edit:
    """Write masks into the background of labels; only the box around all of them is touched.

    Where several masks overlap, the smallest lies on top.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array
        (…, rows, columns) integers, changed in place.
    table : MaskTable
        In pixels of the labels. What lies beyond their border is left out.
    label : int
        The number of the first row; the others follow.
    plane : int or tuple of int
        Index of the axes in front of rows and columns.

    Returns
    -------
    Edit
        One for all, to undo them together.

    Raises
    ------
    TypeError, ValueError
        If the labels cannot hold the masks, see `write_mask`. Nothing is written.
    """
    edit = plan_table(labels, table, label, plane=plane)
    edit.write(labels)
    return edit


def plan_table(
    labels: LabelsArray, table: MaskTable, label: int, *, plane: int | tuple[int, ...] = ()
) -> Edit:
    """Return what `write_table` would change; writes nothing.

    Raises
    ------
    TypeError, ValueError
        As `write_table`.
    """
    leading = parse_writable(labels, plane)
    if len(table):
        parse_label(labels, label + len(table) - 1)
    box = _hull(table, labels)
    region: tuple[int | slice, ...] = (*leading, *box_slices(box))
    before = np.array(labels[region])
    rows = np.arange(len(table))
    after = paint(table, rows, box, labels=rows + label, dtype=before.dtype)
    np.copyto(after, before, where=before != 0)
    return Edit(region, after != before, before, after)


def _hull(table: MaskTable, labels: LabelsArray) -> tuple[int, int, int, int]:
    """Return the part of the labels in which all masks lie."""
    if not len(table):
        return 0, 0, 0, 0
    (y0, x0), (y1, x1) = table.boxes[:, :2].min(axis=0), table.boxes[:, 2:].max(axis=0)
    return clip_box((int(y0), int(x0), int(y1), int(x1)), (labels.shape[-2], labels.shape[-1]))


def _kept_share(
    table: MaskTable, row: int, is_kept: NDArray[np.bool_], box: tuple[int, int, int, int]
) -> float:
    """Return which part of a mask lies on other objects; `is_kept` covers the box."""
    y0, x0, y1, x1 = table.boxes[row].tolist()
    y0, x0, y1, x1 = max(y0, box[0]), max(x0, box[1]), min(y1, box[2]), min(x1, box[3])
    if y0 >= y1 or x0 >= x1:
        return 0.0
    kept = is_kept[y0 - box[0] : y1 - box[0], x0 - box[1] : x1 - box[1]]
    if not kept.any():
        return 0.0
    on_kept = np.count_nonzero(kept & mask_part(table, row, (y0, x0, y1, x1)))
    return float(on_kept / table.areas[row])
