"""Labels on disk: an OME-Zarr 0.5 label image with its pyramid."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import zarr
from numpy.typing import DTypeLike

from napari_sam.labels.pyramid import LabelsPyramid, half_shape

CHUNK_SIDE = 512
"""Rows and columns of a chunk: one click rewrites a few of them, and a large image is not too many
files."""

JOURNAL = "objects.jsonl"
"""The journal of objects, in the folder of the finest level: in that of the group, zarr warns of a
file that it does not know."""

RUN = "napari_sam_segmentation"
"""Attribute of labels that automatic segmentation made: the record of the run, and the highest
label."""

_AXIS_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}


def create_labels(
    path: str | os.PathLike[str],
    shape: Sequence[int],
    *,
    axes: str | None = None,
    scale: Sequence[float] | None = None,
    origin: Sequence[float] | None = None,
    units: Sequence[str | None] | None = None,
    dtype: DTypeLike = "uint16",
    chunks: Sequence[int] | None = None,
    shards: Sequence[int] | None = None,
    n_levels: int = 1,
) -> LabelsPyramid:
    """Make an empty OME-Zarr 0.5 label image. What is never written takes no space.

    Parameters
    ----------
    path : path
        A directory that does not exist yet. In the directory ``labels`` of an OME-Zarr image, the
        new label image is listed there, so that viewers find it.
    shape : sequence of int
        Of level 0.
    axes : str, optional
        A letter per axis, in the order of "tczyx". Default: the last letters, "yx" or "zyx".
    scale : sequence of float, optional
        Size of a pixel along each axis, in `units`. Default: 1.
    origin : sequence of float, optional
        Center of the first pixel along each axis, in `units`. Default: 0.
    units : sequence of str or None, optional
        Names as OME-Zarr has them, such as "micrometer" or "second"; None where there is none.
    dtype : dtype
        An integer type. uint16 is drawn several times faster than uint32.
    chunks : sequence of int, optional
        Shape of a chunk. Default: 512 x 512 pixels of one plane.
    shards : sequence of int, optional
        Shape of what is stored in one file, a multiple of `chunks`: then large labels are fewer
        files, and writing less than a shard rewrites all of it. Default: a file for each chunk.
    n_levels : int
        At least so many levels; by default as many as it takes until a plane fits into one chunk.

    Returns
    -------
    LabelsPyramid
        Its `data` is the zarr array to write into.

    Raises
    ------
    FileExistsError
        If there is something at `path`.
    TypeError, ValueError
        If the dtype is not integer, or the other arguments do not fit each other.
    """
    path = Path(path)
    shape = tuple(int(n) for n in shape)
    axes = "tczyx"[-len(shape) :] if axes is None else axes
    scale = (1.0,) * len(shape) if scale is None else tuple(float(s) for s in scale)
    origin = (0.0,) * len(shape) if origin is None else tuple(float(start) for start in origin)
    units = (None,) * len(shape) if units is None else tuple(units)
    chunks = (1,) * (len(shape) - 2) + (CHUNK_SIDE,) * 2 if chunks is None else tuple(chunks)
    _check_layout(shape, axes, scale, origin, units, chunks)
    if shards is not None and any(n % side for n, side in zip(shards, chunks, strict=True)):
        raise ValueError(f"The shards {tuple(shards)} are no multiple of the chunks {chunks}.")
    if np.dtype(dtype).kind not in "iu":
        raise TypeError(f"The dtype is {np.dtype(dtype)}; labels are integers, such as uint16.")
    if path.exists():
        raise FileExistsError(f"{path} exists; open it with open_labels, or choose another path.")

    shapes = _level_shapes(shape, chunks, n_levels)
    metadata = _metadata(path.stem, axes, scale, origin, units, n_levels=len(shapes))
    group = zarr.create_group(store=path, zarr_format=3, attributes={"ome": metadata})
    levels = tuple(
        group.create_array(
            str(level),
            shape=level_shape,
            chunks=chunks,
            shards=None if shards is None else tuple(shards),
            dtype=np.dtype(dtype),
            fill_value=0,
            dimension_names=list(axes),
        )
        for level, level_shape in enumerate(shapes)
    )
    list_in_parent(path)
    return LabelsPyramid(group, levels)


def open_labels(path: str | os.PathLike[str], *, mode: Literal["r", "r+"] = "r+") -> LabelsPyramid:
    """Open an OME-Zarr 0.5 label image.

    Raises
    ------
    FileNotFoundError
        If there is no zarr group at `path`.
    ValueError
        If the group is not an OME-Zarr 0.5 label image.
    """
    group = zarr.open_group(Path(path), mode=mode)
    ome = group.attrs.get("ome")
    if not isinstance(ome, dict) or not {"multiscales", "image-label"} <= ome.keys():
        raise ValueError(
            f"{path} is a zarr group, but not an OME-Zarr 0.5 label image: its attributes lack "
            "ome.multiscales or ome.image-label."
        )
    datasets = cast(dict[str, Any], ome)["multiscales"][0]["datasets"]
    return LabelsPyramid(group, tuple(_open_level(group, dataset["path"]) for dataset in datasets))


def _open_level(group: zarr.Group, path: str) -> zarr.Array[Any]:
    level = group[path]
    if not isinstance(level, zarr.Array):
        raise ValueError(f"{path!r}, listed as a level of the label image, is not an array.")
    return level


def _check_layout(
    shape: tuple[int, ...],
    axes: str,
    scale: tuple[float, ...],
    origin: tuple[float, ...],
    units: tuple[str | None, ...],
    chunks: tuple[int, ...],
) -> None:
    if not 2 <= len(shape) <= len(_AXIS_TYPES) or min(shape) < 1:
        raise ValueError(f"The shape is {shape}; expected 2 to 5 axes, none of them empty.")
    if axes[-2:] != "yx" or "".join(a for a in _AXIS_TYPES if a in axes) != axes:
        raise ValueError(
            f"The axes are {axes!r}; expected letters of 'tczyx' in that order, ending in 'yx'."
        )
    told = {"axes": axes, "scale": scale, "origin": origin, "units": units, "chunks": chunks}
    for name, values in told.items():
        if len(values) != len(shape):
            raise ValueError(
                f"The shape {shape} has {len(shape)} axes, and {name} has {len(values)} entries: "
                f"{values!r}; expected one per axis."
            )
    if not all(s > 0 and np.isfinite(s) for s in scale):
        raise ValueError(f"The scale is {scale}; expected sizes above 0.")
    if min(chunks) < 1:
        raise ValueError(f"The chunks are {chunks}; expected at least 1 along each axis.")


def _level_shapes(
    shape: tuple[int, ...], chunks: tuple[int, ...], n_levels: int
) -> list[tuple[int, ...]]:
    """Return the shapes of all levels; the coarsest plane fits into one chunk."""
    shapes = [shape]
    while len(shapes) < n_levels or any(
        n > side for n, side in zip(shapes[-1][-2:], chunks[-2:], strict=True)
    ):
        shapes.append(half_shape(shapes[-1]))
    return shapes


def _metadata(
    name: str,
    axes: str,
    scale: tuple[float, ...],
    origin: tuple[float, ...],
    units: tuple[str | None, ...],
    n_levels: int,
) -> dict[str, Any]:
    """Return the attribute ``ome`` of the group."""
    datasets = []
    for level in range(n_levels):
        factors = np.array([2**level if axis in "yx" else 1 for axis in axes])
        # The center of a coarse pixel is that of the block of pixels below it.
        first = np.array(origin) + (factors - 1) / 2 * scale
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": (factors * scale).tolist()},
                    {"type": "translation", "translation": first.tolist()},
                ],
            }
        )
    multiscale = {
        "name": name,
        "axes": [
            {"name": axis, "type": _AXIS_TYPES[axis]} | ({"unit": unit} if unit else {})
            for axis, unit in zip(axes, units, strict=True)
        ],
        "datasets": datasets,
        "type": "mode",
    }
    return {"version": "0.5", "multiscales": [multiscale], "image-label": {}}


def list_in_parent(path: Path) -> None:
    """Name a new label image in the ``labels`` group that it lies in, if it does."""
    if path.parent.name != "labels":
        return
    labels = zarr.open_group(path.parent, mode="a", zarr_format=3)
    ome = labels.attrs.get("ome")
    names = ome.get("labels", []) if isinstance(ome, dict) else []
    if path.name not in names:
        labels.attrs["ome"] = {"version": "0.5", "labels": [*names, path.name]}
