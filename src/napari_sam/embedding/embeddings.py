"""Features of any window of an image, encoded when they are first needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sam.embedding.grid import TileGrid
from napari_sam.embedding.key import StoreKey
from napari_sam.embedding.lru import LRUCache
from napari_sam.embedding.selection import Selection
from napari_sam.embedding.source import FeatureSource
from napari_sam.embedding.store import EmbeddingStore
from napari_sam.embedding.underway import Underway
from napari_sam.image.image import Image
from napari_sam.image.window import Window
from napari_sam.model.base import Conversion, Model
from napari_sam.model.features import Features

if TYPE_CHECKING:
    from distributed import Client

MIN_STEP = 1 / 8
"""A small image is not magnified further: there is nothing more to see."""


@dataclass(frozen=True)
class Progress:
    """How far `Embeddings.iter_compute` is.

    Attributes
    ----------
    n_done, n_tiles : int
        Tiles that are stored now, and all of them.
    window : Window
        The tile that was done last.
    """

    n_done: int
    n_tiles: int
    window: Window


class Embeddings:
    """An image as a model sees it: windows, and what the encoder makes of them.

    Computes nothing until :meth:`features` is called. Safe to use from several threads: one window
    is encoded at a time, never the same one twice at once, and what somebody waits for comes first.

    Parameters
    ----------
    image : Image
        What to read; seen through the model's `conversion`, unless an intensity was given.
    model : Model
        What to encode with; the side of every window is its `image_size`.
    halo : int, optional
        Samples that a tile sees around its core. Default: an eighth of the window.
    cache_bytes : int
        Bound of the memory kept for features. A window larger than that is encoded at every call.
    store : path, optional
        A folder in which the features of tiles are kept, see `EmbeddingStore`: made if there
        is nothing yet, else continued. Default: they are kept in memory only.
    conversion : Conversion, optional
        Default: the model's.

    Raises
    ------
    ValueError
        If the store was made for another image, normalization, model or grid; says which.
    OSError
        If the store cannot be made or read.
    """

    def __init__(
        self,
        image: Image,
        model: Model,
        *,
        halo: int | None = None,
        cache_bytes: int = 1 << 28,
        store: str | os.PathLike[str] | None = None,
        conversion: Conversion | None = None,
    ) -> None:
        if not isinstance(image, Image):
            raise TypeError(
                f"Expected an Image, as open_image(data) returns it; found {type(image).__name__}."
            )
        if not isinstance(model, Model):
            raise TypeError(
                f"Expected a Model, as load_model() returns it; found {type(model).__name__}."
            )
        self.image = image.converted(conversion or model.conversion)
        self.model = model
        self.halo = model.image_size // 8 if halo is None else halo
        self.grid()  # refuses a halo that leaves no core
        self._source = FeatureSource(
            self.image,
            model,
            LRUCache[Window, Features](cache_bytes),
            None
            if store is None
            else EmbeddingStore(store, StoreKey.of(self.image, model, self.halo)),
        )

    @property
    def store(self) -> EmbeddingStore | None:
        """Where features of tiles are kept on disk; None after the disk took no more."""
        return self._source.store

    @property
    def memory(self) -> LRUCache[Window, Features]:
        """Where features of windows are kept in memory."""
        return self._source.cache

    @property
    def tile_bytes(self) -> int | None:
        """Memory that the features of one window take; None before there are any."""
        return self._source.tile_bytes

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

    @property
    def underway(self) -> Underway | None:
        """The window that is being encoded now, if there is one; to be looked at meanwhile."""
        return self._source.turns.underway

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
        """Return the features of one window: from memory, from the store, or by encoding it now.

        Waits while another thread encodes, unless that can give way (`prefetch`). If the encoding
        fails, everybody who asked for this window gets the error, and the next call tries again.

        Raises
        ------
        Interrupted
            If nobody who asked for this window wants it any more (`interruptible`).
        """
        return self._source.get(self._normalize(window))

    def prefetch(
        self,
        window: Window,
        *,
        is_unwanted: Callable[[], bool] = lambda: False,
        in_memory: bool = True,
    ) -> bool:
        """Have the features of a window at hand before somebody waits for them.

        Parameters
        ----------
        window : Window
            Of this image.
        is_unwanted : callable
            Asked again and again while the window is encoded, in the same thread: True gives it up.
        in_memory : bool
            Whether the features are to be in memory, even if they are in the store.

        Returns
        -------
        bool
            Whether the window had to be encoded.

        Raises
        ------
        Interrupted
            If it was given up: since it is unwanted, or somebody asked for the `features` of
            another window. Never if somebody waits for this one.
        OSError
            If the image cannot be read, or the features not be stored.
        """
        return self._source.prefetch(self._normalize(window), is_unwanted, in_memory)

    def is_encoded(self, window: Window) -> bool:
        """Whether the features of the window are in memory or in the store."""
        window, store = self._normalize(window), self.store
        return window in self.memory or (store is not None and window in store)

    def encoded_tiles(
        self, plane: int | tuple[int, ...] = (), step: float | None = None
    ) -> NDArray[np.uint8]:
        """Return where the features of each tile of a plane are, without reading any.

        Returns
        -------
        (rows, columns) uint8 array
            0: nowhere; 1: in memory; 2: in the store, and perhaps in memory too.
        """
        grid, plane, store = self.grid(step), self.image.normalize_plane(plane), self.store
        found, held = np.zeros(grid.tiles, np.uint8), self.memory.keys()
        for window in held:
            if (window.plane, window.step) == (plane, grid.step) and (tile := grid.tile_of(window)):
                found[tile] = 1
        if store is not None:
            found[store.tiles_present(grid.step, plane)] = 2
        return found

    def iter_compute(
        self,
        planes: int | Iterable[int | tuple[int, ...]] | None = None,
        *,
        steps: float | Iterable[float] | None = None,
        client: Client | None = None,
    ) -> Generator[Progress, None, None]:
        """Fill the store with the tiles of some planes, one at a time or on several workers.

        May be stopped or killed at any moment: what is stored stays, and the next call goes on. A
        worker that dies is replaced by the others; none left, it waits until there is one.

        Parameters
        ----------
        planes : int, or iterable of int or tuple of int, optional
            One plane or several, such as ``2``, ``range(10)`` or ``[(0, 2), (1, 2)]``. Default:
            all.
        steps : float or iterable of float, optional
            Level-0 pixels per sample, a power of two. Default: the base step.
        client : distributed.Client, optional
            Of a dask cluster whose workers read the image and write the store under the same paths
            as this process, and have the model's weights; each loads them once, on the device that
            suits it. Default: everything is computed here.

        Yields
        ------
        Progress
            After every tile; from workers, in any order.

        Raises
        ------
        ValueError
            If there is no store, or a plane lies outside the image, or a step is no power of two;
            or if workers can't open the image or the model, since these are in memory or not on
            their disk.
        OSError
            If the disk is full, read-only or gone, or the workers are.
        """
        if self.store is None:
            raise ValueError(
                "There is no store to fill; name one, as in Embeddings(image, model, store=PATH)."
            )
        wanted = Selection(self, planes, steps)
        n_done = wanted.count_encoded()
        with closing(self._iter_stored(wanted.iter_missing(), client)) as stored:
            for window in stored:
                n_done += 1
                yield Progress(n_done, wanted.n_tiles, window)

    def store_tile(self, window: Window) -> bool:
        """Encode a tile and store it, unless it is stored; tell whether that had to be done.

        Raises
        ------
        OSError
            If the disk is full, read-only or gone, or has been found so by `features`.
        """
        store = self.store
        if store is None:
            raise OSError("The store takes no more tiles: begin again with another one.")
        if window in store:
            return False
        store.put(window, self._source.encode(window))
        return True

    def _iter_stored(
        self, missing: Iterator[Window], client: Client | None
    ) -> Generator[Window, None, None]:
        if client is None:
            yield from filter(self.store_tile, missing)
        else:
            from napari_sam.embedding.distributed import iter_on_workers

            yield from iter_on_workers(self, missing, client)

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
