"""The objects of one window, whatever way they are found in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.image.window import Window
from napari_sam.labels.write_table import new_rows
from napari_sam.masks.knobs import Knobs, Thresholds
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.overlap import mask_part
from napari_sam.model.base import Model
from napari_sam.segment.exact import exact_candidates
from napari_sam.segment.grid import Box, Occupied, window_masks
from napari_sam.segment.run_folder import Part
from napari_sam.segment.seeds import seed_masks, watershed_masks
from napari_sam.segment.settings import FindSettings

if TYPE_CHECKING:
    from napari_sam.segment.run import Run

Finder = Callable[
    [Embeddings, Window, FindSettings, Box | None, Occupied | None],
    MaskTable,
]
"""Returns all candidates of one window; where it asks at points, only those within a box that are
not in an object that there is already."""


def find_objects(
    embeddings: Embeddings,
    window: Window,
    settings: FindSettings,
    *,
    within: Box | None = None,
    occupied: Occupied | None = None,
) -> MaskTable:
    """Find the objects of one window; those that pass the thresholds, each once.

    Parameters
    ----------
    embeddings : Embeddings
        The image and the model. The window is encoded now, unless it has been.
    window : Window
        Where to look; of the exact grid, only its plane matters.
    settings : FindSettings
        What is None has its default.
    within : tuple of float, optional
        Of a grid, only points in these edges (y0, x0, y1, x1) are asked.
    occupied : callable, optional
        Tells which points of a grid not to ask.

    Returns
    -------
    MaskTable
        The best first; cut where the window ends. Of the exact grid, all masks of the plane, which
        may lie upon each other.
    """
    model, shape_yx = embeddings.model, embeddings.image.shape_yx
    settings = settings.resolved(model, embeddings.base_step)
    is_large: NDArray[np.bool_]
    if settings.exact:
        table = exact_candidates(embeddings, window.plane, settings)
        is_large = table.areas >= settings.min_area
    else:
        table = FINDERS[settings.mode or "grid"](embeddings, window, settings, within, occupied)
        # What the window cuts may be large enough with what lies beyond.
        is_cut = cut_sides(table, window, shape_yx, logit_px(model, window)).any(axis=1)
        is_large = (table.areas >= settings.min_area) | is_cut
    table = table.select(is_large)
    measure, overlap = settings.suppression
    thresholds = Thresholds(
        predicted_iou=settings.pred_iou or 0,
        stability=settings.stability or 0,
        max_area=inf if settings.max_area is None else settings.max_area,
        overlap=overlap,
    )
    return table.select(Knobs(table, measure).rows(thresholds))


def find_tile(run: Run, tile: Part) -> None:
    """Find the objects that touch the core of a tile, and save them: a task of the first pass."""
    *indices, row, column = tile
    plane, core = tuple(indices), run.grid.core(row, column)
    window = run.grid.window(row, column, plane)
    kept = run.kept(plane, core)
    occupied = None if kept is None else partial(_lies_on, kept, core[:2])
    table = find_objects(run.embeddings, window, run.settings.find, within=core, occupied=occupied)
    table = table.select(_touch(table, core))
    if run.keep is not None:
        table = table.select(new_rows(run.keep, table, plane=run.label_index(plane)))
    run.folder.save("find", tile, _in_tile(table, row, column).to_arrays())


def cut_sides(
    table: MaskTable, window: Window, shape_yx: tuple[int, int], margin: float
) -> NDArray[np.bool_]:
    """Return at which sides (top, left, bottom, right) a window cuts the masks of a table.

    Parameters
    ----------
    table : MaskTable
        Found in the window.
    window : Window
        With the edges; those inside the image cut.
    shape_yx : tuple of int
        Of the image.
    margin : float
        A mask that comes as close to an edge, in level-0 pixels, is cut there.

    Returns
    -------
    (N, 4) bool array
    """
    return (edge_room(table, window) <= margin) & inner_edges(window, shape_yx)


def edge_room(table: MaskTable, window: Window) -> NDArray[np.float64]:
    """Return how far each mask stays from the (top, left, bottom, right) of a window."""
    edges = np.array(window.extent)
    return np.concatenate([table.boxes[:, :2] - edges[:2], edges[2:] - table.boxes[:, 2:]], axis=1)


def inner_edges(window: Window, shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """Return beyond which sides (top, left, bottom, right) of a window the image goes on."""
    y0, x0, y1, x1 = window.extent
    return np.array([y0 > 0, x0 > 0, y1 < shape_yx[0], x1 < shape_yx[1]])


def logit_px(model: Model, window: Window) -> float:
    """Return how wide a low-resolution logit is: as exact as a mask knows its own edge."""
    return window.step * model.image_size / model.low_res_size


def _in_tile(table: MaskTable, row: int, column: int) -> MaskTable:
    return replace(table, tiles=np.full((len(table), 2), (row, column), np.int32))


def _touch(table: MaskTable, core: tuple[int, int, int, int]) -> NDArray[np.bool_]:
    """Return which masks have a pixel in a core."""
    shared = np.concatenate(
        [np.maximum(table.boxes[:, :2], core[:2]), np.minimum(table.boxes[:, 2:], core[2:])], axis=1
    )
    touches: NDArray[np.bool_] = np.all(shared[:, :2] < shared[:, 2:], axis=1)
    for row in np.flatnonzero(touches & (shared != table.boxes).any(axis=1)).tolist():
        y0, x0, y1, x1 = shared[row].tolist()
        touches[row] = mask_part(table, row, (y0, x0, y1, x1)).any()
    return touches


def _lies_on(
    kept: NDArray[Any], corner: tuple[int, int], points: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which points lie on kept objects, of which there is a part from a corner on."""
    rows, columns = (np.floor(points + 0.5).astype(int) - corner).T
    is_on: NDArray[np.bool_] = kept[rows, columns] != 0
    return is_on


def _find_grid(
    embeddings: Embeddings,
    window: Window,
    settings: FindSettings,
    within: Box | None,
    occupied: Occupied | None,
) -> MaskTable:
    return window_masks(
        embeddings.model,
        embeddings.features(window),
        window,
        embeddings.image.shape_yx,
        settings.for_grid(),
        within=within,
        occupied=occupied,
    )


def _find_in_maps(
    masks_of: Callable[..., MaskTable],
    embeddings: Embeddings,
    window: Window,
    settings: FindSettings,
    *_: object,
) -> MaskTable:
    features, shape_yx = embeddings.features(window), embeddings.image.shape_yx
    return masks_of(embeddings.model, features, window, shape_yx, settings.for_seeds())


FINDERS: dict[str, Finder] = {
    "grid": _find_grid,
    "seeds": partial(_find_in_maps, seed_masks),
    "watershed": partial(_find_in_maps, watershed_masks),
}
"""By the name of the mode."""
