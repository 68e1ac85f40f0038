"""Masks into one array of labels."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from napari_sam.masks.mask import box_slices
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.overlap import mask_part

OnTop = Literal["smaller", "first"]
"""Which of two masks gets the pixels that both have."""


def paint(
    table: MaskTable,
    rows: ArrayLike,
    box: tuple[int, int, int, int],
    *,
    on_top: OnTop = "smaller",
    labels: ArrayLike | None = None,
    dtype: DTypeLike = np.int32,
) -> NDArray[Any]:
    """Paint masks into one region of their plane; what lies outside is left out.

    A pixel holds one label. With ``"smaller"`` it goes to the smallest mask there, and of equal
    areas to the first: an object inside a larger one stays in sight, and the larger one gets a hole
    there. With ``"first"`` it goes to the first mask, so an object inside a better one vanishes.
    Which masks win does not depend on the region, so regions fit together.

    Parameters
    ----------
    table : MaskTable
        The masks.
    rows : (K,) int array
        Which ones, from the best on.
    box : tuple of int
        (y0, x0, y1, x1) in level-0 pixels, half open: the region.
    on_top : {"smaller", "first"}
        Which mask wins.
    labels : (K,) int array, optional
        Number of each row. Default: 1, 2, …
    dtype : dtype
        Of the region; wide enough for the numbers.

    Returns
    -------
    (y1 - y0, x1 - x0) array
        0 is the background.
    """
    if on_top not in get_args(OnTop):
        raise ValueError(f"The mask on top is {on_top!r}; expected smaller or first.")
    chosen = np.asarray(rows, np.int64)
    numbers = np.arange(1, len(chosen) + 1) if labels is None else np.asarray(labels)
    if len(numbers) != len(chosen):
        raise ValueError(f"There are {len(chosen)} rows and {len(numbers)} labels.")
    y0, x0, y1, x1 = box
    region = np.zeros((y1 - y0, x1 - x0), dtype)
    low = np.maximum(table.boxes[chosen, :2], (y0, x0))
    high = np.minimum(table.boxes[chosen, 2:], (y1, x1))
    areas = table.areas[chosen] if on_top == "smaller" else np.zeros(len(chosen))
    from_bottom = np.lexsort((np.arange(len(chosen)), areas))[::-1]
    for i in from_bottom[np.all(low < high, axis=1)[from_bottom]].tolist():
        shared = (*low[i].tolist(), *high[i].tolist())
        part = region[box_slices((shared[0] - y0, shared[1] - x0, shared[2] - y0, shared[3] - x0))]
        part[mask_part(table, int(chosen[i]), shared)] = numbers[i]
    return region
