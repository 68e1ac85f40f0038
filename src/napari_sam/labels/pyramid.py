"""The coarser levels of a labels array, kept up with what is written into the finest."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_sam.labels.chunks import chunk_region, stored_chunks
from napari_sam.labels.levels import coarse_chunks, level_factors, make_part, update_levels


@dataclass(frozen=True)
class LabelsPyramid:
    """The levels of one label image, each smaller than the one before by whole numbers.

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
            If a level is not smaller than the one before by whole numbers. Nothing is written.
        """
        if region is not None:
            update_levels(self.levels, region)
            return
        pairs = list(itertools.pairwise(self.levels))
        for fine, coarse in pairs:
            level_factors(fine.shape, coarse.shape)
        for fine, coarse in pairs:
            for index in sorted(stored_chunks(coarse) | _stored_indices(fine, coarse)):
                make_part(fine, coarse, chunk_region(coarse, index))

    def stored_parts(self, level: int) -> list[tuple[int, ...]]:
        """Return the chunks (or shards) of a level that the one before has something for."""
        fine, coarse = self.levels[level - 1], self.levels[level]
        return sorted(_stored_indices(fine, coarse))

    def update_part(self, level: int, index: tuple[int, ...]) -> None:
        """Make one chunk (or shard) of a level again, from the level before."""
        fine, coarse = self.levels[level - 1], self.levels[level]
        make_part(fine, coarse, chunk_region(coarse, index))


def half_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of the next coarser level."""
    *leading, height, width = shape
    return (*leading, -(-height // 2), -(-width // 2))


def _stored_indices(fine: zarr.Array[Any], coarse: zarr.Array[Any]) -> set[tuple[int, ...]]:
    """Return the chunks of `coarse` that lie over a stored one of `fine`."""
    return coarse_chunks(fine, coarse, stored_chunks(fine))
