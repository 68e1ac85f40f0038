"""All objects of one window from the model's instance maps, without any prompt.

After Archit et al. 2025, "Segment Anything for Microscopy": seeds are the places that the maps
show deep inside an object, and each grows by watershed until it meets another or the background.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed
from torch.nn import functional as F

from napari_sam.image.window import Window
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.resample import mask_from_logits
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.prompts.mask_prompt import MaskPrompt
from napari_sam.segment.seed_settings import SeedSettings

SAMPLES_PER_CELL = 2
"""Regions are found on a grid of cells, each so many samples of the window wide."""
MIN_CELLS = 8
"""Smaller regions are grains in the maps."""


@dataclass(frozen=True)
class Region:
    """One object, roughly.

    Attributes
    ----------
    point : (2,) float array
        The pixel deepest inside, (row, column) at level 0.
    score : float
        From 0 to 1: how sure the maps are, see `find_regions`.
    logits : MaskPrompt
        Those of foreground, with the sign turned wherever another object or nothing is. So the
        border to the background is as smooth as the foreground's, and lies half way between the
        cells of neighbors.
    """

    point: NDArray[np.float64]
    score: float
    logits: MaskPrompt


def watershed_masks(
    model: Model,
    features: Features,
    window: Window,
    shape_yx: tuple[int, int],
    settings: SeedSettings | None = None,
) -> MaskTable:
    """Return the regions of one window as masks; the fastest way to all objects.

    Parameters
    ----------
    model : Model
        With instance maps.
    features : Features
        Of the window.
    window : Window
        Where they were computed.
    shape_yx : tuple of int
        Rows and columns of the image.
    settings : SeedSettings, optional
        What counts as an object.

    Returns
    -------
    MaskTable
        Masks that hardly overlap, in level-0 pixels. The predicted IoU is the `Region.score`; the
        stability compares the areas at logits of foreground of plus and minus 1.

    Raises
    ------
    ValueError
        If the model has no instance maps.
    """
    regions = find_regions(model, features, window, shape_yx, settings or SeedSettings())
    found = [
        (mask_from_logits(region.logits, shape_yx, predicted_iou=region.score), region.point)
        for region in regions
    ]
    found = [(mask, point) for mask, point in found if mask.area]
    return MaskTable.of(
        (mask for mask, _ in found), points=np.reshape([point for _, point in found], (-1, 2))
    )


def find_regions(
    model: Model,
    features: Features,
    window: Window,
    shape_yx: tuple[int, int],
    settings: SeedSettings,
) -> Iterator[Region]:
    """Yield the regions of one window, from top to bottom.

    The score is the geometric mean of the mean probability of foreground and the greatest depth.

    Parameters
    ----------
    model : Model
        With instance maps.
    features : Features
        Of the window.
    window : Window
        Where they were computed. There are no objects where it reaches beyond the image.
    shape_yx : tuple of int
        Rows and columns of the image.
    settings : SeedSettings
        What counts as an object.

    Raises
    ------
    ValueError
        If the model has no instance maps.
    """
    maps = _maps(model, features)
    regions, depth = _grow(maps, _shows_image(window, shape_yx, maps.shape[-1]), settings)
    # With a cell around, every region has neighbors on all sides.
    regions, depth = np.pad(regions, 1), np.pad(depth, 1)
    foreground = np.pad(maps[0], 1, mode="edge")
    logits = _logit(foreground) - _logit(np.array(settings.foreground, np.float32))

    cell = SAMPLES_PER_CELL * window.step
    for number, box in enumerate(ndimage.find_objects(regions), start=1):
        first = np.array([box[0].start - 1, box[1].start - 1])
        around = np.s_[first[0] : box[0].stop + 1, first[1] : box[1].stop + 1]
        inside = regions[around] == number
        if np.count_nonzero(inside) < MIN_CELLS:
            continue
        depths = np.where(inside, depth[around], 0)
        score = float(np.sqrt(foreground[around][inside].mean() * depths.max()))
        if score < settings.score:
            continue
        middle = first - 1 + np.unravel_index(depths.argmax(), depths.shape)
        y, x = (window.y, window.x) + (first - 1) * cell
        sides = np.abs(logits[around])
        yield Region(
            np.array((middle + 0.5) * cell + (window.y, window.x) - 0.5, np.float64),
            score,
            MaskPrompt(np.where(inside, sides, -sides), y=y, x=x, step=cell),
        )


def _grow(
    maps: NDArray[np.float32], is_shown: NDArray[np.bool_], settings: SeedSettings
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return which region, from 1, each cell belongs to, and how deep inside an object it is."""
    foreground, center, boundary = maps
    blur = settings.smoothing / SAMPLES_PER_CELL
    depth = ndimage.gaussian_filter(1 - (center + boundary) / 2, blur)
    is_object = (foreground > settings.foreground) & is_shown
    seeds = label(is_object & (depth > settings.seed), connectivity=1)
    return watershed(boundary, seeds, mask=is_object), depth


def _maps(model: Model, features: Features) -> NDArray[np.float32]:
    """Return the instance maps on the grid of cells: (3, n, n)."""
    maps = model.instance_maps(features)
    n = model.image_size // SAMPLES_PER_CELL
    resized = F.interpolate(maps, (n, n), mode="bilinear", antialias=True)
    array: NDArray[np.float32] = resized[0].float().cpu().numpy()
    return array


def _shows_image(window: Window, shape_yx: tuple[int, int], n: int) -> NDArray[np.bool_]:
    """Return which of n by n cells of a window begin inside the image."""
    starts = np.arange(n) * SAMPLES_PER_CELL * window.step
    inside: NDArray[np.bool_] = np.logical_and.outer(
        window.y + starts < shape_yx[0], window.x + starts < shape_yx[1]
    )
    return inside


def _logit(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    bounded = np.clip(probability, 1e-3, 1 - 1e-3)
    logit: NDArray[np.float32] = np.log(bounded / (1 - bounded))
    return logit
