"""Which parts of a zarr array are stored at all."""

from __future__ import annotations

from typing import Any

import zarr
from zarr.core.sync import sync

from napari_sam.labels.array import LabelsArray


def storage_shape(array: LabelsArray) -> tuple[int, ...]:
    """Return the shape of what the array stores under one key: a shard, or else a chunk.

    Of an array in memory: a plane.
    """
    if not isinstance(array, zarr.Array):
        return (1,) * (len(array.shape) - 2) + tuple(array.shape[-2:])
    return array.shards or array.chunks


def stored_chunks(array: zarr.Array[Any]) -> set[tuple[int, ...]]:
    """Return the grid indices of the stored chunks (or shards); all others hold the fill value."""
    prefix = f"{array.path}/" if array.path else ""
    chunks = set()
    for key in sync(_list_keys(array)):
        parts = key.removeprefix(prefix).replace(".", "/").split("/")
        index = parts[1:] if parts[0] == "c" else parts
        if len(index) == array.ndim and all(part.isdigit() for part in index):
            chunks.add(tuple(int(part) for part in index))
    return chunks


def chunk_region(array: LabelsArray, index: tuple[int, ...]) -> tuple[slice, ...]:
    """Return the slices of one chunk (or shard), cut at the array's border."""
    return tuple(
        slice(i * side, min((i + 1) * side, n))
        for i, side, n in zip(index, storage_shape(array), array.shape, strict=True)
    )


async def _list_keys(array: zarr.Array[Any]) -> list[str]:
    return [key async for key in array.store.list_prefix(array.path)]
