"""The levels of a pyramid of labels: what of a coarser one depends on what of a finer one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray, check_writable
from napari_sam.labels.block_mode import block_mode
from napari_sam.labels.chunks import chunk_region, storage_shape

BAND_ROWS = 256
"""Rows of a coarser level that are made at a time, from a row of chunks."""

Region = tuple[slice, ...]
Shape = tuple[int, ...]


class Levels:
    """The levels of a pyramid as one array: what is written into it is there in all of them.

    Parameters
    ----------
    levels : sequence of numpy.ndarray or zarr.Array
        From the finest to the coarsest; also a single one.
    """

    def __init__(self, levels: Sequence[LabelsArray]) -> None:
        self.levels = tuple(levels)

    @property
    def shape(self) -> Shape:
        """Shape of the finest level."""
        return tuple(self.levels[0].shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the labels."""
        return np.dtype(self.levels[0].dtype)

    def __getitem__(self, region: Any, /) -> NDArray[Any]:
        """Return a region of the finest level."""
        return np.asarray(self.levels[0][region])

    def __setitem__(self, region: tuple[int | slice, ...], values: Any, /) -> None:
        """Write a region of the finest level, and make the coarser ones of it again."""
        self.levels[0][region] = values
        update_levels(self.levels, region)


def check_levels(levels: Sequence[object]) -> None:
    """Refuse levels that cannot be written, or of which the coarser cannot be made.

    Raises
    ------
    ValueError
        If there is one.
    """
    for number, level in enumerate(levels):
        if not isinstance(level, np.ndarray | zarr.Array):
            what = f"Level {number}" if len(levels) > 1 else "It"
            raise ValueError(
                f"{what} holds {type(level).__module__.partition('.')[0]} data, which cannot be "
                "written in place; expected numpy or zarr."
            )
        check_writable(level)
    for fine, coarse in itertools.pairwise(levels):
        level_factors(fine.shape, coarse.shape)  # type: ignore[attr-defined]


def level_factors(fine: Shape, coarse: Shape) -> Shape:
    """Return by what each axis of a level is reduced in the next one; 1 where it is not.

    Lengths that cannot be divided are rounded up or down.

    Raises
    ------
    ValueError
        If an axis is not reduced by a whole number.
    """
    if len(fine) == len(coarse) and min(coarse, default=0) > 0:
        factors = tuple(map(_factor, fine, coarse))
        if all(factors):
            return factors
    raise ValueError(
        f"A level has shape {tuple(coarse)} and the one before {tuple(fine)}; expected each axis "
        "reduced by a whole number, such as 2 or 3, or not at all."
    )


def update_levels(levels: Sequence[LabelsArray], region: Sequence[int | slice]) -> None:
    """Make what depends on a region of the finest level again in the coarser ones.

    Parameters
    ----------
    levels : sequence of numpy.ndarray or zarr.Array
        From the finest to the coarsest.
    region : sequence of int and slice
        What changed in the finest, such as `Edit.region`: one entry per axis.

    Raises
    ------
    ValueError
        As `level_factors`. Nothing is written.
    """
    factors = [
        level_factors(fine.shape, coarse.shape) for fine, coarse in itertools.pairwise(levels)
    ]
    changed = as_slices(region, levels[0].shape)
    for (fine, coarse), by in zip(itertools.pairwise(levels), factors, strict=True):
        changed = coarse_region(changed, by, coarse.shape)
        for part in cut(changed, storage_shape(coarse)):
            make_part(fine, coarse, part)


def update_chunks(levels: Sequence[LabelsArray], changed: Iterable[tuple[int, ...]]) -> None:
    """Make what depends on chunks (or shards) of the finest level again, whole chunks at a time.

    Raises
    ------
    ValueError
        As `level_factors`.
    """
    for fine, coarse in itertools.pairwise(levels):
        changed = coarse_chunks(fine, coarse, changed)
        for index in sorted(changed):
            make_part(fine, coarse, chunk_region(coarse, index))


def coarse_chunks(
    fine: LabelsArray, coarse: LabelsArray, changed: Iterable[tuple[int, ...]]
) -> set[tuple[int, ...]]:
    """Return the chunks (or shards) of the coarser level that lie over some of the finer one."""
    factors, sides = level_factors(fine.shape, coarse.shape), storage_shape(coarse)
    return {
        tuple(axis.start // side for axis, side in zip(part, sides, strict=True))
        for index in changed
        for part in cut(coarse_region(chunk_region(fine, index), factors, coarse.shape), sides)
    }


def make_part(fine: LabelsArray, coarse: LabelsArray, part: Region) -> None:
    """Make a part of the coarser level, a few rows at a time, and write it at once."""
    factors = level_factors(fine.shape, coarse.shape)
    *leading, rows, columns = part
    bands = [
        (*leading, slice(start, min(start + BAND_ROWS, rows.stop)), columns)
        for start in range(rows.start, rows.stop, BAND_ROWS)
    ]
    below = (_fine_region(band, factors, fine.shape) for band in bands)
    made = [block_mode(np.asarray(fine[region]), factors) for region in below]
    coarse[part] = np.concatenate(made, axis=-2)


def coarse_region(region: Region, factors: Shape, coarse_shape: Shape) -> Region:
    """Return the region of the coarser level that depends on a region of the finer one."""
    return tuple(
        slice(min(s.start // by, n), min(-(-s.stop // by), n))
        for s, by, n in zip(region, factors, coarse_shape, strict=True)
    )


def cut(region: Region, sides: Shape) -> Iterator[Region]:
    """Cut a region along the borders of chunks."""
    parts_by_axis = [
        [
            slice(max(s.start, i * side), min(s.stop, (i + 1) * side))
            for i in range(s.start // side, -(-s.stop // side))
            if s.start < s.stop
        ]
        for s, side in zip(region, sides, strict=True)
    ]
    yield from itertools.product(*parts_by_axis)


def as_slices(region: Sequence[int | slice], shape: Shape) -> Region:
    """Return a region, one entry per axis, without integers and open ends."""
    return tuple(
        slice(*i.indices(n)[:2]) if isinstance(i, slice) else slice(i, i + 1)
        for i, n in zip(region, shape, strict=True)
    )


def _fine_region(region: Region, factors: Shape, fine_shape: Shape) -> Region:
    """Return the region of the finer level that a region of the coarser one is made of."""
    return tuple(
        slice(by * s.start, min(by * s.stop, n))
        for s, by, n in zip(region, factors, fine_shape, strict=True)
    )


def _factor(fine: int, coarse: int) -> int:
    """Return the whole number by which a length is reduced; 0 if there is none."""
    for by in (fine // coarse, -(-fine // coarse)):
        if by and coarse in (fine // by, -(-fine // by)):
            return by
    return 0
