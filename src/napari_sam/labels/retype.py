"""OME-Zarr labels in another integer type, in place: either all levels change or none."""

from __future__ import annotations

import copy
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, cast

import numpy as np
import zarr

from napari_sam.labels.copy_chunks import iter_copied
from napari_sam.labels.ome_zarr import JOURNAL, open_labels
from napari_sam.labels.point_of_no_return import PointOfNoReturn

LEFT_OVER = "napari_sam_left_over"
"""Attribute of the group: arrays in it that are no levels, not yet or not any more."""

PATIENCE_S = 60
"""How long one waits for another who is at the same labels: that one cleans up, and ends."""

_locks: defaultdict[Path, Lock] = defaultdict(Lock)


def iter_retyped(
    path: Path, dtype: np.dtype[Any], point: PointOfNoReturn | None = None
) -> Iterator[float]:
    """Write all levels anew beside the old ones, and then let them change places.

    They do so when the metadata of the group are replaced, which happens at once. The journal
    of objects moves along; nothing else may write the labels meanwhile. One who has been called off
    is waited for.

    Parameters
    ----------
    path : path
        Of OME-Zarr labels.
    dtype : dtype
        That all numbers fit into.
    point : PointOfNoReturn, optional
        Passed just before the levels change places; if it has been called off, they do not.

    Yields
    ------
    float
        Which part is done.

    Raises
    ------
    ValueError
        If somebody else is at these labels and does not end, or has made them wide enough.
    """
    lock = _locks[path.resolve()]
    if not lock.acquire(timeout=PATIENCE_S):
        raise ValueError(f"The labels {path} are still being changed. Try again later.")
    try:
        yield from _iter_retyped(path, dtype, point)
    finally:
        lock.release()


def _iter_retyped(
    path: Path, dtype: np.dtype[Any], point: PointOfNoReturn | None
) -> Iterator[float]:
    pyramid = open_labels(path)
    if pyramid.dtype.itemsize >= dtype.itemsize:
        raise ValueError(f"The labels {path} are {pyramid.dtype} by now. Open them again.")
    group = pyramid.group
    old = level_names(group)
    new = [f"{level}_{np.dtype(dtype).name}" for level in range(len(old))]
    group.attrs[LEFT_OVER] = new
    try:
        for level, (source, name) in enumerate(zip(pyramid.levels, new, strict=True)):
            for share in iter_copied(source, _make_like(source, group, name, dtype)):
                yield (level + share) / len(new)
        if (journal := path / old[0] / JOURNAL).exists():
            shutil.copyfile(journal, path / new[0] / JOURNAL)
        if point is not None and not point.go_past():
            return
        group.update_attributes({"ome": _renamed(group, new), LEFT_OVER: old})
    finally:
        remove_left_over(group)


def remove_left_over(group: zarr.Group) -> None:
    """Remove arrays that were to become levels, or were levels, when a process died."""
    names = group.attrs.get(LEFT_OVER)
    if not isinstance(names, list):
        return
    with suppress(OSError):  # then they are removed when the labels are opened again
        for name in set(map(str, names)) - set(level_names(group)):
            if name in group:
                del group[name]
        del group.attrs[LEFT_OVER]


def level_names(group: zarr.Group) -> list[str]:
    """Return where the levels of a label image lie in its group, the finest first."""
    ome = cast(dict[str, Any], group.attrs["ome"])
    return [dataset["path"] for dataset in ome["multiscales"][0]["datasets"]]


def _renamed(group: zarr.Group, names: list[str]) -> dict[str, Any]:
    """Return the attribute ``ome`` with other arrays as levels."""
    ome = copy.deepcopy(cast(dict[str, Any], group.attrs["ome"]))
    for dataset, name in zip(ome["multiscales"][0]["datasets"], names, strict=True):
        dataset["path"] = name
    return ome


def _make_like(
    source: zarr.Array[Any], group: zarr.Group, name: str, dtype: np.dtype[Any]
) -> zarr.Array[Any]:
    metadata = source.metadata
    return group.create_array(
        name,
        shape=source.shape,
        chunks=source.chunks,
        shards=source.shards,
        dtype=dtype,
        fill_value=0,
        dimension_names=getattr(metadata, "dimension_names", None),
        overwrite=True,
    )
