"""Masks drawn smaller, for a picture of many of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from napari_sam.masks.mask import Mask
from napari_sam.masks.mask_table import MaskTable


def thinned(table: MaskTable, thinning: int) -> MaskTable:
    """Return masks drawn with every so many rows and columns; each keeps a pixel at least.

    Areas stay those of the table, so that the same masks lie on top.
    """
    if thinning == 1:
        return table
    first = thinning // 2

    def draw(row: int) -> Mask:
        y0, x0, y1, x1 = table.boxes[row].tolist()
        top, left, bottom, right = (-(-(edge - first) // thinning) for edge in (y0, x0, y1, x1))
        if top == bottom or left == right:
            y, x = y0 // thinning, x0 // thinning
            return Mask((y, x, y + 1, x + 1), np.ones((1, 1), bool))
        rows = slice(top * thinning + first - y0, None, thinning)
        columns = slice(left * thinning + first - x0, None, thinning)
        return Mask((top, left, bottom, right), table.array(row)[rows, columns])

    small = MaskTable.of(map(draw, range(len(table))), points=table.points)
    return replace(small, areas=table.areas)


def longest_side(table: MaskTable) -> int:
    """Return the longer side of the box around all masks."""
    if not len(table):
        return 0
    sides = table.boxes[:, 2:].max(axis=0) - table.boxes[:, :2].min(axis=0)
    return int(sides.max())
