"""All objects of a whole plane as SAM's own generator finds them, for a run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.image.image import Image
from napari_sam.image.window import Window
from napari_sam.masks.mask_table import MaskTable
from napari_sam.segment.generate_masks import official_masks
from napari_sam.segment.generator_settings import GeneratorSettings
from napari_sam.segment.settings import FindSettings

MAX_PIXELS = 1 << 25
"""Of a plane, which is in memory as a whole."""


def check_exact(embeddings: Embeddings) -> None:
    """Refuse planes that cannot be looked at as a whole, and a store, which holds tiles.

    Raises
    ------
    ValueError
        If there is one.
    """
    height, width = embeddings.image.shape_yx
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"The exact grid looks at each plane as a whole, and a plane of {height} × {width} "
            f"pixels has more than {MAX_PIXELS}: leave exact away, which works tile by tile, or "
            f"take a coarser level of the image."
        )
    if embeddings.store is not None:
        raise ValueError(
            "The exact grid looks at each plane as a whole, and a store holds tiles: leave one of "
            "the two away."
        )


def whole_step(embeddings: Embeddings) -> float:
    """Return the step at which one tile shows a whole plane."""
    step = embeddings.base_step
    while max(embeddings.image.shape_yx) > step * embeddings.model.image_size:
        step *= 2
    return step


def exact_masks(
    embeddings: Embeddings, plane: tuple[int, ...], settings: FindSettings
) -> MaskTable:
    """Return the masks of one plane, those of `generate_masks` in the same order.

    Parameters
    ----------
    embeddings : Embeddings
        The image and the model; the plane is encoded anew, scaled to one window.
    plane : tuple of int
        Index of the axes in front of rows and columns.
    settings : FindSettings
        With all defaults filled in; the boxes of masks overlap by the official 0.7 (IoU) at most.
    """
    generator = GeneratorSettings(
        points_per_side=settings.points_per_side,
        pred_iou_thresh=settings.pred_iou or 0,
        stability_score_thresh=settings.stability or 0,
        stability_score_offset=settings.stability_offset,
    )
    return official_masks(embeddings.model, whole_plane(embeddings.image, plane), generator)


def whole_plane(image: Image, plane: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return a plane as 8-bit gray or RGB: 8-bit values as they are, others by their range."""
    if image.dtype == np.uint8:
        block = (*(slice(i, i + 1) for i in plane), *map(slice, (0, 0), image.shape_yx))
        (raw,) = image.read_raw([block])
        channels = raw.reshape(len(raw), *image.shape_yx)
        channels = np.pad(channels, ((0, int(len(channels) == 2)), (0, 0), (0, 0)))
    else:
        samples = image.read(Window(0, 0, max(image.shape_yx), 1.0, plane))
        channels = np.rint(samples * 255).astype(np.uint8)
    pixels: NDArray[np.uint8] = channels[0] if len(channels) == 1 else np.moveaxis(channels, 0, -1)
    return np.ascontiguousarray(pixels)
