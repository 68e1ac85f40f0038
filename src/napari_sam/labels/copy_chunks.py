"""Labels from one array into another, a block at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import zarr

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.chunks import chunk_region, storage_shape, stored_chunks

Region = tuple[slice, ...]


def iter_copied(source: LabelsArray, target: zarr.Array[Any]) -> Iterator[float]:
    """Copy labels into an empty array of the same shape; yield which part is done.

    Of a zarr array only what is stored is read. Memory stays at one block: a chunk of the target,
    or as many as a chunk of the source covers. Background is not stored.
    """
    block = _block_shape(source, target)
    indices = _blocks_to_read(source, block)
    for done, index in enumerate(indices, 1):
        region = tuple(
            slice(i * side, min((i + 1) * side, n))
            for i, side, n in zip(index, block, target.shape, strict=True)
        )
        values = np.asarray(source[region])
        if values.any():
            target[region] = values.astype(target.dtype)
        yield done / len(indices)


def _block_shape(source: LabelsArray, target: zarr.Array[Any]) -> tuple[int, ...]:
    """Return the smallest multiple of the target's chunks that a chunk of the source fits into."""
    sides = storage_shape(target)
    if not isinstance(source, zarr.Array):
        return sides
    pairs = zip(sides, storage_shape(source), strict=True)
    return tuple(side * -(-read // side) for side, read in pairs)


def _blocks_to_read(source: LabelsArray, block: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the indices of the blocks that may hold an object."""
    if not isinstance(source, zarr.Array) or source.fill_value:
        counts = (-(-n // side) for n, side in zip(source.shape, block, strict=True))
        return list(itertools.product(*map(range, counts)))
    touched: set[tuple[int, ...]] = set()
    for index in stored_chunks(source):
        sides = zip(chunk_region(source, index), block, strict=True)
        ranges = (range(s.start // side, -(-s.stop // side)) for s, side in sides)
        touched.update(itertools.product(*ranges))
    return sorted(touched)
