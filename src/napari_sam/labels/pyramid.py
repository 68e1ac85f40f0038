"""The coarser levels of a labels array, kept up with what is written into the finest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_sam.labels.chunks import chunk_region, storage_shape, stored_chunks

BAND_ROWS = 256
"""Rows of a coarser level that are made at a time, from a row of chunks."""


@dataclass(frozen=True)
class LabelsPyramid:
    """The levels of one label image, each half as high and wide as the one before.

    What is written into the pyramid itself, as into an array, is there in all levels. Or write into
    `data`, then `update` the region that was written.

    Parameters
    ----------
    group : zarr.Group
        The OME-Zarr group.
    levels : tuple of zarr.Array
        From the finest to the coarsest.
    """

    group: zarr.Group
    levels: tuple[zarr.Array[Any], ...]

    @property
    def data(self) -> zarr.Array[Any]:
        """Level 0, to write into."""
        return self.levels[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of level 0."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the labels."""
        return np.dtype(self.data.dtype)

    def __getitem__(self, region: Any, /) -> NDArray[Any]:
        """Return a region of level 0."""
        return np.asarray(self.data[region])

    def __setitem__(self, region: tuple[int | slice, ...], values: Any, /) -> None:
        """Write a region of level 0, and make the coarser levels of it again."""
        self.data[region] = values
        self.update(region)

    def update(self, region: Sequence[int | slice] | None = None) -> None:
        """Make the coarser levels again; memory stays at a few chunks.

        Parameters
        ----------
        region : sequence of int and slice, optional
            What changed in level 0, such as `Edit.region`: one entry per axis. Default: all that is
            stored.

        Raises
        ------
        ValueError
            If a level is not half as high and wide as the one before. Nothing is written.
        """
        for fine, coarse in itertools.pairwise(self.levels):
            _check_half(fine, coarse)
        changed = None if region is None else _as_slices(region, self.data.shape)
        for fine, coarse in itertools.pairwise(self.levels):
            if changed is None:
                parts = _stored_parts(fine, coarse)
            else:
                changed = _halved(changed, coarse.shape)
                parts = _chunk_parts(changed, storage_shape(coarse))
            for part in parts:
                _make_coarse(fine, coarse, part)

    def stored_parts(self, level: int) -> list[tuple[int, ...]]:
        """Return the chunks (or shards) of a level that the one before has something for."""
        fine, coarse = self.levels[level - 1], self.levels[level]
        return sorted(_stored_indices(fine, coarse))

    def update_part(self, level: int, index: tuple[int, ...]) -> None:
        """Make one chunk (or shard) of a level again, from the level before."""
        fine, coarse = self.levels[level - 1], self.levels[level]
        _make_coarse(fine, coarse, chunk_region(coarse, index))


def mode_2x2(labels: NDArray[Any]) -> NDArray[Any]:
    """Return the most frequent label of each 2 x 2 block of the last two axes.

    Of labels that are equally frequent, the first in reading order. An odd last row or column
    counts twice.
    """
    odd = [(0, n % 2) for n in labels.shape[-2:]]
    labels = np.pad(labels, [(0, 0)] * (labels.ndim - 2) + odd, mode="edge")
    a, b = labels[..., ::2, ::2], labels[..., ::2, 1::2]
    c, d = labels[..., 1::2, ::2], labels[..., 1::2, 1::2]
    a_is_mode = (a == b) | (a == c) | (a == d)
    b_is_mode = (b == c) | (b == d)
    return np.where(a_is_mode, a, np.where(b_is_mode, b, np.where(c == d, c, a)))


def half_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the next coarser level."""
    *leading, height, width = shape
    return (*leading, -(-height // 2), -(-width // 2))


Region = tuple[slice, ...]


def _as_slices(region: Sequence[int | slice], shape: tuple[int, ...]) -> Region:
    """Return a region without integers and open ends."""
    return tuple(
        slice(*i.indices(n)[:2]) if isinstance(i, slice) else slice(i, i + 1)
        for i, n in zip(region, shape, strict=True)
    )


def _make_coarse(fine: zarr.Array[Any], coarse: zarr.Array[Any], part: Region) -> None:
    """Make a part of the coarser level, a few rows at a time, and write it at once."""
    *leading, rows, columns = part
    bands = [
        (*leading, slice(start, min(start + BAND_ROWS, rows.stop)), columns)
        for start in range(rows.start, rows.stop, BAND_ROWS)
    ]
    made = [mode_2x2(np.asarray(fine[_doubled(band, fine.shape)])) for band in bands]
    coarse[part] = np.concatenate(made, axis=-2)


def _stored_parts(fine: zarr.Array[Any], coarse: zarr.Array[Any]) -> Iterator[Region]:
    """Yield the chunks of `coarse` that are stored, or lie over a stored one of `fine`."""
    for index in sorted(stored_chunks(coarse) | _stored_indices(fine, coarse)):
        yield chunk_region(coarse, index)


def _stored_indices(fine: zarr.Array[Any], coarse: zarr.Array[Any]) -> set[tuple[int, ...]]:
    """Return the chunks of `coarse` that lie over a stored one of `fine`."""
    chunk = storage_shape(coarse)
    return {
        tuple(s.start // side for s, side in zip(part, chunk, strict=True))
        for index in stored_chunks(fine)
        for part in _chunk_parts(_halved(chunk_region(fine, index), coarse.shape), chunk)
    }


def _chunk_parts(region: Region, chunk: tuple[int, ...]) -> Iterator[Region]:
    """Cut a region along the borders of chunks."""
    parts_by_axis = [
        [
            slice(max(s.start, i * side), min(s.stop, (i + 1) * side))
            for i in range(s.start // side, -(-s.stop // side))
        ]
        for s, side in zip(region, chunk, strict=True)
    ]
    yield from itertools.product(*parts_by_axis)


def _halved(region: Region, coarse_shape: tuple[int, ...]) -> Region:
    """Return the region of the coarser level that depends on a region of the finer one."""
    rows_and_columns = (
        slice(s.start // 2, min(-(-s.stop // 2), n))
        for s, n in zip(region[-2:], coarse_shape[-2:], strict=True)
    )
    return (*region[:-2], *rows_and_columns)


def _doubled(region: Region, fine_shape: tuple[int, ...]) -> Region:
    """Return the region of the finer level that a region of the coarser one is made of."""
    rows_and_columns = (
        slice(2 * s.start, min(2 * s.stop, n))
        for s, n in zip(region[-2:], fine_shape[-2:], strict=True)
    )
    return (*region[:-2], *rows_and_columns)


def _check_half(fine: zarr.Array[Any], coarse: zarr.Array[Any]) -> None:
    *leading, height, width = fine.shape
    rounded_down = (*leading, height // 2, width // 2)
    if coarse.shape not in (half_shape(fine.shape), rounded_down):
        raise ValueError(
            f"The level {coarse.path!r} has shape {coarse.shape} and the one before "
            f"{fine.shape}; expected half the rows and columns, {half_shape(fine.shape)}."
        )
