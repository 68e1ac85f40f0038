"""The same objects from small to large: it should not matter how many pixels they measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, open_image
from napari_sam.model import Model
from napari_sam.train.by_hand import Part, mean_of, segment_part
from napari_sam.train.evaluate import Figures, spread
from napari_sam.train.planes import LabeledPlane

SIZES = (8, 16, 32, 64, 128, 300)
"""Diameters of the median object, in pixels of the image."""


def evaluate_scales(
    model: Model,
    planes: Sequence[LabeledPlane],
    sizes: Sequence[int] = SIZES,
    max_planes: int = 2,
    max_objects: int = 5,
) -> dict[str, Figures]:
    """Scale planes so that their median object has each size, and segment the same objects.

    Returns
    -------
    dict
        For each size, such as ``"8 px"``, the means over objects of `segment_part`.
    """
    parts = [Part.richest(plane, max_objects) for plane in spread(planes, max_planes)]
    figures = {
        f"{size} px": mean_of(
            row for part in parts for row in _at_size(model, part.scaled(size, model.image_size))
        )
        for size in sizes
    }
    return {size: means for size, means in figures.items() if means}


def _at_size(model: Model, part: Part) -> list[Figures]:
    n_channels = part.image.shape[2]
    opened = open_image(
        part.image if n_channels == 3 else part.image[..., 0],
        axes="yxc" if n_channels == 3 else "yx",
        intensity=Intensity((0,) * n_channels, (1,) * n_channels),
    )
    return segment_part(Embeddings(opened, model), part)


def variation(means: Sequence[Figures], measure: str) -> float:
    """Return by how much a figure varies around the middle of its highest and lowest value."""
    return float(np.ptp([figures[measure] for figures in means])) / 2
