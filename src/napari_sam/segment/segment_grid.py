"""All objects of a plane or a region, tile by tile, by asking at a grid of points."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.suppression import suppress
from napari_sam.segment.grid import Box, Occupied, window_masks
from napari_sam.segment.grid_settings import GridSettings

SAME = 0.9
"""IoU above which two candidates are the same object, found twice."""


def segment_grid(
    embeddings: Embeddings,
    plane: int | tuple[int, ...] = (),
    *,
    points_per_side: int | None = None,
    region: Box | None = None,
    step: float | None = None,
    settings: GridSettings | None = None,
    occupied: Occupied | None = None,
) -> MaskTable:
    """Find the objects of a plane with a grid of points.

    Each point is asked in the tile in whose core it lies, so that the network sees its neighborhood
    too. What is kept reaches a `margin` below the thresholds, and parts of objects beside the
    whole: choose from it, again and again without asking the network, with
    `napari_sam.masks.Knobs`, as in ``table.select(Knobs(table).rows(Thresholds(min_area=50)))``;
    thresholds that are not given are those of the settings, or suit the model.

    Parameters
    ----------
    embeddings : Embeddings
        The image and the model. Tiles that are not encoded yet are encoded now.
    plane : int or tuple of int
        Index of the axes in front of rows and columns.
    points_per_side : int, optional
        Points along each side of a window. Default: that of the settings, 32.
    region : tuple of float, optional
        (y0, x0, y1, x1) edges in level-0 pixels: where to ask. Objects may reach out of it.
    step : float, optional
        Level-0 pixels per sample of the windows, a power of two. Default: the base step.
    settings : GridSettings, optional
        Which candidates to keep.
    occupied : callable, optional
        Tells which points not to ask (:data:`~napari_sam.segment.grid.Occupied`).

    Returns
    -------
    MaskTable
        In level-0 pixels, tile by tile, the best of each tile first. Of candidates that are the
        same object, within a tile or in several, only the best is there.

    Raises
    ------
    TypeError
        If these are no embeddings or no settings.
    ValueError
        If the plane, or all of the region, lies outside the image, or a setting is impossible.
    """
    if not isinstance(embeddings, Embeddings):
        raise TypeError(
            "Expected Embeddings, made by Embeddings(image, model); found "
            f"{type(embeddings).__name__}."
        )
    settings = GridSettings() if settings is None else settings
    if not isinstance(settings, GridSettings):
        raise TypeError(f"Expected GridSettings, found {type(settings).__name__}.")
    if points_per_side is not None:
        settings = replace(settings, points_per_side=points_per_side)
    tables = iter_tiles(embeddings, plane, settings, region=region, step=step, occupied=occupied)
    found = MaskTable.concatenate(tables)
    model = embeddings.model
    accepted = np.array([settings.accepted_iou(model), settings.accepted_stability(model)])
    return replace(found.select(np.sort(suppress(found, SAME, by="mask"))), accepted=accepted)


def iter_tiles(
    embeddings: Embeddings,
    plane: int | tuple[int, ...],
    settings: GridSettings,
    *,
    region: Box | None = None,
    step: float | None = None,
    occupied: Occupied | None = None,
) -> Iterator[MaskTable]:
    """Yield the candidates of one tile after the other; arguments as of `segment_grid`."""
    image, grid = embeddings.image, embeddings.grid(step)
    plane = image.normalize_plane(plane)
    region = clip_region(region, image.shape_yx)
    for row, column in np.ndindex(grid.tiles):
        within = shared_box(grid.core(row, column), region)
        if within is None:
            continue
        window = grid.window(row, column, plane)
        found = window_masks(
            embeddings.model,
            embeddings.features(window),
            window,
            image.shape_yx,
            settings,
            within=within,
            occupied=occupied,
            tile=(row, column),
        )
        yield found.select(suppress(found, SAME, by="mask"))


def clip_region(region: Box | None, shape_yx: tuple[int, int]) -> Box:
    """Return the part of a region inside the image; None means all of it.

    Raises
    ------
    ValueError
        If there is none.
    """
    whole = (0.0, 0.0, float(shape_yx[0]), float(shape_yx[1]))
    if region is None:
        return whole
    try:
        edges = np.asarray(region, float)
    except (TypeError, ValueError):  # no numbers, or rows of different lengths
        edges = np.zeros(0)
    inside = shared_box(region, whole) if edges.shape == (4,) else None
    if inside is None or not np.isfinite(edges).all():
        raise ValueError(
            f"The region is {region!r}; expected (y0, x0, y1, x1) with y0 < y1 and x0 < x1, in the "
            f"image of {shape_yx[0]} rows and {shape_yx[1]} columns."
        )
    return inside


def shared_box(one: Box, other: Box) -> Box | None:
    """Return what two half-open boxes share, None if that is nothing."""
    y0, x0 = np.maximum(one[:2], other[:2]).tolist()
    y1, x1 = np.minimum(one[2:], other[2:]).tolist()
    return (y0, x0, y1, x1) if y0 < y1 and x0 < x1 else None
