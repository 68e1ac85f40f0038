"""A bounded sample of an image, the same number of pixels however large it is."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.pyramid import Level, Pyramid

BLOCKS = 16
"""Number of blocks that are read, a power of two."""

BLOCK_SIZE = 256
"""Side of a block in pixels of its level."""

MAX_DOWNSAMPLE = 4
"""Coarser levels are not sampled: averaging there has merged objects with their background."""


def sample_pixels(pyramid: Pyramid) -> NDArray[Any]:
    """Read blocks spread over planes, rows and columns; return the raw values as (C, N)."""
    level = _sample_level(pyramid)
    with ThreadPoolExecutor() as pool:  # reading waits for the disk or the network
        blocks = list(pool.map(lambda box: pyramid.read(level, *box), _iter_blocks(pyramid, level)))
    return np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1)


def _sample_level(pyramid: Pyramid) -> Level:
    """Return the coarsest level that still shows the objects and fills a block."""
    good = [
        level
        for level in pyramid.levels
        if max(level.downsample) <= MAX_DOWNSAMPLE and min(level.shape_yx) >= BLOCK_SIZE
    ]
    return good[-1] if good else pyramid.levels[0]


def _iter_blocks(pyramid: Pyramid, level: Level) -> Iterator[tuple[tuple[int, ...], slice, slice]]:
    """Spread blocks evenly, each inside one chunk where chunks are large enough."""
    lengths = np.array(pyramid.plane_shape + level.shape_yx)
    sides = np.minimum(lengths, [1] * len(pyramid.plane_shape) + [BLOCK_SIZE] * 2)
    chunks = np.minimum(_chunk_lengths(pyramid, level), lengths)
    start = (_spread(BLOCKS, len(lengths)) * (lengths - sides + 1)).astype(int)
    chunk_start = start // chunks * chunks
    start = chunk_start + np.minimum(start - chunk_start, np.maximum(chunks - sides, 0))
    for *plane, y, x in np.unique(np.minimum(start, lengths - sides), axis=0).tolist():
        height, width = sides[-2:].tolist()
        yield tuple(plane), slice(y, y + height), slice(x, x + width)


def _chunk_lengths(pyramid: Pyramid, level: Level) -> NDArray[np.int64]:
    """Return the chunk of a level along its plane axes, y and x."""
    chunks = getattr(level.array, "chunksize", None) or getattr(level.array, "chunks", None)
    by_axis = dict(zip(pyramid.axes, chunks or level.array.shape, strict=True))
    plane_axes = [axis for axis in pyramid.axes if axis not in "cyx"]
    return np.array([by_axis[axis] for axis in [*plane_axes, "y", "x"]])


def _spread(count: int, dimensions: int) -> NDArray[np.float64]:
    """Return (count, dimensions) positions in [0, 1), even along each axis and between axes.

    A Korobov lattice: along each axis the positions are visited in steps of a power of 5, which
    meets all of them if `count` is a power of two.
    """
    strides = 5 ** np.arange(dimensions)
    return (np.arange(count)[:, None] * strides % count + 0.5) / count
