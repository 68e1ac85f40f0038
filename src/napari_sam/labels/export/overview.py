"""A picture of a plane with the outlines of its objects."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.image import Image
from napari_sam.image.plane import parse_plane
from napari_sam.image.window import Window
from napari_sam.labels.array import LabelsArray
from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.export.new_file import new_file
from napari_sam.labels.export.objects import check_same_shape
from napari_sam.labels.pyramid import LabelsPyramid
from napari_sam.masks.mask import box_slices

MAX_SIDE = 2048
"""Longest side of the picture in pixels."""

MIN_STEP = 0.5
"""Small images are magnified twice."""

GOLDEN_RATIO = (math.sqrt(5) - 1) / 2
"""Hues so far apart from one label to the next differ as much as they can."""


def write_overview(
    labels: LabelsArray | LabelsPyramid,
    path: str | os.PathLike[str],
    *,
    image: Image | None = None,
    plane: int | tuple[int, ...] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a PNG of a plane, with an outline of each object in a color of its own.

    A large plane is shown at a coarser level, up to `MAX_SIDE` pixels; memory stays at that.

    Parameters
    ----------
    labels : numpy.ndarray, zarr.Array or LabelsPyramid
        (…, rows, columns) integers. Of a pyramid the level that fits is read.
    path : path
        The file.
    image : Image, optional
        Of the same shape, to draw on. Default: black.
    plane : int or tuple of int, optional
        Index of the axes in front of rows and columns. Default: the one in the middle.
    overwrite : bool
        Whether the file may be there already.

    Returns
    -------
    pathlib.Path
        The file.
    """
    from PIL import Image as Picture  # slow to import, which a window would wait for

    described = LabelImage.of(labels)
    leading = tuple(described.data.shape[:-2])
    if image is not None:
        check_same_shape(described, image)
    middle = tuple(n // 2 for n in leading)
    index = parse_plane(middle if plane is None else plane, leading, "the labels")
    step = max(MIN_STEP, 2.0 ** math.ceil(math.log2(max(described.shape_yx) / MAX_SIDE)))
    drawn = draw_outlines(
        _background(described, image, index, step), read_coarse(described, index, step)
    )
    target = Path(path)
    with new_file(target, overwrite=overwrite) as unfinished:
        Picture.fromarray(drawn).save(unfinished, format="png")
    return target


def draw_outlines(picture: NDArray[np.uint8], labels: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Draw the outlines of labels (h, w), one of their pixels wide, inside the objects.

    Parameters
    ----------
    picture : (n h, n w, 3) uint8 array
        Drawn into; magnified n times.
    """
    from skimage.color import hsv2rgb  # slow to import, which a window would wait for
    from skimage.segmentation import find_boundaries

    outlines = np.where(find_boundaries(labels, connectivity=2, mode="inner"), labels, 0)
    n = len(picture) // len(labels)
    outlines = outlines.repeat(n, axis=0).repeat(n, axis=1)
    is_outline = outlines != 0
    hues = outlines[is_outline] * GOLDEN_RATIO % 1
    colors = hsv2rgb(np.stack([hues, np.full_like(hues, 0.8), np.ones_like(hues)], axis=-1))
    picture[is_outline] = np.round(255 * colors)
    return picture


def read_coarse(labels: LabelImage, plane: tuple[int, ...], step: float) -> NDArray[np.integer]:
    """Return one label for each `step` pixels of a plane (each pixel if below 1), block by block.

    Of a pyramid the coarsest level that is fine enough is read.
    """
    number = min(max(int(math.log2(step)), 0), len(labels.levels) - 1)
    stride = max(1, int(step / 2**number))
    level = replace(labels, levels=labels.levels[number:])
    rows, columns = (
        np.minimum(np.arange(0, n, stride) + stride // 2, n - 1) for n in level.shape_yx
    )
    coarse = np.zeros((len(rows), len(columns)), level.data.dtype)
    for block in level.blocks(plane):
        first, last = np.searchsorted(rows, block[::2])
        left, right = np.searchsorted(columns, block[1::2])
        array = np.asarray(level.data[(*plane, *box_slices(block))])
        inside = np.ix_(rows[first:last] - block[0], columns[left:right] - block[1])
        coarse[first:last, left:right] = array[inside]
    return coarse


def _background(
    labels: LabelImage, image: Image | None, plane: tuple[int, ...], step: float
) -> NDArray[np.uint8]:
    """Return the image in gray or color, (h, w, 3)."""
    height, width = (math.ceil(n / step) for n in labels.shape_yx)
    if image is None:
        return np.zeros((height, width, 3), np.uint8)
    samples = image.read(Window(0, 0, max(height, width), step, plane))
    gray_or_color = np.broadcast_to(samples, (3, *samples.shape[1:])).transpose(1, 2, 0)
    return np.round(255 * gray_or_color).astype(np.uint8)
