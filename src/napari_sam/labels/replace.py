"""Changing and removing one object that is in labels already."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_sam.labels.array import LabelsArray, parse_writable
from napari_sam.labels.edit import Edit
from napari_sam.labels.write import Overlap, parse_label
from napari_sam.masks.mask import Mask, box_slices, clip_box


def plan_replacement(
    labels: LabelsArray,
    old: Mask,
    new: Mask,
    label: int,
    *,
    plane: int | tuple[int, ...] = (),
    overlap: Overlap = "keep",
) -> Edit:
    """Return the change that gives an object other pixels, as if it had been made so at first.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array
        (…, rows, columns) integers. Only the box around both masks is read; nothing is written.
    old : Mask
        Where the object is; its pixels that do not hold `label` are left alone.
    new : Mask
        Where it is to be; what lies beyond the border is left out.
    label : int
        Its number.
    plane : int or tuple of int
        Index of the axes in front of rows and columns.
    overlap : {"keep", "replace", "erase"}
        What happens to other objects under the new mask, as in `write_mask`; "erase" makes all
        under it background, the object too.

    Raises
    ------
    TypeError, ValueError
        If the labels cannot hold the mask.
    """
    leading = parse_writable(labels, plane)
    number = parse_label(labels, label)
    box = clip_box(_around(old, new), (labels.shape[-2], labels.shape[-1]))
    region: tuple[int | slice, ...] = (*leading, *box_slices(box))
    before = np.array(labels[region])
    after = before.copy()
    after[_inside(old, box) & (before == number)] = 0
    inside = _inside(new, box)
    after[inside & (after == 0) if overlap == "keep" else inside] = (
        0 if overlap == "erase" else number
    )
    return Edit(region, before != after, before, after)


def plan_removal(
    labels: LabelsArray, mask: Mask, label: int, *, plane: int | tuple[int, ...] = ()
) -> Edit:
    """Return the change that makes an object background; see `plan_replacement`."""
    leading = parse_writable(labels, plane)
    number = parse_label(labels, label)
    box = clip_box(mask.box, (labels.shape[-2], labels.shape[-1]))
    region: tuple[int | slice, ...] = (*leading, *box_slices(box))
    before = np.array(labels[region])
    return Edit(region, mask.crop(box) & (before == number), before, 0)


def _around(old: Mask, new: Mask) -> tuple[int, int, int, int]:
    boxes = np.array([mask.box for mask in (old, new) if mask.area])
    if not len(boxes):
        return old.box
    y0, x0 = boxes[:, :2].min(axis=0).tolist()
    y1, x1 = boxes[:, 2:].max(axis=0).tolist()
    return y0, x0, y1, x1


def _inside(mask: Mask, box: tuple[int, int, int, int]) -> Any:
    """Return the pixels of a mask in a box."""
    shape = (box[2] - box[0], box[3] - box[1])
    y0, x0, y1, x1 = mask.box
    return Mask((y0 - box[0], x0 - box[1], y1 - box[0], x1 - box[1]), mask.array).to_array(shape)
