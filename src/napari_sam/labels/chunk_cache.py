"""Many small changes of a zarr array, of which each chunk is read and written about once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.chunks import chunk_region, storage_shape
from napari_sam.labels.levels import Levels, Region, as_slices, cut, update_chunks

MOST_BYTES = 1 << 27
"""Chunks in memory take so much at most, or are a single one."""

Index = tuple[int, ...]


@contextmanager
def chunk_by_chunk(labels: LabelsArray) -> Iterator[LabelsArray]:
    """Give what is to be changed instead of labels; they have all changes at the end.

    Of a pyramid, the coarser levels are made again then. Arrays without chunks are changed at once.

    Parameters
    ----------
    labels : numpy.ndarray, zarr.Array or Levels
        What is to be changed.
    """
    levels = labels.levels if isinstance(labels, Levels) else (labels,)
    if not isinstance(levels[0], zarr.Array):
        yield labels
        return
    cache = ChunkCache(levels[0])
    try:
        yield cache
    finally:
        cache.flush()
        update_chunks(levels, cache.changed)


class ChunkCache:
    """A zarr array whose chunks stay in memory while they are changed; the oldest go first.

    Parameters
    ----------
    array : zarr.Array
        Of which nobody else changes anything meanwhile.

    Attributes
    ----------
    changed : set of tuple of int
        Chunks (or shards) that have been changed.
    """

    def __init__(self, array: zarr.Array[Any]) -> None:
        self._array = array
        self.shape = tuple(array.shape)
        self.dtype = np.dtype(array.dtype)
        self.changed: set[Index] = set()
        self._chunks: dict[Index, NDArray[Any]] = {}
        n_bytes = int(np.prod(storage_shape(array))) * self.dtype.itemsize
        self._most_chunks = max(1, MOST_BYTES // n_bytes)

    def __getitem__(self, region: Any) -> NDArray[Any]:
        whole = as_slices(region, self.shape)
        block = np.empty([axis.stop - axis.start for axis in whole], self.dtype)
        for index, inside, here in self._iter_parts(whole):
            block[here] = self._chunk(index)[inside]
        return block[tuple(slice(None) if isinstance(axis, slice) else 0 for axis in region)]

    def __setitem__(self, region: Any, values: Any) -> None:
        whole = as_slices(region, self.shape)
        block = np.reshape(values, [axis.stop - axis.start for axis in whole])
        for index, inside, here in self._iter_parts(whole):
            self._chunk(index)[inside] = block[here]
            self.changed.add(index)

    def flush(self) -> None:
        """Write what is in memory."""
        while self._chunks:
            self._drop_oldest()

    def _iter_parts(self, region: Region) -> Iterator[tuple[Index, Region, Region]]:
        """Yield the chunks of a region: which, what of each, and where that is in the region."""
        sides = storage_shape(self._array)
        starts = [axis.start for axis in region]
        for part in cut(region, sides):
            index = tuple(axis.start // side for axis, side in zip(part, sides, strict=True))
            corner = [i * side for i, side in zip(index, sides, strict=True)]
            yield index, _moved(part, corner), _moved(part, starts)

    def _chunk(self, index: Index) -> NDArray[Any]:
        chunk = self._chunks.pop(index, None)
        if chunk is None:
            if len(self._chunks) >= self._most_chunks:
                self._drop_oldest()
            chunk = np.array(self._array[chunk_region(self._array, index)])
        self._chunks[index] = chunk  # the last one now
        return chunk

    def _drop_oldest(self) -> None:
        index = next(iter(self._chunks))
        chunk = self._chunks.pop(index)
        if index in self.changed:
            self._array[chunk_region(self._array, index)] = chunk


def _moved(region: Region, origin: list[int]) -> Region:
    """Return a region as seen from another origin."""
    return tuple(
        slice(axis.start - start, axis.stop - start)
        for axis, start in zip(region, origin, strict=True)
    )
