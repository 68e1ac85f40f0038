"""What is in labels, whoever made it: every object on every plane, counted block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby, product

import numpy as np
import zarr

from napari_sam.labels.array import LabelsArray, check_labels
from napari_sam.labels.chunks import chunk_region, stored_chunks
from napari_sam.labels.found import PlaneObjects, find_in_block, join_found
from napari_sam.labels.parts import Parts, as_parts, part_dtype, part_order

MOST_PARTS = 1_000_000
"""Objects on single planes that are listed; about 100 bytes each."""

BLOCK_SIDE = 512
"""Rows and columns of a numpy array that are read at a time: so few that other threads go on."""

Region = tuple[slice, ...]


@dataclass(frozen=True)
class Progress:
    """How many blocks have been read, of how many that are stored."""

    n_done: int
    n_total: int


@dataclass(frozen=True, eq=False)
class Census:
    """What was found in labels.

    Attributes
    ----------
    shape : tuple of int
        Of the labels.
    parts : structured array
        Each object on each plane, see `part_dtype`: label, plane, box and area. Ascending.
    highest : int
        The highest label; 0 if there is no object. Of all labels, even if not all are listed.
    is_complete : bool
        Whether all objects are listed whole. If there are too many, those that lie first are.
    """

    shape: tuple[int, ...]
    parts: Parts
    highest: int
    is_complete: bool


def iter_census(
    labels: LabelsArray, *, most_parts: int = MOST_PARTS
) -> Iterator[Progress | Census]:
    """Count the objects; yield the progress after each block, and at last the census.

    Of a zarr array only what is stored is read, one chunk at a time. Memory stays at a block and
    the list. The labels may be written meanwhile: what is read before a write is counted as it was.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array
        (…, rows, columns) integers; numbers above 0 are objects.
    most_parts : int
        How many objects on single planes are listed, about; the blocks after those are only looked
        through for the highest label.
    """
    check_labels(labels)
    shape = tuple(labels.shape)
    slabs: list[Parts] = []
    n_parts, highest, n_done, is_complete = 0, 0, 0, True
    regions = _block_regions(labels)
    for _, slab in groupby(regions, lambda region: region[:-2]):
        found: dict[tuple[int, ...], list[PlaneObjects]] = {}
        for region in slab:
            block = np.asarray(labels[region])
            highest = max(highest, int(block.max()))
            is_complete = is_complete and n_parts < most_parts
            if is_complete:
                n_parts += _add_block(found, region, block)
            n_done += 1
            yield Progress(n_done, len(regions))
        slabs += [as_parts(join_found(blocks), plane) for plane, blocks in found.items()]
    parts = np.concatenate([np.zeros(0, part_dtype(len(shape) - 2)), *slabs])
    yield Census(shape, parts[part_order(parts)], highest, is_complete)


def _add_block(
    found: dict[tuple[int, ...], list[PlaneObjects]], region: Region, block: np.ndarray
) -> int:
    """Add what is in a block to what was found on its planes; return how many parts that is."""
    n_parts = 0
    for index in np.ndindex(*block.shape[:-2]):
        if block[index].any():
            plane = tuple(i + axis.start for i, axis in zip(index, region[:-2], strict=True))
            here = find_in_block(block[index], (region[-2].start, region[-1].start))
            found.setdefault(plane, []).append(here)
            n_parts += len(here.labels)
    return n_parts


def _block_regions(labels: LabelsArray) -> list[Region]:
    """Return what to read at a time, plane after plane: stored chunks, or squares of planes."""
    if not isinstance(labels, zarr.Array):
        side = (1,) * (len(labels.shape) - 2) + (BLOCK_SIDE, BLOCK_SIDE)
        return list(_cut(tuple(slice(0, n) for n in labels.shape), side))
    everything = tuple(slice(0, n) for n in labels.shape)
    if labels.fill_value:  # what is not stored holds objects too
        return list(_cut(everything, labels.chunks))
    stored = sorted(stored_chunks(labels))  # or shards, of several chunks each
    regions = [part for at in stored for part in _cut(chunk_region(labels, at), labels.chunks)]
    return sorted(regions, key=lambda region: [axis.start for axis in region])


def _cut(region: Region, sides: tuple[int, ...]) -> Iterator[Region]:
    """Cut a region into blocks."""
    yield from product(
        *(
            [slice(i, min(i + side, axis.stop)) for i in range(axis.start, axis.stop, side)]
            for axis, side in zip(region, sides, strict=True)
        )
    )
