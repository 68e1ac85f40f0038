"""Features of any window of an image, encoded when they are first needed."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_sam.embedding.grid import TileGrid
from napari_sam.embedding.lru import LRUCache
from napari_sam.image.image import Image
from napari_sam.image.window import Window
from napari_sam.model.base import Model
from napari_sam.model.features import Features

MIN_STEP = 1 / 8
"""A small image is not magnified further: there is nothing more to see."""


class Embeddings:
    """An image as a model sees it: windows, and what the encoder makes of them.

    Computes nothing until :meth:`features` is called. Safe to use from several threads: one window
    is encoded at a time, and never the same one twice at once.

    Parameters
    ----------
    image : Image
        What to read.
    model : Model
        What to encode with; the side of every window is its `image_size`.
    halo : int, optional
        Samples that a tile sees around its core. Default: an eighth of the window.
    cache_bytes : int
        Bound of the memory kept for features. A window larger than that is encoded at every call.
    """

    def __init__(
        self,
        image: Image,
        model: Model,
        *,
        halo: int | None = None,
        cache_bytes: int = 1 << 30,
    ) -> None:
        if not isinstance(image, Image):
            raise TypeError(
                f"Expected an Image, as open_image(data) returns it; found {type(image).__name__}."
            )
        if not isinstance(model, Model):
            raise TypeError(
                f"Expected a Model, as load_model() returns it; found {type(model).__name__}."
            )
        self.image = image
        self.model = model
        self.halo = model.image_size // 8 if halo is None else halo
        self._cache = LRUCache[Window, Features](cache_bytes)
        self._pending: dict[Window, Future[Features]] = {}
        self._pending_lock = threading.Lock()
        self._encoder_lock = threading.Lock()
        self.grid()  # refuses a halo that leaves no core

    @property
    def base_step(self) -> float:
        """Step of the finest windows: 1, or less for an image of at most half a window.

        A small image is magnified by the largest power of two, up to 8, at which one window still
        shows all of it, much as SAM scales an image's longer side to its window.
        """
        step = 1.0
        while step > MIN_STEP and max(self.image.shape_yx) / step <= self.model.image_size / 2:
            step /= 2
        return step

    def grid(self, step: float | None = None) -> TileGrid:
        """Return the tiles of every plane at `step` (default: the base step)."""
        return TileGrid(
            self.image.shape_yx,
            self.model.image_size,
            self.halo,
            self.base_step if step is None else step,
        )

    def window_at(
        self,
        y: float,
        x: float,
        *,
        step: float | None = None,
        plane: int | tuple[int, ...] = (),
    ) -> Window:
        """Return the window of the tile whose core holds the level-0 position (y, x).

        Raises
        ------
        ValueError
            If the position or the plane lies outside the image.
        """
        grid = self.grid(step)
        return grid.window(*grid.tile_at(y, x), self.image.normalize_plane(plane))

    def window_around(
        self,
        box_yxyx: Sequence[float],
        *,
        step: float | None = None,
        plane: int | tuple[int, ...] = (),
    ) -> Window:
        """Return a window centered on a box.

        The window is snapped to a lattice as fine as the halo, so that boxes close to each other
        share it, and moved inwards at the border of the image.

        Parameters
        ----------
        box_yxyx : sequence of 4 floats
            (y0, x0, y1, x1) in level-0 pixel-center coordinates; what reaches out of the image is
            not considered.
        step : float, optional
            Default: the smallest one, from the base step on, at which the window holds the box
            with half a halo around it, wherever the image goes on.
        plane : int or tuple of int
            Index of the axes in front of Y and X.

        Raises
        ------
        ValueError
            If the box is malformed or lies outside the image, or the plane does.
        """
        plane = self.image.normalize_plane(plane)
        edges = self._parse_box(box_yxyx)
        if step is not None:
            return self._center(edges, self.grid(step), plane)
        step = self.base_step
        while not self.holds(window := self._center(edges, self.grid(step), plane), box_yxyx):
            step *= 2
        return window

    def holds(
        self, window: Window, box_yxyx: Sequence[float], *, margin: float | None = None
    ) -> bool:
        """Whether a box stands in a window, with a margin wherever the image goes on.

        Parameters
        ----------
        window : Window
            Of this image.
        box_yxyx : sequence of 4 floats
            (y0, x0, y1, x1) in level-0 pixel-center coordinates.
        margin : float, optional
            In level-0 pixels. Default: half a halo.
        """
        edges = self._parse_box(box_yxyx)
        y0, x0, y1, x1 = window.extent
        margin = self.halo / 2 * window.step if margin is None else margin
        before = (edges[:2] - (y0, x0) >= margin) | (np.array([y0, x0]) <= 0)
        after = ((y1, x1) - edges[2:] >= margin) | (np.array([y1, x1]) >= self.image.shape_yx)
        return bool(before.all() and after.all())

    def features(self, window: Window) -> Features:
        """Return the features of one window: from memory, or by encoding it now.

        Waits while another thread encodes; if the encoding fails, everybody who asked for this
        window gets the error, and the next call tries again.
        """
        window = self._normalize(window)
        with self._pending_lock:
            cached = self._cache.get(window)
            if cached is not None:
                return cached
            is_first = window not in self._pending
            future = self._pending.setdefault(window, Future())
        if is_first:
            self._fulfil(window, future)
        return future.result()

    def is_encoded(self, window: Window) -> bool:
        """Whether the features of the window are in memory."""
        return self._normalize(window) in self._cache

    def _fulfil(self, window: Window, future: Future[Features]) -> None:
        try:
            samples = torch.from_numpy(self.image.read(window))[None]
            with self._encoder_lock:
                features = self.model.encode(samples)
        except BaseException as error:
            with self._pending_lock:
                del self._pending[window]
            future.set_exception(error)
        else:
            with self._pending_lock:
                self._cache.put(window, features)
                del self._pending[window]
            future.set_result(features)

    def _normalize(self, window: Window) -> Window:
        if window.size != self.model.image_size:
            raise ValueError(
                f"The model {self.model.name!r} sees windows of {self.model.image_size} samples, "
                f"found one of {window.size}."
            )
        return replace(window, plane=self.image.normalize_plane(window.plane))

    def _parse_box(self, box_yxyx: Sequence[float]) -> NDArray[np.float64]:
        """Return the edges (y0, x0, y1, x1) of a box of pixel centers, cut at the image border."""
        box = np.asarray(box_yxyx, np.float64)
        if box.shape != (4,) or not np.isfinite(box).all() or (box[:2] > box[2:]).any():
            raise ValueError(
                f"A box is (y0, x0, y1, x1) with y0 ≤ y1 and x0 ≤ x1, found {box_yxyx}."
            )
        edges = np.clip(box + np.array([0, 0, 1, 1]), 0, self.image.shape_yx * 2)
        if (edges[:2] >= edges[2:]).any():
            raise ValueError(
                f"The box {tuple(box.tolist())} lies outside the image of {self.image.shape_yx} "
                f"pixels."
            )
        return edges

    def _center(self, edges: NDArray[np.float64], grid: TileGrid, plane: tuple[int, ...]) -> Window:
        lattice = max(grid.halo_units, 1)
        origin = (edges[:2] + edges[2:]) / 2 / grid.unit - grid.size_units / 2
        y, x = (np.round(origin / lattice) * lattice).astype(int).tolist()
        return grid.place(y, x, plane)
