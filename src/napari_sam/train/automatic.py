"""How well all objects of one window are found, without a prompt."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, open_image
from napari_sam.masks.paint import paint
from napari_sam.model import Model
from napari_sam.segment.find import find_objects
from napari_sam.segment.settings import FindSettings, Mode
from napari_sam.train.planes import LabeledPlane

DIAMETER = 45
"""In automatic mode, samples that a typical object should measure; steps are powers of two."""


def fitting_step(diameter: float) -> float:
    """Return the step at which objects of a diameter in pixels come closest to `DIAMETER`."""
    return float(2.0 ** round(math.log2(diameter / DIAMETER)))


def richest_square(labels: NDArray[np.integer], side: int) -> tuple[slice, slice]:
    """Return the square of a label image, centered on an object, that shows most objects."""
    ids, first = np.unique(labels, return_index=True)
    places = np.stack(np.unravel_index(first[ids > 0], labels.shape), axis=1)
    highest = np.maximum(np.array(labels.shape) - side, 0)
    corners = np.clip(places - side // 2, 0, highest)
    shown = (places[None] >= corners[:, None]) & (places[None] < corners[:, None] + side)
    y, x = corners[shown.all(axis=2).sum(axis=1).argmax()].tolist()
    return slice(y, y + side), slice(x, x + side)


def window_of(plane: LabeledPlane, model: Model) -> tuple[LabeledPlane, float]:
    """Cut what one window shows of a plane, where most objects are; and return its step."""
    step = fitting_step(plane.diameter)
    cut = richest_square(plane.labels[0], max(1, int(model.image_size * step)))
    return LabeledPlane(plane.image[cut], (plane.labels[0][cut],)), step


def find_labels(
    model: Model, image: NDArray[np.floating], step: float, mode: Mode
) -> NDArray[np.int32]:
    """Find the objects of an image that one window shows.

    Parameters
    ----------
    model : Model
    image : (H, W, C) float array in [0, 1]
        Gray or RGB.
    step : float
        Pixels per sample.
    mode : "grid", "seeds" or "watershed"
        With default thresholds.

    Returns
    -------
    (H, W) int32 array
    """
    n_channels = image.shape[2]
    data = image.astype(np.float32)
    opened = open_image(
        data if n_channels == 3 else data[..., 0],
        axes="yxc" if n_channels == 3 else "yx",
        intensity=Intensity((0,) * n_channels, (1,) * n_channels),
    )
    embeddings = Embeddings(opened, model, cache_bytes=0)
    window = embeddings.grid(step).window(0, 0)
    table = find_objects(embeddings, window, FindSettings(mode=mode, step=step))
    return paint(table, np.arange(len(table)), (0, 0, *opened.shape_yx), on_top="first")
