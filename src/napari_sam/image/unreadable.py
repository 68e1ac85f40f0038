"""Reading a part of an array, and saying which chunk it is that can't be read."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

Index = tuple[int | slice, ...]

MAX_CHUNKS = 1024
"""How many chunks are tried one by one to find the damaged one."""


MASKED = (
    "A masked array is not read, since its mask would be lost: fill it first, for example "
    "array.filled(0), or array.astype(float).filled(nan), which is left out of the normalization."
)


class UnreadableError(OSError):
    """Pixels that can't be read; the message says which, why, and what to do."""


def read_part(array: Any, index: Index, name: str) -> NDArray[Any]:
    """Return a part of an array in memory.

    Parameters
    ----------
    array : array
        Numpy, zarr, dask and the like.
    index : tuple of int and slice
        One entry for each axis.
    name : str
        What to call the array in messages.

    Raises
    ------
    UnreadableError
        If a chunk can't be read or decoded.
    TypeError
        If some of it is masked.
    """
    try:
        pixels = np.asanyarray(array[index])
    except MemoryError:
        raise
    except Exception as error:
        told = _told(error)
        if told is not None:
            raise told from error.__cause__
        raise UnreadableError(_explain(array, index, name, error)) from error
    if isinstance(array, zarr.Array) and isinstance(array.store, LocalStore):
        folder = array.store.root  # without it, zarr reads what was never written
        if not folder.exists():
            raise UnreadableError(
                f"{name} can't be read: {folder} is not there any more. Connect its disk again."
            )
    if np.ma.is_masked(pixels):
        raise TypeError(MASKED)
    return np.asarray(pixels)


def chunk_shape(array: Any) -> tuple[int, ...] | None:
    """Return the shape of what is decoded at once, or None for an array without chunks."""
    chunks = getattr(array, "chunksize", None) or getattr(array, "chunks", None)
    if not chunks:
        return None
    return tuple(max(one) if isinstance(one, tuple) else int(one) for one in chunks)


def _told(error: BaseException) -> UnreadableError | None:
    """Return the error that says already what is wrong, from a group if need be."""
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(_told, error.exceptions)), None)
    return error if isinstance(error, UnreadableError) else None


def _explain(array: Any, index: Index, name: str, error: Exception) -> str:
    """Say what can't be read, as narrowly as the chunks of the array allow."""
    bounds = [
        slice(*one.indices(length)[:2]) if isinstance(one, slice) else slice(one, one + 1)
        for one, length in zip(index, array.shape, strict=True)
    ]
    sides = chunk_shape(array) or array.shape
    chunk, part = _broken_chunk(array, bounds, sides) or (None, bounds)
    place = ", ".join(f"{one.start}:{one.stop}" for one in part)
    why = f"{name} can't be read at [{place}] ({type(error).__name__}: {error})"
    if chunk is None or not isinstance(array, zarr.Array):
        return f"{why}. Make or copy this part of the image again."
    return (
        f"{why}: {_chunk_file(array, chunk)} is damaged. Copy this file again from the original, "
        f"or delete it: then it reads as {array.fill_value}."
    )


def _broken_chunk(
    array: Any, bounds: list[slice], sides: tuple[int, ...]
) -> tuple[tuple[int, ...], list[slice]] | None:
    """Return the first chunk inside bounds that can't be read: its numbers, and its part."""
    numbers = [
        range(one.start // side, -(-one.stop // side))
        for one, side in zip(bounds, sides, strict=True)
    ]
    for chunk in itertools.islice(itertools.product(*numbers), MAX_CHUNKS):
        part = [
            slice(max(one.start, n * side), min(one.stop, (n + 1) * side))
            for one, n, side in zip(bounds, chunk, sides, strict=True)
        ]
        try:
            np.asarray(array[tuple(part)])
        except Exception:
            return chunk, part
    return None


def _chunk_file(array: zarr.Array[Any], chunk: tuple[int, ...]) -> str:
    """Return the address of the file that holds a chunk."""
    if array.shards is not None:
        chunk = tuple(
            n * side // shard
            for n, side, shard in zip(chunk, array.chunks, array.shards, strict=True)
        )
    return f"{array.store_path}/{array.metadata.encode_chunk_key(chunk)}"
