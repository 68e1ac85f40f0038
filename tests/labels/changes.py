"""Changes to try journals with."""

from __future__ import annotations

import numpy as np

from napari_sam.labels.change import Change
from napari_sam.labels.objects import ObjectRecord
from napari_sam.labels.record_json import record_to_json
from napari_sam.labels.write import plan_mask
from napari_sam.masks import Mask
from napari_sam.prompts import Prompts


def commit(labels, label, *, y=0, x=0, side=10, plane=(), overlap="keep"):
    """Return the change that makes a square with a corner cut off an object."""
    mask = Mask.from_array(np.tri(side, side, side // 2, dtype=bool), y, x, predicted_iou=0.9)
    edit = plan_mask(labels, mask, label, plane=plane, overlap=overlap)
    prompts = Prompts([[y + 0.5, x], [y + 9, x + 9]], [1, 0], (y, x, y + 9, x + 9))
    return Change(
        put=(ObjectRecord.of(mask, label, plane, prompts=prompts, model="nano"),), edits=(edit,)
    )


def together(*changes):
    """Return several changes as one."""
    drop, put, edits = (
        tuple(one for change in changes for one in getattr(change, name))
        for name in ("drop", "put", "edits")
    )
    return Change(drop, put, edits)


def content(table):
    """Return what a table says, to compare."""
    return sorted(
        (record_to_json(record) for record in table), key=lambda r: (r["plane"], r["label"])
    )
