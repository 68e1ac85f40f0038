"""How much of an image is encoded, and where it is kept: found out in a thread."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sam.widgets.looking import sensible_steps

if TYPE_CHECKING:
    from napari_sam.embedding import Embeddings, TileGrid


@dataclass(frozen=True)
class Level:
    """The tiles of one step.

    Attributes
    ----------
    step : float
        Level-0 pixels per sample.
    n_plane, n_stack : int
        Tiles of the plane looked at, and of all planes.
    n_plane_done, n_stack_done : int
        Those of them that are encoded.
    """

    step: float
    n_plane: int
    n_plane_done: int
    n_stack: int
    n_stack_done: int


@dataclass(frozen=True)
class Survey:
    """Which tiles of an image are encoded; complete in itself, as it was at one moment.

    Attributes
    ----------
    embeddings : Embeddings
        Surveyed.
    plane : tuple of int
        That is looked at.
    step : float
        That is looked at.
    grid : TileGrid
        Of that step.
    states : (tile rows, tile columns) uint8 array
        Of that plane and step: 0 absent, 1 in memory, 2 in the store.
    levels : tuple of Level
        From fine to coarse.
    memory_bytes, most_memory_bytes : int
        What features take in memory, and the bound of that.
    tile_bytes : int or None
        What a tile takes where it is kept, in the store if there is one; None before the first.
    free_bytes : int or None
        Disk that is free for the store, if there is one.
    seconds : float
        What the survey took.
    """

    embeddings: Embeddings
    plane: tuple[int, ...]
    step: float
    grid: TileGrid
    states: NDArray[np.uint8]
    levels: tuple[Level, ...]
    memory_bytes: int
    most_memory_bytes: int
    tile_bytes: int | None
    free_bytes: int | None
    seconds: float

    def level(self, step: float) -> Level | None:
        """Return the level of a step."""
        return next((level for level in self.levels if level.step == step), None)


@dataclass(frozen=True, eq=False)
class Surveying:
    """The work of making a `Survey`, for a `Lane`.

    The time goes with the number of tiles that are encoded, not with that of all planes.
    """

    embeddings: Embeddings
    plane: tuple[int, ...]
    step: float

    def iter_answer(self) -> Iterator[Survey]:
        """Yield the survey."""
        start, embeddings = time.perf_counter(), self.embeddings
        plane = embeddings.image.normalize_plane(self.plane)
        steps = sorted({*sensible_steps(embeddings), self.step})
        levels = tuple(self._level(step, plane) for step in steps)
        store, memory = embeddings.store, embeddings.memory
        yield Survey(
            embeddings=embeddings,
            plane=plane,
            step=self.step,
            grid=embeddings.grid(self.step),
            states=embeddings.encoded_tiles(plane, self.step),
            levels=levels,
            memory_bytes=memory.nbytes,
            most_memory_bytes=memory.max_bytes,
            tile_bytes=self._tile_bytes(),
            free_bytes=None if store is None else shutil.disk_usage(store.path).free,
            seconds=time.perf_counter() - start,
        )

    def _level(self, step: float, plane: tuple[int, ...]) -> Level:
        n_plane = math.prod(self.embeddings.grid(step).tiles)
        n_stack = n_plane * math.prod(self.embeddings.image.plane_shape)
        n_plane_done = int(np.count_nonzero(self.embeddings.encoded_tiles(plane, step)))
        n_stack_done = n_plane_done if n_stack == n_plane else self._n_encoded(step, n_stack)
        return Level(step, n_plane, n_plane_done, n_stack, n_stack_done)

    def _n_encoded(self, step: float, n_tiles: int) -> int:
        """Return how many tiles of all planes are in the store, or in memory alone."""
        grid, store = self.embeddings.grid(step), self.embeddings.store
        in_memory = self.embeddings.memory.keys()
        held = [window for window in in_memory if window.step == step]
        n_held = sum(
            grid.tile_of(window) is not None and (store is None or window not in store)
            for window in held
        )
        if store is None:
            return n_held
        planes = product(*map(range, self.embeddings.image.plane_shape))
        return n_held + n_tiles - store.count_missing(planes, step)

    def _tile_bytes(self) -> int | None:
        memory, store = self.embeddings.memory, self.embeddings.store
        if store is None:
            return self.embeddings.tile_bytes
        from napari_sam.embedding.forecast import stored_bytes

        features = next(filter(None, map(memory.get, memory.keys()[-1:])), None)
        return None if features is None else stored_bytes(features, store.dtype)
