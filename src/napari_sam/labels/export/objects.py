"""The objects of a labels array, one after the other, however many blocks they reach over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.image import Image
from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.found import PlaneObjects, find_in_block, join_found
from napari_sam.masks.mask import Mask, box_slices

BAND_PIXELS = 1 << 22
"""Labels read at a time of an object that reaches beyond a block."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class LabeledObject:
    """One object in one plane.

    Attributes
    ----------
    label : int
        Its number.
    plane : tuple of int
        Index of the axes in front of rows and columns.
    mask : Mask
        Its pixels.
    pixels : (C, h, w) array or None
        The raw image in the mask's box.
    """

    label: int
    plane: tuple[int, ...]
    mask: Mask
    pixels: NDArray[np.number] | None = field(default=None, repr=False)


def iter_objects(labels: LabelImage, image: Image | None = None) -> Iterator[LabeledObject]:
    """Yield each object of each plane once, whole; memory stays at a block and an object.

    Labels above 0 are objects. Planes are read twice: first where the objects are, then the objects
    block by block, those that reach beyond a block by themselves.

    Parameters
    ----------
    labels : LabelImage
        The labels.
    image : Image, optional
        Of the same shape; its raw pixels come along.

    Raises
    ------
    ValueError
        If the image has another shape.
    """
    if image is not None:
        check_same_shape(labels, image)
    for plane in labels.planes():
        found = find_in_plane(labels, plane)
        for block in labels.blocks(plane):
            yield from _iter_block(labels, plane, block, found, image)


def find_in_plane(labels: LabelImage, plane: tuple[int, ...]) -> PlaneObjects:
    """Return where the objects of one plane are, reading each stored block once."""
    return join_found(
        [
            find_in_block(np.asarray(labels.data[(*plane, *box_slices(block))]), block[:2])
            for block in labels.blocks(plane)
        ]
    )


def check_same_shape(labels: LabelImage, image: Image) -> None:
    """Refuse an image that the labels do not lie on, pixel by pixel."""
    expected = (*image.plane_shape, *image.shape_yx)
    if tuple(labels.data.shape) != expected:
        raise ValueError(
            f"The labels have shape {tuple(labels.data.shape)}, and the image {expected} apart "
            f"from its channels; expected the same."
        )


def _iter_block(
    labels: LabelImage,
    plane: tuple[int, ...],
    block: Box,
    found: PlaneObjects,
    image: Image | None,
) -> Iterator[LabeledObject]:
    """Yield the objects whose box begins in a block."""
    y0, x0, y1, x1 = block
    corners = found.boxes[:, :2]
    here = np.flatnonzero(((corners >= (y0, x0)) & (corners < (y1, x1))).all(axis=1))
    if not len(here):
        return
    array = np.asarray(labels.data[(*plane, *box_slices(block))])
    pixels = None if image is None else _read_pixels(image, plane, block)
    for i in here.tolist():
        label, box = int(found.labels[i]), tuple(found.boxes[i].tolist())
        if box[2] <= y1 and box[3] <= x1:
            inside = box_slices((box[0] - y0, box[1] - x0, box[2] - y0, box[3] - x0))
            mask = Mask(box, array[inside] == label)
            part = None if pixels is None else pixels[:, inside[0], inside[1]]
        else:
            mask = Mask(box, _read_mask(labels, plane, box, label))
            part = None if image is None else _read_pixels(image, plane, box)
        yield LabeledObject(label, plane, mask, part)


def _read_mask(
    labels: LabelImage, plane: tuple[int, ...], box: Box, label: int
) -> NDArray[np.bool_]:
    """Return where a label is in a box, read from top to bottom."""
    y0, x0, y1, x1 = box
    mask = np.empty((y1 - y0, x1 - x0), bool)
    band = max(1, BAND_PIXELS // (x1 - x0))
    for start in range(y0, y1, band):
        stop = min(start + band, y1)
        part = np.asarray(labels.data[(*plane, slice(start, stop), slice(x0, x1))])
        mask[start - y0 : stop - y0] = part == label
    return mask


def _read_pixels(image: Image, plane: tuple[int, ...], box: Box) -> NDArray[np.number]:
    """Return the raw image in a box of a plane, as (C, h, w)."""
    block = (*(slice(i, i + 1) for i in plane), *box_slices(box))
    (pixels,) = image.read_raw([block])
    return pixels.reshape(len(pixels), *pixels.shape[-2:])
