"""The same objects recorded otherwise: bit depth, sign and hot pixels should not matter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.embedding import Embeddings
from napari_sam.image import open_image
from napari_sam.model import Model
from napari_sam.train.by_hand import Part, mean_of, segment_part
from napari_sam.train.evaluate import DIAMETER, Figures, spread
from napari_sam.train.planes import LabeledPlane

HOT_PIXEL = (200, 300)
"""Row and column."""

Raw = NDArray[np.integer[Any]]
Gray = NDArray[np.floating]


def evaluate_recordings(
    model: Model, planes: Sequence[LabeledPlane], max_planes: int = 2, max_objects: int = 6
) -> dict[str, Figures]:
    """Segment the same objects in each of the `RECORDINGS` of gray planes.

    Each is opened as a user's image is, with an intensity measured on itself.

    Returns
    -------
    dict
        For each recording the means over objects of `segment_part`; nothing for RGB.
    """
    gray = [plane for plane in planes if plane.image.shape[2] == 1]
    parts = [
        Part.richest(plane, max_objects).scaled(DIAMETER, model.image_size)
        for plane in spread(gray, max_planes)
    ]
    figures = {
        name: mean_of(
            row
            for part in parts
            for row in segment_part(
                Embeddings(open_image(record(part.image[..., 0]), axes="yx"), model), part
            )
        )
        for name, record in RECORDINGS.items()
    }
    return {name: means for name, means in figures.items() if means}


def record_8_bit(gray: Gray) -> Raw:
    """Use 8 bits in full."""
    return np.rint(gray * 255).astype(np.uint8)


def record_12_bit(gray: Gray) -> Raw:
    """Use most of 12 bits in a 16-bit image, above the offset of a camera."""
    return np.rint(100 + gray * 3900).astype(np.uint16)


def record_16_bit(gray: Gray) -> Raw:
    """Use a third of 16 bits."""
    return np.rint(500 + gray * 20_000).astype(np.uint16)


def with_hot_pixel(raw: Raw) -> Raw:
    """Saturate one pixel."""
    raw[HOT_PIXEL] = np.iinfo(raw.dtype).max
    return raw


RECORDINGS: dict[str, Callable[[Gray], Raw]] = {
    "8 bit": record_8_bit,
    "inverted": lambda gray: record_8_bit(1 - gray),
    "12 bit": record_12_bit,
    "16 bit": record_16_bit,
    "16 bit, hot pixel": lambda gray: with_hot_pixel(record_16_bit(gray)),
}
