"""Labels of a wider type, when numbers for new objects run out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import zarr
from numpy.typing import DTypeLike
from zarr.storage import MemoryStore

from napari_sam.labels.array import LabelsArray, check_labels
from napari_sam.labels.copy_chunks import iter_copied
from napari_sam.labels.growing_file import explained
from napari_sam.labels.point_of_no_return import PointOfNoReturn
from napari_sam.labels.retype import iter_retyped
from napari_sam.labels.save import SavedLabels, open_saved

MAX_BYTES = 4
"""Wider than uint32 no labels need to be."""


def ids_left(dtype: DTypeLike, highest: int) -> int:
    """Return how many more objects can get a number, above the highest one."""
    return max(int(np.iinfo(np.dtype(dtype)).max) - max(highest, 0), 0)


def wider_type(dtype: DTypeLike) -> np.dtype[Any]:
    """Return the next wider type: uint16 for uint8, uint32 for uint16.

    Raises
    ------
    ValueError
        If there is none.
    """
    dtype = np.dtype(dtype)
    if dtype.itemsize >= MAX_BYTES:
        raise ValueError(f"The labels are {dtype}, the widest type there is for them.")
    return np.dtype(f"{dtype.kind}{2 * dtype.itemsize}")


def widen_arrays(levels: list[LabelsArray]) -> Iterator[str | list[LabelsArray]]:
    """Copy labels in memory into arrays of the next wider type, a chunk at a time.

    Parameters
    ----------
    levels : list of numpy.ndarray or zarr.Array
        One array, or the levels of a pyramid.

    Yields
    ------
    str or list of arrays
        What is being done, and then the new levels.

    Raises
    ------
    TypeError
        If they are no labels.
    ValueError
        If there is no wider type, or the arrays lie on a disk.
    """
    widened: list[LabelsArray] = []
    for number, level in enumerate(levels):
        check_labels(level)
        dtype = wider_type(level.dtype)
        if isinstance(level, zarr.Array):
            wide = _empty_like(level, dtype)
            shares = iter_copied(level, wide)
            yield from _iter_told((number + share) / len(levels) for share in shares)
            widened.append(wide)
        else:
            yield from _iter_told([number / len(levels)])
            widened.append(np.asarray(level).astype(dtype))
    yield widened


def widen_saved(
    saved: SavedLabels, point: PointOfNoReturn | None = None
) -> Iterator[str | SavedLabels]:
    """Give OME-Zarr labels the next wider type where they lie, with their pyramid and journal.

    Whatever happens to the process, all of it is there in the old type or in the new one. Until it
    is done, or closed, or called off, nothing else may change the labels.

    Parameters
    ----------
    saved : SavedLabels
        Open for writing.
    point : PointOfNoReturn, optional
        Called off, the labels stay as they are; once past it, only the new ones are there.

    Yields
    ------
    str or SavedLabels
        What is being done, and then the labels, opened anew, unless it was called off.

    Raises
    ------
    OSError
        If the disk refuses; the labels stay as they were.
    ValueError
        If there is no wider type.
    """
    dtype = wider_type(saved.pyramid.dtype)
    with explained(saved.path):
        yield from _iter_told(iter_retyped(saved.path, dtype, point))
    if point is None or not point.call_off():
        yield open_saved(saved.path)


def _empty_like(level: zarr.Array[Any], dtype: np.dtype[Any]) -> zarr.Array[Any]:
    if not isinstance(level.store, MemoryStore):
        raise ValueError(
            f"The labels lie in {level.store_path}, and are not ours to replace. Save them "
            "elsewhere (Save labels …); what is saved can be widened."
        )
    layout: dict[str, Any] = {"shape": level.shape, "chunks": level.chunks, "shards": level.shards}
    return zarr.create_array({}, dtype=dtype, fill_value=0, **layout)


def _iter_told(shares: Iterable[float]) -> Iterator[str]:
    """Say which part is done, whenever a percent more is."""
    last = -1
    for share in shares:
        if (percent := round(100 * share)) != last:
            last = percent
            yield f"Making room for more objects: {percent} %"
