"""A mask into a labels array."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from napari_sam.labels.array import LabelsArray, parse_writable
from napari_sam.labels.edit import Edit
from napari_sam.masks.mask import Mask, box_slices, clip_box

Overlap = Literal["keep", "replace", "erase"]
"""What happens to objects that are there already: keep them, replace them where the mask lies, or
erase: the mask is an eraser, and leaves background."""


def write_mask(
    labels: LabelsArray,
    mask: Mask,
    label: int,
    *,
    plane: int | tuple[int, ...] = (),
    overlap: Overlap = "keep",
) -> Edit:
    """Write one mask into a labels array; only the mask's box is read and written.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array
        (…, rows, columns) integers, changed in place.
    mask : Mask
        In pixels of the labels. What lies beyond their border is left out.
    label : int
        The object's number, from 1 to the largest that the dtype holds. Not used by ``"erase"``.
    plane : int or tuple of int
        Index of the axes in front of rows and columns.
    overlap : {"keep", "replace", "erase"}
        Write on background only; write on everything; make everything under the mask background.

    Returns
    -------
    Edit
        To count the changed pixels, which may be none, and to undo.

    Raises
    ------
    TypeError, ValueError
        If the labels cannot hold the mask: dask, not integers, read-only, no such plane, label out
        of range. Nothing is written.
    """
    edit = plan_mask(labels, mask, label, plane=plane, overlap=overlap)
    edit.write(labels)
    return edit


def plan_mask(
    labels: LabelsArray,
    mask: Mask,
    label: int,
    *,
    plane: int | tuple[int, ...] = (),
    overlap: Overlap = "keep",
) -> Edit:
    """Return what `write_mask` would change; reads the mask's box, and writes nothing.

    Raises
    ------
    TypeError, ValueError
        As `write_mask`.
    """
    leading = parse_writable(labels, plane)
    if not isinstance(mask, Mask):
        raise TypeError(
            "Expected a Mask, such as the best of what segment_object returns, or "
            f"Mask.from_array(array, y0, x0); found {type(mask).__name__}."
        )
    if overlap not in get_args(Overlap):
        raise ValueError(f"The overlap rule is {overlap!r}; expected keep, replace or erase.")
    after = 0 if overlap == "erase" else parse_label(labels, label)

    height, width = labels.shape[-2:]
    box = clip_box(mask.box, (height, width))
    region: tuple[int | slice, ...] = (*leading, *box_slices(box))
    inside = mask.crop(box)
    if inside.size == 0:
        return Edit(region, inside, np.zeros(inside.shape, labels.dtype), after)

    before = np.array(labels[region])
    changed = inside & (before == 0 if overlap == "keep" else before != after)
    return Edit(region, changed, before, after)


def parse_label(labels: LabelsArray, label: int) -> int:
    """Return `label` as an int that the labels can hold, or raise."""
    largest = int(np.iinfo(labels.dtype).max)
    if isinstance(label, bool | np.bool_) or not isinstance(label, int | np.integer):
        raise TypeError(f"The label is {label!r}; expected an integer.")
    if label < 1:
        raise ValueError(f"The label is {label}; expected at least 1, as 0 is the background.")
    if label > largest:
        raise ValueError(
            f"The label is {label}, but the labels are {labels.dtype} and hold at most {largest}; "
            "convert them to a wider type, such as uint32."
        )
    return int(label)
