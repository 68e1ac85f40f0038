"""What a change of pixels does to objects that have been counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.edit import Edit
from napari_sam.labels.found import find_in_block
from napari_sam.labels.parts import Parts, as_parts, sum_parts
from napari_sam.masks.mask import box_slices


def edited_parts(edits: Iterable[Edit]) -> Parts:
    """Return for each object that edits, one at least, touch how many pixels it gets, and where.

    Areas are negative where an object loses more than it gets.
    """
    parts = []
    for edit in edits:
        plane, corner = _place(edit)
        for sign, held in ((-1, edit.before), (1, edit.after)):
            found = find_in_block(np.where(edit.changed, held, 0), corner)
            parts.append(as_parts(replace(found, areas=sign * found.areas), plane))
    return sum_parts(parts)


def read_parts(parts: Parts, labels: LabelsArray) -> Parts:
    """Count objects anew, each in its box; those that are not there any more are left out."""
    found = [parts[:0]]
    for part in parts:
        label, plane, box = part["label"], tuple(part["plane"].tolist()), part["box"].tolist()
        block = np.asarray(labels[(*plane, *box_slices(box))])
        here = find_in_block(np.where(block == label, block, 0), (box[0], box[1]))
        found.append(as_parts(here, plane))
    return np.concatenate(found)


def _place(edit: Edit) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Return the plane of an edit, and its first row and column."""
    starts = [axis.start if isinstance(axis, slice) else axis for axis in edit.region]
    *plane, row, column = (int(start) for start in starts)
    return tuple(plane), (row, column)
