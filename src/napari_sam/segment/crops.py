"""The overlapping crops in which SAM's automatic mask generator looks for smaller objects."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Box = tuple[int, int, int, int]

NEAR = 20
"""Pixels from a cut within which a mask counts as cut."""


class Crop(NamedTuple):
    """A part of an image that is looked at by itself.

    Attributes
    ----------
    box : tuple of int
        (y0, x0, y1, x1) in pixels, half open.
    layer : int
        0 for the whole image; a layer i has 2^i crops along each side.
    """

    box: Box
    layer: int


def make_crops(shape_yx: tuple[int, int], n_layers: int, overlap_ratio: float) -> list[Crop]:
    """Return the whole image and the crops of `n_layers` more layers, from left to right.

    Parameters
    ----------
    shape_yx : tuple of int
        Of the image.
    n_layers : int
        Without the whole image.
    overlap_ratio : float
        Overlap of neighbors in the first of them, in short sides of the image; half of it in the
        next, and so on.
    """
    height, width = shape_yx
    crops = [Crop((0, 0, height, width), 0)]
    for layer in range(1, n_layers + 1):
        n_per_side = 2**layer
        overlap = int(overlap_ratio * min(shape_yx) * (2 / n_per_side))
        sides = [ceil((overlap * (n_per_side - 1) + side) / n_per_side) for side in shape_yx]
        for k_x in range(n_per_side):
            for k_y in range(n_per_side):
                y0, x0 = k_y * (sides[0] - overlap), k_x * (sides[1] - overlap)
                box = (y0, x0, min(y0 + sides[0], height), min(x0 + sides[1], width))
                crops.append(Crop(box, layer))
    return crops


def is_cut(boxes: NDArray[np.int32], crop: Box, shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which masks the sides of a crop cut, where the image goes on.

    Parameters
    ----------
    boxes : (N, 4) int array
        Of masks, in pixels of the crop, half open.
    crop : tuple of int
        In pixels of the image.
    shape_yx : tuple of int
        Of the image.
    """
    last = boxes + (np.tile(crop[:2], 2) - [0, 0, 1, 1])  # up to and with the last pixel
    is_near_crop = np.abs(last - np.array(crop)) <= NEAR
    is_near_image = np.abs(last - np.array([0, 0, *shape_yx])) <= NEAR
    return (is_near_crop & ~is_near_image).any(axis=1)
