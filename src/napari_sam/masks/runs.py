"""Masks as short text, to stand in a script: a box, and the runs in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import nan

import numpy as np
from numpy.typing import NDArray

from napari_sam.masks.mask import Mask
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.run_length import compress, encode, rle_to_mask

Box = tuple[int, int, int, int]


def to_runs(array: NDArray[np.bool_]) -> str:
    """Return a boolean array (h, w) as COCO's compressed runs, column by column."""
    height, width = array.shape
    return compress(encode(Mask((0, 0, height, width), array), (height, width)))


def from_runs(box: Box, runs: str) -> NDArray[np.bool_]:
    """Return the array that `to_runs` made text of; it fills a box (y0, x0, y1, x1), half open.

    Raises
    ------
    ValueError
        If it does not.
    """
    y0, x0, y1, x1 = box
    shape = (y1 - y0, x1 - x0)
    return rle_to_mask({"size": shape, "counts": runs}).to_array(shape)


def iter_rows(table: MaskTable) -> Iterator[tuple[Box, str, float, float]]:
    """Yield box, runs, predicted IoU and stability of each mask."""
    for mask in table:
        yield mask.box, to_runs(mask.array), mask.predicted_iou, mask.stability_score


def masks_from_rows(rows: Iterable[tuple[Box, str] | tuple[Box, str, float, float]]) -> MaskTable:
    """Return the table that `iter_rows` yields the rows of; without scores, they are unknown.

    Raises
    ------
    ValueError
        If runs do not fill their box.
    """

    def mask(box: Box, runs: str, predicted_iou: float = nan, stability: float = nan) -> Mask:
        return Mask(box, from_runs(box, runs), predicted_iou, stability)

    return MaskTable.of(mask(*row) for row in rows)
