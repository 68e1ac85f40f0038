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


@dataclass(frozen=True)
class LabelsPyramid:
    """The levels of one label image, each half as high and wide as the one before.

    Write into `data`, then `update` the region that was written.

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
                coarse[part] = mode_2x2(np.asarray(fine[_doubled(part, fine.shape)]))


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


def _stored_parts(fine: zarr.Array[Any], coarse: zarr.Array[Any]) -> Iterator[Region]:
    """Yield the chunks of `coarse` that are stored, or lie over a stored one of `fine`."""
    chunk = storage_shape(coarse)
    indices = stored_chunks(coarse)
    for index in stored_chunks(fine):
        for part in _chunk_parts(_halved(chunk_region(fine, index), coarse.shape), chunk):
            indices.add(tuple(s.start // side for s, side in zip(part, chunk, strict=True)))
    for index in sorted(indices):
        yield chunk_region(coarse, index)


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
