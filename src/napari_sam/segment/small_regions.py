"""Without the specks and pinholes that networks leave in masks."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from napari_sam.masks.mask import Mask, clip_box


def remove_small_regions(mask: Mask, min_area: int, shape_yx: tuple[int, int]) -> Mask:
    """Fill small holes, then remove small islands; corners connect both.

    Parameters
    ----------
    mask : Mask
        Not empty.
    min_area : int
        Holes and islands of fewer pixels go. If all of the mask is small, the largest part stays.
    shape_yx : tuple of int
        Of the plane, whose rest is a hole if it is that small.

    Returns
    -------
    Mask
        The same object if nothing had to be changed.
    """
    y0, x0, y1, x1 = mask.box
    # With so much margin, what reaches its edge is not small.
    dy, dx = ceil(min_area / (x1 - x0)), ceil(min_area / (y1 - y0))
    top, left, bottom, right = clip_box((y0 - dy, x0 - dx, y1 + dy, x1 + dx), shape_yx)
    array = np.pad(mask.array, ((y0 - top, bottom - y1), (x0 - left, right - x1)))
    holes = small_parts(~array, min_area)
    filled = array | holes
    islands = small_parts(filled, min_area)
    if not holes.any() and not islands.any():
        return mask
    kept = filled & ~islands
    if not kept.any():
        kept = largest_part(filled)
    clean = Mask.from_array(kept, top, left)
    return replace(mask, box=clean.box, array=clean.array, logits=None)


def small_parts(array: NDArray[np.bool_], min_area: int) -> NDArray[np.bool_]:
    """Return the connected parts of fewer than `min_area` pixels."""
    parts = label(array, connectivity=2)
    is_small = np.bincount(parts.ravel()) < min_area
    is_small[0] = False
    return is_small[parts]


def largest_part(array: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected part, the first of several."""
    parts = label(array, connectivity=2)
    return parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
