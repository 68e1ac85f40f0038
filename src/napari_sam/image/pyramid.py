"""Raw pixels of any array or list of levels, read box by box."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.axes import PLANE_AXES, parse_axes
from napari_sam.image.channels import Channels, parse_channels
from napari_sam.image.level import LazyArray, Level, begin_at, place_levels
from napari_sam.image.source import Source, Transform
from napari_sam.image.unreadable import MASKED, chunk_shape, read_part

LARGE_CHUNK_BYTES = 1 << 28
"""Of a chunk above this size the user is told, for it is decoded for every window."""


@dataclass(frozen=True)
class Pyramid:
    """Arrays of the same image at one or more resolutions, and what their axes mean.

    Attributes
    ----------
    axes : str
        One letter of ``"ptczyx"`` for each axis, in the order of the arrays.
    channels : tuple of int
        The channels that are read; ``()`` if there is no channel axis.
    plane_shape : tuple of int
        Lengths of the axes other than c, y and x, in their order.
    dtype : numpy.dtype
        Type of the elements.
    levels : tuple of Level
        The finest first.
    is_maximum : bool
        Whether the maximum over the channels is read, else each of them, one to three.
    channel_axis : str
        The axis of planes whose positions are channels; "" if there is none.
    scale : tuple of float
        Size of a level-0 pixel along each axis, in `units`; 1 where it is not known.
    origin : tuple of float
        Center of the first level-0 pixel along each axis, in `units`.
    units : tuple of str or None
        Of each axis, as OME-Zarr names them.
    channel_names : tuple of str
        Of all channels, or empty.
    name : str
        What it is called in messages.
    notes : tuple of str
        What the user should know.
    """

    axes: str
    channels: tuple[int, ...]
    plane_shape: tuple[int, ...]
    dtype: np.dtype
    levels: tuple[Level, ...]
    is_maximum: bool = False
    channel_axis: str = ""
    scale: tuple[float, ...] = ()
    origin: tuple[float, ...] = ()
    units: tuple[str | None, ...] = ()
    channel_names: tuple[str, ...] = ()
    name: str = "the image"
    notes: tuple[str, ...] = ()

    @property
    def n_channels(self) -> int:
        """Channels of what is read."""
        return 1 if self.is_maximum else max(len(self.channels), 1)

    @property
    def n_places(self) -> int:
        """Positions along the channel axis, 1 if there is none."""
        if not self.channel_axis:
            return 1
        return self.plane_shape[self.plane_axes.index(self.channel_axis)]

    def read(
        self, level: Level, plane: tuple[int, ...], rows: slice, columns: slice
    ) -> NDArray[Any]:
        """Read one box of one plane of a level as a (C, h, w) array; nothing else is asked for.

        The plane is one of level 0; a level with fewer has it merged with its neighbors.
        """
        there = (
            min(i // _n_merged(n, n_there, level), n_there - 1)
            for i, n, n_there in zip(plane, self.plane_shape, self.planes_of(level), strict=True)
        )
        index: dict[str, int | slice] = dict(zip(self.plane_axes, there, strict=True))
        return self.read_box(level, index | {"y": rows, "x": columns})

    def read_box(self, level: Level, index: Mapping[str, int | slice]) -> NDArray[Any]:
        """Read a box as an array (C, …) of the axes that are slices, in their order.

        Parameters
        ----------
        level : Level
            Of this pyramid.
        index : mapping
            For each axis but c an integer or a slice.
        """
        number = [one.array is level.array for one in self.levels].index(True)
        kept = [axis for axis in self.axes if axis == "c" or isinstance(index[axis], slice)]

        def read(channels: slice) -> NDArray[Any]:
            whole = {**index, "c": channels}
            part = tuple(whole[axis] for axis in self.axes)
            box = read_part(level.array, part, f"Level {number} of {self.name}")
            return np.moveaxis(box, kept.index("c"), 0) if "c" in kept else box[None]

        slices = self._channel_slices(level)
        if self.is_maximum:
            parts = (np.fmax.reduce(read(part), axis=0, keepdims=True) for part in slices)
            return reduce(np.fmax, parts)
        blocks = [read(part) for part in slices]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def planes_of(self, level: Level) -> tuple[int, ...]:
        """Return the lengths of the axes other than c, y and x in a level."""
        return _lengths(level.array.shape, self.axes, PLANE_AXES)

    @property
    def plane_axes(self) -> str:
        """The axes other than c, y and x."""
        return "".join(axis for axis in self.axes if axis not in "cyx")

    def _channel_slices(self, level: Level) -> list[slice]:
        """One slice if the channels follow each other, else one for each.

        The maximum over many channels is taken chunk by chunk, so that few are held at once.
        """
        if not self.channels:
            return [slice(None)]
        first, count = self.channels[0], len(self.channels)
        if self.is_maximum:
            chunks = chunk_shape(level.array)
            side = chunks[self.axes.index("c")] if chunks else 1
            side = count if self.axes[-1] == "c" else side
            return [slice(start, min(start + side, count)) for start in range(0, count, side)]
        if self.channels == tuple(range(first, first + count)):
            return [slice(first, first + count)]
        return [slice(channel, channel + 1) for channel in self.channels]


def make_pyramid(
    source: Source,
    axes: str | None,
    channels: Channels,
    channel_axis: str | None = None,
    first_level: int = 0,
) -> Pyramid:
    """Check the levels of an image, the finest first, and describe them.

    Levels with fewer time points than the first are left out; those with fewer planes along z are
    kept, for windows of which finer levels would be too much to read. With a `first_level`, the
    finer ones are left out, and the image is as large as that one.

    Raises
    ------
    TypeError
        If a level is not an array of real numbers.
    ValueError
        If the image is empty, the levels do not belong together, or axes or channels do not fit.
    """
    if not source.arrays:
        raise ValueError("An image needs at least one level, found an empty list.")
    for array in source.arrays:
        _check_array(array)
    shape, dtype = tuple(source.arrays[0].shape), np.dtype(source.arrays[0].dtype)
    axes = parse_axes(axes or source.axes, shape, dtype)
    if channel_axis and channel_axis not in {axis for axis in axes if axis in PLANE_AXES}:
        raise ValueError(
            f"channel_axis={channel_axis!r} is none of the letters p, t, z in axes={axes!r}. An "
            f"axis c is read through channels=."
        )
    for number in range(1, len(source.arrays)):
        _check_level(source, axes, number)
    placed = place_levels(source.arrays, (axes.index("y"), axes.index("x")), source.transforms)
    transform = _transform(source, axes, placed, first_level)
    placed = begin_at(placed, first_level)
    shape = tuple(placed[0].array.shape)
    levels = [
        level
        for level in placed
        if _lengths(level.array.shape, axes, "pt") == _lengths(shape, axes, "pt")
    ]
    names = source.channel_names
    if "c" not in axes or len(names) != shape[axes.index("c")] or not any(names):
        names = ()
    notes = source.notes
    if n_left_out := len(placed) - len(levels):
        notes += (f"levels with fewer time points are not used ({n_left_out} of {len(placed)})",)
    if any(
        _lengths(level.array.shape, axes, "z") != _lengths(shape, axes, "z") for level in levels
    ):
        notes += (
            "coarse levels merge neighboring planes, and so do windows of very large objects",
        )
    if channel_axis:
        n_channels = shape[axes.index(channel_axis)]
        notes += (f"each of its {n_channels} channels has an intensity range of its own",)
    chunk_bytes = math.prod(chunk_shape(levels[0].array) or ()) * dtype.itemsize
    if chunk_bytes > LARGE_CHUNK_BYTES:
        notes += (
            f"each window decodes at least {chunk_bytes / 1e9:.1f} GB, the size of a chunk; store "
            f"the image in smaller chunks or tiles",
        )
    return Pyramid(
        axes,
        parse_channels(channels, axes, shape, names),
        _lengths(shape, axes, PLANE_AXES),
        dtype,
        tuple(levels),
        is_maximum=isinstance(channels, str) and channels == "max",
        channel_axis=channel_axis or "",
        scale=transform.scale,
        origin=transform.translation,
        units=source.units if len(source.units) == len(axes) else (None,) * len(axes),
        channel_names=names,
        name=source.name,
        notes=notes,
    )


def _transform(source: Source, axes: str, levels: Sequence[Level], first_level: int) -> Transform:
    """Return the size of a pixel of the first level that is used, and where it lies."""
    plain = Transform((1.0,) * len(axes), (0.0,) * len(axes))
    known = source.transforms[0] if source.transforms else plain
    if not 0 < first_level < len(levels):
        return known
    full, level = levels[0].array.shape, levels[first_level]
    factors = [round(n / own) for n, own in zip(full, level.array.shape, strict=True)]
    placed = dict(zip("yx", zip(level.downsample, level.offset, strict=True), strict=True))
    rows = [placed.get(axis, (n, 0.0)) for axis, n in zip(axes, factors, strict=True)]
    return Transform(
        tuple(size * n for size, (n, _) in zip(known.scale, rows, strict=True)),
        tuple(
            start + size * (offset + (n - 1) / 2)
            for start, size, (n, offset) in zip(known.translation, known.scale, rows, strict=True)
        ),
    )


def _check_array(array: LazyArray) -> None:
    if not all(hasattr(array, name) for name in ("shape", "dtype", "__getitem__")):
        raise TypeError(
            f"An image is an array (numpy, dask, zarr, xarray, …), a list of such arrays from fine "
            f"to coarse, or a path (zarr, TIFF, npy); found {type(array).__name__}."
        )
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(MASKED)
    if isinstance(getattr(array, "_meta", None), np.ma.MaskedArray):  # of dask
        raise TypeError(MASKED)
    if np.dtype(array.dtype).kind not in "buif":
        raise TypeError(
            f"An image holds booleans, integers or real numbers, found the type {array.dtype}. "
            f"Convert it first; for complex numbers take the magnitude, for example."
        )
    if not all(length >= 1 for length in array.shape):  # not even for the NaN of dask
        raise ValueError(
            f"Each axis of an image has a known length of at least 1, found shape {array.shape}."
        )


def _check_level(source: Source, axes: str, number: int) -> None:
    """Refuse a level that does not go with those before it."""
    array, before, full = (source.arrays[n] for n in (number, number - 1, 0))
    if len(array.shape) != len(full.shape) or any(
        length > whole or (axis == "c" and length != whole)
        for axis, length, whole in zip(axes, array.shape, full.shape, strict=True)
    ):
        raise ValueError(
            f"Level {number} with shape {tuple(array.shape)} is not a smaller version of level 0 "
            f"with shape {tuple(full.shape)} and axes {axes!r}."
        )
    if np.dtype(array.dtype) != np.dtype(full.dtype):
        raise ValueError(f"Level {number} has type {array.dtype}, level 0 has {full.dtype}.")
    if max(_lengths(array.shape, axes, "yx")) > max(_lengths(before.shape, axes, "yx")):
        raise ValueError(
            f"The levels of an image stand from large to small, but level {number} with shape "
            f"{tuple(array.shape)} follows a smaller one."
        )
    if not source.transforms and tuple(array.shape) == tuple(before.shape):
        raise ValueError(
            f"A list is read as the levels of a pyramid, but level {number} is as large as the one "
            f"before, {tuple(array.shape)}: for planes or channels, stack them into one array."
        )


def _n_merged(n: int, n_there: int, level: Level) -> int:
    """Return how many planes a level merges: as many as rows, if that explains how many it has."""
    as_rows = round(max(level.downsample))
    return as_rows if n_there < n and abs(n_there - n / as_rows) < 1 else round(n / n_there)


def _lengths(shape: tuple[int, ...], axes: str, which: str) -> tuple[int, ...]:
    return tuple(int(n) for axis, n in zip(axes, shape, strict=True) if axis in which)
