"""Features on disk: what was encoded once is never encoded again."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_sam.embedding.atomic import remove_leftovers
from napari_sam.embedding.disk_errors import check_there, explained
from napari_sam.embedding.grid import TileGrid
from napari_sam.embedding.key import StoreKey
from napari_sam.embedding.packing import STORED_TYPES, StoredType, pack, unpack
from napari_sam.embedding.store_metadata import create_store, has_store, read_store
from napari_sam.embedding.tiles import StoredTiles, TileIndex
from napari_sam.image.plane import parse_plane
from napari_sam.image.window import Window
from napari_sam.model.features import Features


class EmbeddingStore:
    """A zarr group with the features of the tiles of one image, as one model sees them.

    Only tiles of the grid are kept, at any step; other windows are not. A tile is present or
    absent, never half, whatever happens to the process that writes it; one that is damaged is found
    when it is read, and is absent from then on. Several threads and processes may use one store.

    Parameters
    ----------
    path : path
        Of the store, made if there is nothing yet. Only metadata are read.
    key : StoreKey
        What the features depend on.
    dtype : "float16", "float32" or "int8", optional
        How precisely features are stored. Default: as they are in an existing store, else float16.

    Raises
    ------
    FileNotFoundError
        If the folder that the store would be in does not exist.
    FileExistsError
        If there is something else at the path.
    OSError
        If the store cannot be made or read.
    ValueError
        If the store was made for another key or dtype, or its metadata are damaged.
    """

    def __init__(
        self, path: str | os.PathLike[str], key: StoreKey, *, dtype: StoredType | None = None
    ) -> None:
        self.path = Path(path)
        self.key = key
        if dtype is not None and dtype not in STORED_TYPES:
            raise ValueError(f"A store has one of the dtypes {STORED_TYPES}, found {dtype!r}.")
        with explained(self.path, "opened"):
            if not has_store(self.path):
                create_store(self.path, key, dtype or "float16")
            found_key, self.dtype = read_store(self.path)
        self._check_same(found_key, dtype)
        remove_leftovers(self.path)
        remove_leftovers(self.path.absolute().parent, f"{self.path.name}.")
        self._tiles: dict[float, StoredTiles] = {}
        self._lock = threading.Lock()

    def grid(self, step: float) -> TileGrid:
        """Return the tiles of every plane at `step`."""
        return TileGrid(self.key.shape_yx, self.key.image_size, self.key.halo, step)

    def get(self, window: Window, /) -> Features | None:
        """Return the float32 features of a tile, on the CPU; None if it is absent.

        A damaged tile is dropped, and is absent.

        Raises
        ------
        OSError
            If the store cannot be read.
        """
        index = self._index(window)
        if index is None:
            return None
        with explained(self.path, "read"):
            tiles = self._open_tiles(window.step)
            packed = None if tiles is None else tiles.read(index)
            if packed is None:
                check_there(self.path)
                return None
        return self._unpacked(packed)

    def put(self, window: Window, features: Features, /) -> Features:
        """Store the features of a tile, and return them as `get` will, as exact as the store is.

        A window that is not a tile of the grid is not kept, and its features are returned as they
        are.

        Parameters
        ----------
        window : Window
            Of this image.
        features : Features
            Of this window alone (B = 1), on any device.

        Raises
        ------
        OSError
            If the disk is full, read-only or gone; what is stored stays good.
        ValueError
            If values are not finite or too large for the store's dtype, or not of this model.
        """
        if len(features) != 1:
            raise ValueError(f"The features of one window are stored, found {len(features)}.")
        index = self._index(window)
        if index is None:
            return features
        packed = pack([m[0].detach().float().cpu().numpy() for m in features.maps], self.dtype)
        with explained(self.path, "written"):
            check_there(self.path)
            tiles = self._open_tiles(window.step)
            if tiles is None:
                tiles = self._make_tiles(window.step, packed, len(features.maps))
            tiles.write(index, packed)
        return self._unpacked(packed)

    def __contains__(self, window: object, /) -> bool:
        """Whether the window is a tile that is stored; damage inside it shows at reading only."""
        if not isinstance(window, Window) or (index := self._index(window)) is None:
            return False
        with explained(self.path, "read"):
            tiles = self._open_tiles(window.step)
            return tiles is not None and tiles.has(index)

    def iter_missing(
        self, planes: Iterable[int | tuple[int, ...]], step: float
    ) -> Iterator[Window]:
        """Yield the tiles of some planes that are absent when their turn comes.

        So several processes that go through the same planes share the work, if they begin at
        different ones.
        """
        grid = self.grid(step)
        for plane in planes:
            index = self._normalize_plane(plane)
            for row, column in np.ndindex(grid.tiles):
                window = grid.window(row, column, index)
                if window not in self:
                    yield window

    def tiles_present(self, step: float, plane: int | tuple[int, ...] = ()) -> NDArray[np.bool_]:
        """Return which tiles of a plane are stored, as (tile rows, tile columns).

        Lists file names, about a second for a million tiles in the store, and reads no features.
        """
        return self.present([plane], step)[0]

    def present(self, planes: Iterable[int | tuple[int, ...]], step: float) -> NDArray[np.bool_]:
        """Return which tiles of some planes are stored, as (planes, tile rows, tile columns).

        Lists file names once, for all of them.
        """
        indices = [self._normalize_plane(plane) for plane in planes]
        with explained(self.path, "read"):
            tiles = self._open_tiles(step)
            if tiles is None:
                return np.zeros((len(indices), *self.grid(step).tiles), bool)
            return tiles.present(indices)

    def count_missing(self, planes: Iterable[int | tuple[int, ...]], step: float) -> int:
        """Return how many tiles of some planes are absent, by listing file names once."""
        return int(np.count_nonzero(~self.present(planes, step)))

    def _unpacked(self, packed: list[NDArray[Any]]) -> Features:
        return Features(tuple(torch.from_numpy(m)[None] for m in unpack(packed, self.dtype)))

    def _check_same(self, found_key: StoreKey, dtype: StoredType | None) -> None:
        if differences := found_key.differences(self.key):
            is_alike = not replace(found_key, precision=None).differences(self.key)
            hint = f" To use it, give precision={found_key.precision!r}." if is_alike else ""
            raise ValueError(
                f"The store {self.path} was made for something else: choose another path, or "
                f"delete the store to compute it anew. What differs: {'; '.join(differences)}."
                f"{hint}"
            )
        if dtype not in (None, self.dtype):
            raise ValueError(
                f"The store {self.path} holds {self.dtype}, expected {dtype}: leave out dtype, or "
                f"choose another path."
            )

    def _normalize_plane(self, plane: int | tuple[int, ...]) -> tuple[int, ...]:
        return parse_plane(plane, self.key.plane_shape, f"the store {self.path}")

    def _index(self, window: Window) -> TileIndex | None:
        """Return where a window is stored; None if it is not a tile of the grid."""
        plane = self._normalize_plane(window.plane)
        tile = self.grid(window.step).tile_of(window)
        return None if tile is None else (*plane, *tile)

    def _open_tiles(self, step: float) -> StoredTiles | None:
        folder = self._folder(step)
        with self._lock:
            if not folder.is_dir():
                self._tiles.pop(step, None)
            elif step not in self._tiles:
                self._tiles[step] = StoredTiles.open(folder, self._tiles_shape(step), self.dtype)
            return self._tiles.get(step)

    def _make_tiles(self, step: float, packed: list[NDArray[Any]], n_maps: int) -> StoredTiles:
        folder, shape = self._folder(step), self._tiles_shape(step)
        with self._lock:
            self._tiles[step] = StoredTiles.create(folder, shape, packed, self.dtype, n_maps)
            return self._tiles[step]

    def _folder(self, step: float) -> Path:
        return self.path / f"step_{int(step) if step >= 1 else step}"

    def _tiles_shape(self, step: float) -> tuple[int, ...]:
        return (*self.key.plane_shape, *self.grid(step).tiles)
