"""How the levels of a pyramid lie upon each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from napari_sam.image.source import Transform


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
    """Level-0 pixels per pixel f, in y and x."""

    offset: tuple[float, float] = (0.0, 0.0)
    """Edge o of the first pixel, in level-0 pixels from the edge of the image, in y and x: pixel i
    covers ``[o + i f, o + (i + 1) f)``."""


def place_levels(
    arrays: Sequence[LazyArray], yx: tuple[int, int], transforms: Sequence[Transform]
) -> list[Level]:
    """Find out how large the pixels of each level are, and where the first one starts.

    Where the metadata scale the levels as their shapes allow, this is believed. Offsets are
    believed if levels differ in them: many writers leave them out, or give the same to all levels,
    though coarse pixels average fine ones. Without, levels start at the same edge.

    Parameters
    ----------
    arrays : sequence of array
        From fine to coarse.
    yx : (int, int)
        Which axes are y and x.
    transforms : sequence of Transform
        Of each level, or empty.
    """
    full = _at(arrays[0].shape, yx)
    levels = []
    for number, array in enumerate(arrays):
        shape = _at(array.shape, yx)
        downsample, offset = _downsample(shape, full), (0.0, 0.0)
        if len(transforms) == len(arrays):
            told = _told(transforms, number, yx)
            if all(_fits(*one) for one in zip(shape, full, *told, strict=True)):
                downsample, offset = told
        levels.append(Level(array, shape, downsample, offset))
    return levels


def begin_at(levels: Sequence[Level], number: int) -> list[Level]:
    """Return a level and the coarser ones, measured in its pixels: an image of its own.

    Raises
    ------
    ValueError
        If there is no such level.
    """
    if not 0 <= number < len(levels):
        there = "a single level, 0" if len(levels) == 1 else f"levels 0 to {len(levels) - 1}"
        raise ValueError(
            f"The image has {there}, and no level {number}: choose another, or a step of 2, 4, …, "
            f"which looks at half, a quarter, … of the resolution of any image."
        )
    base = levels[number]
    return [
        one._replace(
            downsample=_divided(one.downsample, base.downsample),
            offset=_divided(np.subtract(one.offset, base.offset), base.downsample),
        )
        for one in levels[number:]
    ]


Pair = tuple[float, float]


def _divided(values: ArrayLike, by: Pair) -> Pair:
    y, x = (np.asarray(values, float) / by).tolist()
    return y, x


def _at(values: Sequence[Any], yx: tuple[int, int]) -> Any:
    return values[yx[0]], values[yx[1]]


def _told(transforms: Sequence[Transform], number: int, yx: tuple[int, int]) -> tuple[Pair, Pair]:
    """Return the factors and offsets that the metadata tell."""
    scale, own_scale = (np.array(_at(transforms[n].scale, yx)) for n in (0, number))
    start, own_start = (np.array(_at(transforms[n].translation, yx)) for n in (0, number))
    factors = own_scale / scale
    factors = np.where(np.abs(factors - np.round(factors)) < 1e-6, np.round(factors), factors)
    offsets = np.zeros(2)
    if len({_at(one.translation, yx) for one in transforms}) > 1:
        # From centers of pixels to their edges.
        offsets = np.round((own_start - start) / scale - (factors - 1) / 2, 6)
    return (float(factors[0]), float(factors[1])), (float(offsets[0]), float(offsets[1]))


def _fits(length: int, full: int, factor: float, offset: float) -> bool:
    """Tell whether pixels of this size, rounded up or down in number, cover the image."""
    return abs(offset + factor * length - full) < factor and abs(offset) < factor


def _downsample(shape: tuple[int, int], full_shape: tuple[int, int]) -> Pair:
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
