"""A bounded sample of an image, the same number of pixels however large it is."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.level import Level
from napari_sam.image.pyramid import Pyramid
from napari_sam.image.unreadable import chunk_shape

BLOCKS = 16
"""Number of blocks that are read, a power of two."""

BLOCK_SIZE = 256
"""Side of a block in pixels of its level, where chunks are that large."""

LEAST_BLOCK_SIZE = 128
"""Side of a block where chunks are smaller than this, so that it lies in few of them."""

MAX_DOWNSAMPLE = 4
"""Coarser levels are not sampled: averaging there has merged objects with their background."""

WHOLE_PIXELS = 1 << 22
"""An image of at most so many pixels can be read as a whole instead."""

Block = tuple[slice, ...]
"""A slice for each axis but c."""


def sample_pixels(
    pyramid: Pyramid, at: Mapping[str, int] | None = None, *, whole_if_small: bool = False
) -> NDArray[Any]:
    """Read blocks spread over planes, rows and columns; return the raw values as (C, N).

    Extremes are missed by a sample: for them, read a small image as a whole. Blocks in the same
    chunk are read in one pass, which decodes it once: instead of them, pixels spread over it.

    Parameters
    ----------
    pyramid : Pyramid
        What is read.
    at : mapping, optional
        The only position along some of the axes of planes.
    whole_if_small : bool
        Whether all of at most `WHOLE_PIXELS` pixels is read.
    """
    level, at = pyramid.levels[0], at or {}
    axes = "".join(axis for axis in pyramid.plane_axes + "yx" if axis not in at)
    if whole_if_small and math.prod(_lengths(pyramid, level, axes)) <= WHOLE_PIXELS:
        boxes: list[dict[str, int | slice]] = [dict.fromkeys(axes, slice(None))]
    else:
        level = _sample_level(pyramid)
        boxes = list(_iter_boxes(pyramid, level, axes))
    with ThreadPoolExecutor() as pool:  # reading waits for the disk or the network
        blocks = list(pool.map(lambda box: pyramid.read_box(level, {**box, **at}), boxes))
    return np.concatenate([block.reshape(len(block), -1) for block in blocks], axis=1)


def _sample_level(pyramid: Pyramid) -> Level:
    """Return the coarsest level that still shows the objects and fills a block."""
    good = [
        level
        for level in pyramid.levels
        if max(level.downsample) <= MAX_DOWNSAMPLE
        and min(level.shape_yx) >= BLOCK_SIZE
        and pyramid.planes_of(level) == pyramid.plane_shape
    ]
    return good[-1] if good else pyramid.levels[0]


def read_blocks(pyramid: Pyramid, blocks: Sequence[Block]) -> list[NDArray[Any]]:
    """Read blocks of level 0 as (C, …) arrays, with those in the same chunk in one pass."""
    level, axes = pyramid.levels[0], pyramid.plane_axes + "yx"
    found: dict[tuple[int, ...], NDArray[Any]] = {}
    for group in _by_chunk(pyramid, level, axes, blocks):
        bounds = _bounds(group)
        index = {axis: slice(*bound) for axis, bound in zip(axes, bounds, strict=True)}
        box = pyramid.read_box(level, index)
        for block in group:
            part = (
                slice(one.start - first, one.stop - first)
                for one, (first, _) in zip(block, bounds, strict=True)
            )
            found[_start(block)] = box[(slice(None), *part)].copy()  # the rest can be let go
    return [found[_start(block)] for block in blocks]


def _iter_boxes(pyramid: Pyramid, level: Level, axes: str) -> Iterator[dict[str, int | slice]]:
    """Yield what is read in one pass: a block, or every so many pixels around those of a chunk."""
    for group in _by_chunk(pyramid, level, axes, list(_iter_blocks(pyramid, level, axes))):
        around = _around(group)
        yield {
            axis: part.start if axis in pyramid.plane_axes and part.stop == part.start + 1 else part
            for axis, part in zip(axes, around, strict=True)
        }


def _by_chunk(
    pyramid: Pyramid, level: Level, axes: str, blocks: Sequence[Block]
) -> Iterable[list[Block]]:
    """Put blocks that start in the same chunk together; each by itself where nothing is chunked."""
    if chunk_shape(level.array) is None:
        return [[block] for block in blocks]
    chunks = _chunk_lengths(pyramid, level, axes)
    groups: dict[tuple[int, ...], list[Block]] = {}
    for block in blocks:
        number = tuple(first // side for first, side in zip(_start(block), chunks, strict=True))
        groups.setdefault(number, []).append(block)
    return groups.values()


def _start(block: Block) -> tuple[int, ...]:
    return tuple(part.start for part in block)


def _bounds(blocks: list[Block]) -> list[tuple[int, int]]:
    """Return where the box around blocks starts and stops along each axis."""
    return [
        (min(part.start for part in parts), max(part.stop for part in parts))
        for parts in zip(*blocks, strict=True)
    ]


def _around(blocks: list[Block]) -> Block:
    """Return the box around blocks, with a stride that leaves about as many pixels as they have."""
    if len(blocks) == 1:
        return blocks[0]
    bounds = _bounds(blocks)
    wanted = len(blocks) * BLOCK_SIZE**2
    *planes, rows, columns = (stop - start for start, stop in bounds)
    stride_planes = math.ceil(math.prod(planes) / len(blocks))
    n_planes = math.prod(math.ceil(length / stride_planes) for length in planes)
    stride = max(1, math.ceil(math.sqrt(n_planes * rows * columns / wanted)))
    strides = [stride_planes] * len(planes) + [stride] * 2
    return tuple(
        slice(start, stop, step) if step > 1 else slice(start, stop)
        for (start, stop), step in zip(bounds, strides, strict=True)
    )


def _iter_blocks(pyramid: Pyramid, level: Level, axes: str) -> Iterator[Block]:
    """Spread blocks evenly, each inside one chunk where chunks are large enough."""
    lengths = _lengths(pyramid, level, axes)
    chunks = np.minimum(_chunk_lengths(pyramid, level, axes), lengths)
    sides = np.minimum(chunks.clip(LEAST_BLOCK_SIZE, BLOCK_SIZE), lengths)
    sides[:-2] = 1
    start = (_spread(BLOCKS, len(lengths)) * (lengths - sides + 1)).astype(int)
    chunk_start = (start + np.minimum(sides, chunks) // 2) // chunks * chunks
    start = start.clip(chunk_start, chunk_start + np.maximum(chunks - sides, 0))
    for corner in np.unique(np.minimum(start, lengths - sides), axis=0).tolist():
        yield tuple(
            slice(first, first + side) for first, side in zip(corner, sides.tolist(), strict=True)
        )


def _lengths(pyramid: Pyramid, level: Level, axes: str) -> NDArray[np.int64]:
    """Return the shape of a level along some axes."""
    return np.array([level.array.shape[pyramid.axes.index(axis)] for axis in axes])


def _chunk_lengths(pyramid: Pyramid, level: Level, axes: str) -> NDArray[np.int64]:
    """Return the chunk of a level along some axes."""
    chunks = chunk_shape(level.array) or level.array.shape
    return np.array([chunks[pyramid.axes.index(axis)] for axis in axes])


def _spread(count: int, dimensions: int) -> NDArray[np.float64]:
    """Return (count, dimensions) positions in [0, 1), even along each axis and between axes.

    A Korobov lattice: along each axis the positions are visited in steps of a power of 5, which
    meets all of them if `count` is a power of two.
    """
    strides = 5 ** np.arange(dimensions)
    return (np.arange(count)[:, None] * strides % count + 0.5) / count


def describe_sample(sample: NDArray[Any]) -> Iterator[str]:
    """Yield what the user should know about sampled pixels (C, N).

    Pixels that are NaN or infinite, and channels that have one value everywhere.
    """
    is_finite = np.isfinite(sample)
    if n_odd := int(np.count_nonzero(~is_finite)):
        yield (
            f"{100 * n_odd / sample.size:.2g} % of the sampled pixels are NaN or infinite; they "
            f"are left out of the normalization and read as 0"
        )
    for number, (values, good) in enumerate(zip(sample, is_finite, strict=True)):
        finite = values[good]
        if finite.size and finite.min() == finite.max():
            which = f"of channel {number} " if len(sample) > 1 else ""
            yield f"all sampled pixels {which}are {finite[0]}: the image is constant"
