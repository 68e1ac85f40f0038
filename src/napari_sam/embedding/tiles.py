"""The feature maps of the tiles of one step, on disk."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec

from napari_sam.embedding.atomic import place_folder, remove_leftover
from napari_sam.embedding.packing import StoredType, array_names

TileIndex: TypeAlias = tuple[int, ...]
"""The plane's indices, then tile row and tile column."""

CHECKSUM_BYTES = 4
"""What crc32c adds to a chunk."""


@dataclass(frozen=True)
class StoredTiles:
    """A zarr group with an array for each feature map, in which each tile is one chunk.

    A tile is present if all its chunks are, at their full length. A chunk is written under another
    name and renamed, so that it appears at once, and it ends in a checksum. There is no index that
    processes would have to share: the names of the chunks tell which tiles there are.

    Attributes
    ----------
    folder : path
        Of the group.
    arrays : tuple of zarr.Array
        As `pack` orders them, each (planes…, tile rows, tile columns, C, h, w).
    """

    folder: Path
    arrays: tuple[zarr.Array[Any], ...]

    @classmethod
    def create(
        cls,
        folder: Path,
        tiles_shape: tuple[int, ...],
        packed: Sequence[NDArray[Any]],
        dtype: StoredType,
        n_maps: int,
    ) -> StoredTiles:
        """Make the group for tiles like `packed`, or open it if another process was faster."""

        def fill(unfinished: Path) -> None:
            attributes = {"n_maps": n_maps}
            group = zarr.create_group(unfinished, zarr_format=3, attributes=attributes)
            for name, values in zip(array_names(n_maps, dtype), packed, strict=True):
                group.create_array(
                    name,
                    shape=tiles_shape + values.shape,
                    chunks=(1,) * len(tiles_shape) + values.shape,
                    dtype=values.dtype,
                    fill_value=_missing(values.dtype),
                    filters=None,
                    compressors=Crc32cCodec(),
                    chunk_key_encoding={"name": "default", "separator": "."},
                )

        place_folder(folder, fill)
        return cls.open(folder, tiles_shape, dtype)

    @classmethod
    def open(cls, folder: Path, tiles_shape: tuple[int, ...], dtype: StoredType) -> StoredTiles:
        """Read the metadata of the group.

        Raises
        ------
        ValueError
            If it is damaged.
        """
        try:
            group = zarr.open_group(folder, mode="r+", zarr_format=3)
            names = array_names(int(str(group.attrs["n_maps"])), dtype)
            arrays = tuple(_check_layout(group[name], tiles_shape) for name in names)
        except (AttributeError, LookupError, TypeError, ValueError, FileNotFoundError) as error:
            raise ValueError(
                f"The metadata of the stored tiles in {folder} are damaged ({error}): remove that "
                f"folder, and its tiles are computed again."
            ) from error
        return cls(folder, arrays)

    def read(self, index: TileIndex) -> list[NDArray[Any]] | None:
        """Return the chunks of a tile, or None if one is missing or damaged; drop these."""
        if not self.has(index):
            return None
        try:
            packed = [np.asarray(array[index]) for array in self.arrays]
        except ValueError:  # a checksum that does not match
            self._drop(index)
            return None
        if any(_is_missing(values) for values in packed):  # dropped meanwhile by another process
            return None
        return packed

    def write(self, index: TileIndex, packed: Sequence[NDArray[Any]]) -> None:
        """Write the chunks of a tile.

        Raises
        ------
        ValueError
            If their shapes are not those of the tiles that are stored.
        OSError
            If the disk does not take them.
        """
        shapes = [values.shape for values in packed]
        expected = [array.shape[-3:] for array in self.arrays]
        if shapes != expected:
            raise ValueError(
                f"The feature maps to store have shapes {shapes}, those in {self.folder} "
                f"{expected}: the features are not of the model that the store was made for."
            )
        for array, values in zip(self.arrays, packed, strict=True):
            array[index] = values

    def has(self, index: TileIndex) -> bool:
        """Whether all chunks of a tile are there at their full length; reads none."""
        return all(_has_length(self._chunk(array, index), array) for array in self.arrays)

    def present(self, planes: Sequence[tuple[int, ...]]) -> NDArray[np.bool_]:
        """Return which tiles are there, as (planes, tile rows, tile columns); reads no chunk.

        Lists the names of all chunks once, and removes what killed processes left behind.
        """
        n_leading = self.arrays[0].ndim - 3
        present = np.ones((len(planes), *self.arrays[0].shape[n_leading - 2 : n_leading]), bool)
        numbers = {".".join(["c", *map(str, plane)]): i for i, plane in enumerate(planes)}
        for array in self.arrays:
            found = np.zeros_like(present)
            with os.scandir(self.folder / array.basename) as entries:
                for entry in entries:
                    plane, *index = entry.name.rsplit(".", 5)
                    if entry.name.endswith(".partial"):
                        remove_leftover(entry)
                    elif plane in numbers and _has_length(entry.path, array):
                        found[numbers[plane], int(index[0]), int(index[1])] = True
            present &= found
        return present

    def _drop(self, index: TileIndex) -> None:
        for array in self.arrays:
            with suppress(OSError):  # a read-only disk: the tile is found damaged again
                self._chunk(array, index).unlink(missing_ok=True)

    def _chunk(self, array: zarr.Array[Any], index: TileIndex) -> Path:
        return self.folder / array.basename / ".".join(["c", *map(str, index), "0", "0", "0"])


def _missing(dtype: np.dtype) -> float:
    """Return what zarr reads where no chunk is; it is never the value of a stored feature."""
    return float("nan") if dtype.kind == "f" else -128


def _is_missing(values: NDArray[Any]) -> bool:
    first = values.flat[0]
    return bool(first != first or (values.dtype == np.int8 and first == -128))


def _has_length(chunk: Path | str, array: zarr.Array[Any]) -> bool:
    try:
        found = os.stat(chunk).st_size
    except (FileNotFoundError, NotADirectoryError):
        return False
    return found == math.prod(array.chunks) * array.dtype.itemsize + CHECKSUM_BYTES


def _check_layout(array: Any, tiles_shape: tuple[int, ...]) -> zarr.Array[Any]:
    n_leading = len(tiles_shape)
    layout = (array.shape[:n_leading], array.chunks, tuple(map(type, array.compressors)))
    expected = (tiles_shape, (1,) * n_leading + array.shape[n_leading:], (Crc32cCodec,))
    if layout != expected or array.ndim != n_leading + 3:
        raise ValueError(f"{array.basename} has the layout {layout}, expected {expected}")
    return array
