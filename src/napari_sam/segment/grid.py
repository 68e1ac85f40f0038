"""All objects that one window shows, by asking at a grid of points.

Most of the time of SAM's own generator goes into masks that it then drops. Here a candidate pays
for the next step only once it has passed the one before: the predicted IoU, which SAM's decoder
knows before it has made the mask; then area and stability of the low-resolution logits; and only
then the mask in image pixels. Points come from coarse to fine, and those in an object that two
points have found alike are left out, for they would find it again. (Found once is not enough: a
second point often improves the mask, or finds another part of the object.) And a model with
instance maps tells at once where nothing is: no point is asked there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from math import ceil
from typing import TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from napari_sam.image.window import Window
from napari_sam.masks.mask import Mask
from napari_sam.masks.mask_table import NO_TILE, MaskTable
from napari_sam.masks.resample import mask_from_logits
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.interrupt import give_way
from napari_sam.model.precision import upscaling_dtype
from napari_sam.prompts.mask_prompt import MaskPrompt
from napari_sam.segment.grid_settings import GridSettings
from napari_sam.segment.point_grid import coarse_to_fine, lattice

Occupied: TypeAlias = Callable[[NDArray[np.float64]], NDArray[np.bool_]]
"""Tells of (N, 2) level-0 points (row, column) which are in an object that there is already."""

Box: TypeAlias = tuple[float, float, float, float]

LOW_RES_ERROR = 0.1
"""How much lower stability may be at low resolution than in image pixels (on average, 0.02)."""

ALIKE = 0.95
"""IoU from which on two points are said to have found the same."""

MAX_COVER = 1 / 16
"""Share of a window up to which an object covers points: in a larger one, there may be others."""

FOREGROUND, NEAR = 0.1, 8
"""A point is asked where the probability of foreground is higher at most so many samples away."""


def window_masks(
    model: Model,
    features: Features,
    window: Window,
    shape_yx: tuple[int, int],
    settings: GridSettings,
    *,
    within: Box | None = None,
    occupied: Occupied | None = None,
    tile: tuple[int, int] = NO_TILE,
) -> MaskTable:
    """Return all candidates of one window, in the order in which they were found.

    Parameters
    ----------
    model : Model
        The network.
    features : Features
        Of the window.
    window : Window
        Where the features were computed.
    shape_yx : tuple of int
        Rows and columns of the image, where masks are cut.
    settings : GridSettings
        Where to ask and what to keep.
    within : tuple of float, optional
        (y0, x0, y1, x1) edges in level-0 pixels: only points in there are asked.
    occupied : callable, optional
        Tells which points not to ask (:data:`Occupied`).
    tile : (row, column)
        For the column `tiles`.

    Returns
    -------
    MaskTable
        In level-0 pixels. An object may be in it several times; see `napari_sam.masks.suppress`.
    """
    points = grid_points(window, shape_yx, settings.points_per_side, within)
    if occupied is not None:
        points = points[~occupied(points)]
    search = GridSearch(model, features, window, shape_yx, settings)
    return MaskTable.concatenate(search.iter_masks(points, tile))


def grid_points(
    window: Window, shape_yx: tuple[int, int], points_per_side: int, within: Box | None = None
) -> NDArray[np.float64]:
    """Return the points of a grid that lie in a window and in the image, from coarse to fine.

    Windows of the same step share one grid. In samples of a window that begins where the image does
    it is the official one, (i + 0.5) / n of the side, which is half a sample from being symmetric.

    Parameters
    ----------
    window, shape_yx, within
        As of `window_masks`.
    points_per_side : int
        Points along each side of a window.

    Returns
    -------
    (N, 2) float64 array
        (row, column) in level-0 pixels.
    """
    boxes = [window.extent, (0, 0, *shape_yx), *([] if within is None else [within])]
    y0, x0 = np.max([box[:2] for box in boxes], axis=0).tolist()
    y1, x1 = np.min([box[2:] for box in boxes], axis=0).tolist()
    spacing = window.size * window.step / points_per_side
    points, indices = lattice((y0, x0, y1, x1), spacing, shift=window.step / 2)
    return points[coarse_to_fine(indices)]


class GridSearch:
    """The search for the objects of one window, a few points at a time.

    Parameters
    ----------
    model, features, window, shape_yx, settings
        As of `window_masks`.
    """

    def __init__(
        self,
        model: Model,
        features: Features,
        window: Window,
        shape_yx: tuple[int, int],
        settings: GridSettings,
    ) -> None:
        self.model, self.window, self.shape_yx, self.settings = model, window, shape_yx, settings
        self._features = features
        dtype = torch.float32 if settings.exact else upscaling_dtype(model)
        self._decoder = model.point_decoder(features, dtype)
        self._step = window.step * model.image_size / model.low_res_size
        self._iou = settings.accepted_iou(model)
        self._stability = settings.accepted_stability(model)
        self._skips_covered = settings.skip_covered and not settings.exact
        self._covered = np.zeros((model.low_res_size,) * 2, bool)
        self._found = np.zeros((model.low_res_size,) * 2, np.int32)  # numbers of objects

    def iter_masks(
        self, points: NDArray[np.float64], tile: tuple[int, int] = NO_TILE
    ) -> Iterator[MaskTable]:
        """Yield the candidates at (N, 2) points, batch by batch; may be left at any moment."""
        batch = self._decoder.batch
        skips_background = self.settings.skip_background and not self.settings.exact
        if skips_background and self.model.has_instance_maps:
            points = points[self._at(points, self._near_foreground)]
        while len(points):
            give_way()
            asked, points = points[:batch], points[batch:]
            yield self._ask(asked, tile)
            if self._skips_covered:
                points = points[~self._at(points, self._covered)]

    def _ask(self, points: NDArray[np.float64], tile: tuple[int, int]) -> MaskTable:
        """Return the candidates at a few points, and remember what the objects among them cover."""
        xy = torch.from_numpy(self.window.to_window(points)[:, ::-1].copy())
        best_only = self.model.masks_per_point == 1
        answers = self._decoder(xy, self._iou - self.settings.margin, best_only=best_only)
        logits = answers.logits.float()
        passes = self._passes_at_low_res(logits).cpu().numpy()
        low, indices = logits.cpu().numpy(), answers.indices.cpu().numpy()
        ious = answers.predicted_iou.float().cpu().numpy()
        kept: dict[int, Mask] = {}
        for number, place in enumerate(self._cells(points, len(self._found))):
            if self._skips_covered and self._covered[tuple(place)]:
                continue  # by an object of this batch: as if points were asked one by one
            candidates: dict[int, Mask] = {}
            for i in np.flatnonzero(passes & (indices == number)).tolist():
                if (mask := self._enlarge(low[i], float(ious[i]))) is not None:
                    candidates[i] = mask
            if candidates and (best := self._best(candidates)) is not None:
                self._cover(low[best] > 0, place)
            kept |= candidates
        return MaskTable.of(kept.values(), points=points[indices[[*kept]]], tile=tile)

    def _passes_at_low_res(self, logits: torch.Tensor) -> torch.Tensor:
        """Return which of (K, L, L) logits may belong to a candidate, as far as these can tell."""
        settings = self.settings
        if settings.exact:
            return torch.ones(len(logits), dtype=torch.bool)
        height, width = (
            max(0, ceil((side - origin) / self._step))
            for side, origin in zip(self.shape_yx, (self.window.y, self.window.x), strict=True)
        )
        seen = logits[:, :height, :width]
        inner, area, outer = (
            (seen > offset).sum((1, 2))
            for offset in (settings.stability_offset, 0, -settings.stability_offset)
        )
        pixels = area * self._step**2
        is_stable = inner >= (self._stability - settings.margin - LOW_RES_ERROR) * outer
        return is_stable & (pixels >= settings.min_area / 2) & (pixels <= settings.max_area * 2)

    def _enlarge(self, low: NDArray[np.float32], predicted_iou: float) -> Mask | None:
        """Return the mask of (L, L) logits in image pixels, if it is a candidate."""
        settings = self.settings
        mask = mask_from_logits(
            MaskPrompt(low, y=self.window.y, x=self.window.x, step=self._step),
            self.shape_yx,
            predicted_iou=predicted_iou,
            stability_offset=settings.stability_offset,
            via=None if self.window.step == 1 else self.window.step,
        )
        is_candidate = (
            mask.stability_score >= self._stability - settings.margin
            and max(1, settings.min_area) <= mask.area <= settings.max_area
        )
        return replace(mask, logits=None) if is_candidate else None

    def _best(self, candidates: dict[int, Mask]) -> int | None:
        """Return which candidate is the best object of its point, if one is an object."""
        objects = {
            i: mask.predicted_iou
            for i, mask in candidates.items()
            if mask.predicted_iou > self._iou and mask.stability_score >= self._stability
        }
        return max(objects, key=objects.__getitem__, default=None)

    def _cover(self, is_object: NDArray[np.bool_], place: NDArray[np.int64]) -> None:
        """Remember an object, and that it covers points if one that was found there is alike."""
        if np.count_nonzero(is_object) > MAX_COVER * is_object.size:
            return
        number = self._found[tuple(place)]
        before = (self._found == number) & (number > 0)
        union = np.count_nonzero(before | is_object)
        if np.count_nonzero(before & is_object) >= ALIKE * union:
            self._covered |= is_object
        self._found[is_object] = self._found.max() + 1

    @cached_property
    def _near_foreground(self) -> NDArray[np.bool_]:
        """Where in the window there is foreground nearby, in cells of the instance maps."""
        with torch.inference_mode():
            foreground = self.model.instance_maps(self._features)[:, :1].float()
        radius = round(NEAR * foreground.shape[-1] / self.model.image_size)
        most = F.max_pool2d(foreground, 2 * radius + 1, stride=1, padding=radius)
        near: NDArray[np.bool_] = (most[0, 0] > FOREGROUND).cpu().numpy()
        return near

    def _at(self, points: NDArray[np.float64], flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return what a map of the window, (h, h), tells of (N, 2) points."""
        rows, columns = self._cells(points, len(flags)).T
        return flags[rows, columns]

    def _cells(self, points: NDArray[np.float64], n: int) -> NDArray[np.int64]:
        """Return the (N, 2) cells in which points lie, of n by n in the window."""
        size = self.window.step * self.model.image_size / n
        cells = (points + 0.5 - (self.window.y, self.window.x)) / size
        return np.clip(cells.astype(np.int64), 0, n - 1)
