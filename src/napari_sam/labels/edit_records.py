"""What an edit has written of masks: the pixels that are there, and the records of the objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from napari_sam.labels.edit import Edit
from napari_sam.labels.objects import NO_PROMPTS, ObjectRecord
from napari_sam.labels.patch import run_lengths
from napari_sam.masks import Mask
from napari_sam.masks.mask_table import MaskTable


def written_mask(edit: Edit, label: int, mask: Mask) -> Mask:
    """Return the pixels that hold an object after an edit, with the scores of its mask."""
    *_, rows, columns = edit.region
    written = type(mask).from_array(edit.filled() == label, rows.start, columns.start)  # type: ignore[union-attr]
    return replace(mask, box=written.box, array=written.array)


def iter_records(
    edit: Edit, table: MaskTable, first: int, plane: tuple[int, ...], model: str
) -> Iterator[ObjectRecord]:
    """Yield the records of masks, as far as an edit writes them with ids from `first` on."""
    written, lengths = run_lengths(edit.filled()[edit.changed])
    areas = np.zeros(len(table), np.int64)
    np.add.at(areas, written.astype(np.int64) - first, lengths)
    *_, rows, columns = edit.region
    low, high = np.array([[axis.start, axis.stop] for axis in (rows, columns)]).T  # type: ignore[union-attr]
    boxes = np.clip(table.boxes, [*low, *low], [*high, *high])
    known = (boxes, areas, table.predicted_iou, table.stability)
    found = zip(*(column.tolist() for column in known), strict=True)
    for label, ((y0, x0, y1, x1), area, iou, stability) in enumerate(found, first):
        if area:
            box = (y0, x0, y1, x1)
            yield ObjectRecord(label, plane, box, area, NO_PROMPTS, 0, model, iou, stability)
