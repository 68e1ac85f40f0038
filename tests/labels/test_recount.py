"""What edits do to objects, counted from their pixels."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.labels.edit import Edit
from napari_sam.labels.recount import edited_parts


def random_edit(rng, plane, shape, corner):
    """Return an edit of up to three objects, to up to three, or to background."""
    y, x = corner
    region = (*plane, slice(y, y + shape[0]), slice(x, x + shape[1]))
    before = rng.integers(0, 4, shape).astype(np.uint16)
    after = rng.integers(0, 4, shape).astype(np.uint16) if rng.random() < 0.5 else 0
    return Edit(region, rng.random(shape) < 0.7, before, after)


def counted_pixel_by_pixel(edits):
    """Return the areas and boxes of labels on planes."""
    areas, boxes = {}, {}
    for edit in edits:
        *plane, rows, columns = edit.region
        after = np.broadcast_to(edit.after, edit.changed.shape)
        for i, j in np.argwhere(edit.changed).tolist():
            y, x = rows.start + i, columns.start + j
            for sign, held in ((-1, edit.before[i, j]), (1, after[i, j])):
                if held:
                    key = int(held), tuple(plane)
                    areas[key] = areas.get(key, 0) + sign
                    y0, x0, y1, x1 = boxes.get(key, (y, x, y + 1, x + 1))
                    boxes[key] = min(y0, y), min(x0, x), max(y1, y + 1), max(x1, x + 1)
    return areas, boxes


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("n_leading", [0, 1, 2])
def test_many_edits_are_counted_as_pixel_by_pixel(seed, n_leading):
    rng = np.random.default_rng(seed)
    edits = [
        random_edit(rng, (i,) * n_leading, rng.integers(0, 6, 2), rng.integers(0, 9, 2).tolist())
        for i in range(1 if n_leading == 0 else 5)
    ]
    parts = edited_parts(edits)
    keys = [(int(part["label"]), tuple(part["plane"].tolist())) for part in parts]
    areas, boxes = counted_pixel_by_pixel(edits)
    assert keys == sorted(areas)
    assert dict(zip(keys, parts["area"].tolist(), strict=True)) == areas
    assert dict(zip(keys, map(tuple, parts["box"].tolist()), strict=True)) == boxes
