"""All candidates of a whole plane as SAM's own generator finds them."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.image.image import Image
from napari_sam.image.window import Window
from napari_sam.masks.mask_table import MaskTable
from napari_sam.segment.generate_masks import iter_official_masks
from napari_sam.segment.generator_settings import GeneratorSettings
from napari_sam.segment.returned import returned
from napari_sam.segment.settings import FindSettings

MAX_PIXELS = 1 << 25
"""Of a plane, which is in memory as a whole."""


def check_exact(embeddings: Embeddings) -> None:
    """Refuse planes that are too large to be looked at as a whole.

    Raises
    ------
    ValueError
        If they are.
    """
    height, width = embeddings.image.shape_yx
    if height * width > MAX_PIXELS:
        raise ValueError(
            f"The exact grid looks at each plane as a whole, and a plane of {height} × {width} "
            f"pixels has more than {MAX_PIXELS}: find objects in another way, tile by tile, or "
            f"take a coarser level of the image."
        )


def whole_step(embeddings: Embeddings) -> float:
    """Return the step at which one tile shows a whole plane."""
    step = embeddings.base_step
    while max(embeddings.image.shape_yx) > step * embeddings.model.image_size:
        step *= 2
    return step


def exact_candidates(
    embeddings: Embeddings, plane: tuple[int, ...], settings: FindSettings
) -> MaskTable:
    """Return the masks of one plane, of which `FindSettings.suppression` leaves those officially.

    Parameters
    ----------
    embeddings : Embeddings
        The image and the model; the plane is encoded anew, scaled to one window. A store, which
        holds tiles, is of no use.
    plane : tuple of int
        Index of the axes in front of rows and columns.
    settings : FindSettings
        With all defaults filled in.
    """
    return returned(iter_exact_candidates(embeddings, plane, settings))


def iter_exact_candidates(
    embeddings: Embeddings, plane: tuple[int, ...], settings: FindSettings
) -> Generator[int, None, MaskTable]:
    """Return what `exact_candidates` does, and yield how many points each batch has asked.

    There are the square of ``settings.points_per_side``.
    """
    generator = GeneratorSettings(
        points_per_side=settings.points_per_side,
        pred_iou_thresh=settings.pred_iou or 0,
        stability_score_thresh=settings.stability or 0,
        stability_score_offset=settings.stability_offset,
        box_nms_thresh=1.0,
    )
    pixels = whole_plane(embeddings.image, plane)
    return (yield from iter_official_masks(embeddings.model, pixels, generator))


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
