"""What a change of pixels does to objects that have been counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.edit import Edit, joined
from napari_sam.labels.found import find_in_block, find_runs
from napari_sam.labels.parts import Parts, as_parts, sum_parts
from napari_sam.masks.mask import box_slices


def edited_parts(edits: Iterable[Edit]) -> Parts:
    """Return for each object that edits, one at least, touch how many pixels it gets, and where.

    Areas are negative where an object loses more than it gets.
    """
    edits = list(edits)
    places = list(map(_place, edits))
    planes = np.array([plane for plane, _ in places], np.int64)
    blocks = [edit.changed.shape for edit in edits], [corner for _, corner in places]
    parts = []
    for sign, side in ((-1, "before"), (1, "after")):
        where, runs = find_runs(_changed_pixels(edits, side), *blocks)
        parts.append(as_parts(replace(runs, areas=sign * runs.areas), planes[where]))
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


def _changed_pixels(edits: Sequence[Edit], side: str) -> NDArray[np.integer]:
    """Return what edits change from, or to, pixel by pixel; 0 where they change nothing."""
    return joined([np.where(edit.changed, getattr(edit, side), 0).ravel() for edit in edits])


def _place(edit: Edit) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Return the plane of an edit, and its first row and column."""
    starts = [axis.start if isinstance(axis, slice) else axis for axis in edit.region]
    *plane, row, column = (int(start) for start in starts)
    return tuple(plane), (row, column)
