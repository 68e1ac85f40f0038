"""Raw pixels of any array or list of levels, read box by box."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.axes import parse_axes


class LazyArray(Protocol):
    """What is asked of an array: numpy, dask, zarr, h5py and many others have it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""

    @property
    def dtype(self) -> Any:
        """Type of the elements."""

    def __getitem__(self, index: Any, /) -> Any:
        """Return the part at a tuple of integers and slices."""


class Level(NamedTuple):
    """One resolution of a pyramid."""

    array: LazyArray
    shape_yx: tuple[int, int]
    downsample: tuple[float, float]
    """Level-0 pixels per pixel, in y and x; its pixel i covers ``[i f, (i + 1) f)``."""


@dataclass(frozen=True)
class Pyramid:
    """Arrays of the same image at one or more resolutions, and what their axes mean.

    Attributes
    ----------
    axes : str
        One letter of ``"tczyx"`` for each axis, in the order of the arrays.
    channels : tuple of int
        The one or three channels that are read; ``()`` if there is no channel axis.
    plane_shape : tuple of int
        Lengths of the axes other than c, y and x, in their order.
    dtype : numpy.dtype
        Type of the elements.
    levels : tuple of Level
        The finest first.
    """

    axes: str
    channels: tuple[int, ...]
    plane_shape: tuple[int, ...]
    dtype: np.dtype
    levels: tuple[Level, ...]

    def read(
        self, level: Level, plane: tuple[int, ...], rows: slice, columns: slice
    ) -> NDArray[Any]:
        """Read one box of one plane of a level as a (C, h, w) array; nothing else is asked for."""
        index: dict[str, int | slice] = dict(zip(self._plane_axes, plane, strict=True))
        index |= {"y": rows, "x": columns}
        kept = [axis for axis in self.axes if axis in "cyx"]
        order = [kept.index(axis) for axis in "cyx" if axis in kept]
        blocks = []
        for channels in self._channel_slices:
            index["c"] = channels
            block = np.asarray(level.array[tuple(index[axis] for axis in self.axes)])
            block = block.transpose(order)
            blocks.append(block.reshape(-1, *block.shape[-2:]))
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    @property
    def _plane_axes(self) -> str:
        return "".join(axis for axis in self.axes if axis not in "cyx")

    @property
    def _channel_slices(self) -> list[slice]:
        """One slice if the channels follow each other, else one for each."""
        if not self.channels:
            return [slice(None)]
        first, count = self.channels[0], len(self.channels)
        if self.channels == tuple(range(first, first + count)):
            return [slice(first, first + count)]
        return [slice(channel, channel + 1) for channel in self.channels]


def make_pyramid(
    arrays: Sequence[LazyArray], axes: str | None, channels: int | Sequence[int] | None
) -> Pyramid:
    """Check the levels of an image, the finest first, and describe them.

    Levels with fewer planes than the first are left out: their planes mix several of its planes.

    Raises
    ------
    TypeError
        If a level is not an array of real numbers.
    ValueError
        If the image is empty, the levels do not belong together, or axes or channels do not fit.
    """
    if not arrays:
        raise ValueError("An image needs at least one level, found an empty list.")
    for array in arrays:
        _check_array(array)
    shape, dtype = tuple(arrays[0].shape), np.dtype(arrays[0].dtype)
    axes = parse_axes(axes, shape, dtype)
    levels: list[Level] = []
    for number, array in enumerate(arrays):
        level = _make_level(array, axes, shape, number)
        if np.dtype(array.dtype) != dtype:
            raise ValueError(f"Level {number} has type {array.dtype}, level 0 has {dtype}.")
        if levels and max(level.shape_yx) > max(levels[-1].shape_yx):
            raise ValueError(
                f"The levels of an image stand from large to small, but level {number} with shape "
                f"{array.shape} follows a smaller one."
            )
        if _lengths(array.shape, axes, "tz") == _lengths(shape, axes, "tz"):
            levels.append(level)
    chosen = _parse_channels(channels, axes, shape)
    return Pyramid(axes, chosen, _lengths(shape, axes, "tz"), dtype, tuple(levels))


def _check_array(array: LazyArray) -> None:
    if not all(hasattr(array, name) for name in ("shape", "dtype", "__getitem__")):
        raise TypeError(
            f"An image is an array (numpy, dask, zarr, …), a list of such arrays from fine to "
            f"coarse, or the path of a zarr; found {type(array).__name__}."
        )
    if np.dtype(array.dtype).kind not in "buif":
        raise TypeError(
            f"An image holds booleans, integers or real numbers, found the type {array.dtype}. "
            f"Convert it first; for complex numbers take the magnitude, for example."
        )
    if not all(length >= 1 for length in array.shape):  # not even for the NaN of dask
        raise ValueError(
            f"Each axis of an image has a known length of at least 1, found shape {array.shape}."
        )


def _lengths(shape: tuple[int, ...], axes: str, which: str) -> tuple[int, ...]:
    return tuple(int(n) for axis, n in zip(axes, shape, strict=True) if axis in which)


def _make_level(array: LazyArray, axes: str, full_shape: tuple[int, ...], number: int) -> Level:
    shape = tuple(array.shape)
    if len(shape) != len(full_shape) or any(
        length > full or (axis == "c" and length != full)
        for axis, length, full in zip(axes, shape, full_shape, strict=True)
    ):
        raise ValueError(
            f"Level {number} with shape {shape} is not a smaller version of level 0 with shape "
            f"{full_shape} and axes {axes!r}."
        )
    height, width = _lengths(shape, axes, "yx")
    full_height, full_width = _lengths(full_shape, axes, "yx")
    return Level(array, (height, width), _downsample((height, width), (full_height, full_width)))


def _downsample(shape: tuple[int, int], full_shape: tuple[int, int]) -> tuple[float, float]:
    """Return the factors between two levels: whole numbers where rounding explains the rest.

    Of 1001 pixels, 500 or 501 remain at a factor of 2, and not of 2.002 or 1.998, which would
    move the far end by a pixel. The longer axis tells best; the other follows if it can.
    """

    def explains(factor: int, axis: int) -> bool:
        return abs(shape[axis] - full_shape[axis] / factor) < 1

    long = int(np.argmax(full_shape))
    common = round(full_shape[long] / shape[long])
    factors: list[float] = []
    for axis in range(2):
        own = round(full_shape[axis] / shape[axis])
        fitting = [factor for factor in (common, own) if explains(factor, axis)]
        factors.append(fitting[0] if fitting else full_shape[axis] / shape[axis])
    return factors[0], factors[1]


def _parse_channels(
    channels: int | Sequence[int] | None, axes: str, shape: tuple[int, ...]
) -> tuple[int, ...]:
    if "c" not in axes:
        if channels is not None:
            raise ValueError(f"channels={channels} was given, but axes={axes!r} has no channel c.")
        return ()
    count = shape[axes.index("c")]
    if channels is None:
        rgba = axes[-1] == "c" and count == 4
        if count not in (1, 3) and not rgba:
            raise ValueError(
                f"The image has {count} channels: say which one to read, or which three as red, "
                f"green and blue, for example channels=0."
            )
        return tuple(range(3 if rgba else count))
    try:
        chosen = channels if isinstance(channels, Iterable) else (channels,)
        parsed = tuple(operator.index(channel) for channel in chosen)
    except TypeError as error:
        raise TypeError(f"channels is {channels!r}; expected one integer or three.") from error
    if len(parsed) not in (1, 3) or not all(0 <= channel < count for channel in parsed):
        raise ValueError(
            f"channels is one number or three, each from 0 to {count - 1}, found {channels}."
        )
    return parsed
