"""The labels of a region, from what tasks found: always the same, whoever paints it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.paint import paint
from napari_sam.segment.join import PlaneObjects
from napari_sam.segment.match import load_table
from napari_sam.segment.run import Box, Plane, Run


def paint_region(run: Run, plane: Plane, box: Box) -> NDArray[np.int32]:
    """Paint the objects of a plane into one region of it.

    A pixel goes to the smallest object there, so that what lies inside a larger one stays in sight;
    of equal areas, to that with the higher score, and then to the first. Pixels of objects that are
    kept are left free. In memory are the objects in the region, packed.

    Returns
    -------
    (h, w) int32 array
        Numbers of the plane's objects, 0 for the background.
    """
    objects = PlaneObjects.load(run.folder, plane)
    tables, numbers = [MaskTable.of()], [np.zeros(0, np.int64)]
    for i in np.flatnonzero(_meet(run, objects.tiles, box)).tolist():
        own = objects.numbers[objects.starts[i] : objects.starts[i + 1]]
        if own.any():
            table = load_table(run, (*plane, *objects.tiles[i].tolist()))
            is_here = (table.boxes[:, :2] < box[2:]) & (table.boxes[:, 2:] > box[:2])
            chosen = np.flatnonzero(is_here.all(axis=1) & (own > 0))
            tables.append(table.select(chosen))
            numbers.append(own[chosen])
    here = np.concatenate(numbers)
    areas = objects.areas[here - 1]
    table = replace(MaskTable.concatenate(tables), areas=areas)
    best_first = np.lexsort((here, -objects.scores[here - 1]))
    painted = paint(table, best_first, box, labels=here[best_first])
    if (kept := run.kept(plane, box)) is not None:
        painted[kept != 0] = 0
    return painted


def _meet(run: Run, tiles: NDArray[np.int64], box: Box) -> NDArray[np.bool_]:
    """Return which of (T, 2) tiles have a window that meets a box."""
    meets = np.ones(len(tiles), bool)
    for axis in (0, 1):
        for k in np.unique(tiles[:, axis]).tolist():
            extent = run.grid.window(*((k, 0) if axis == 0 else (0, k))).extent
            if extent[axis] >= box[axis + 2] or extent[axis + 2] <= box[axis]:
                meets[tiles[:, axis] == k] = False
    return meets
