"""What every task of a run knows: image, model, settings, and where results are kept."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.embedding.grid import TileGrid
from napari_sam.image.label_axes import label_axes, label_order
from napari_sam.labels.array import LabelsArray
from napari_sam.masks.mask import box_slices
from napari_sam.segment.exact import whole_step
from napari_sam.segment.region import Region
from napari_sam.segment.run_folder import Part, RunFolder
from napari_sam.segment.settings import SegmentSettings

SHARD_SIDE = 2048
"""Rows and columns of a region that one task paints, and of a file of the output."""

Plane = tuple[int, ...]
Box = tuple[int, int, int, int]


@dataclass(frozen=True, eq=False)
class Run:
    """What every task of a run knows.

    Attributes
    ----------
    embeddings : Embeddings
        The image and the model.
    folder : RunFolder
        What tasks found.
    settings : SegmentSettings
        All of them filled in.
    planes : tuple of planes
        In ascending order.
    region : Region, optional
        Objects with their center elsewhere are left out.
    keep : labels array, optional
        Objects that are there already, in an array as large as the output.
    """

    embeddings: Embeddings
    folder: RunFolder
    settings: SegmentSettings
    planes: tuple[Plane, ...]
    region: Region | None = None
    keep: LabelsArray | None = None

    @property
    def grid(self) -> TileGrid:
        """The tiles of every plane; one, if each is looked at as a whole."""
        find = self.settings.find
        return self.embeddings.grid(whole_step(self.embeddings) if find.exact else find.step)

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Rows and columns of the image."""
        return self.embeddings.image.shape_yx

    @property
    def link_axis(self) -> int:
        """Which of a plane's indices changes along a stack; -1 if planes are not linked."""
        return self.plane_axes.find(self.settings.link.axis or "-")

    @property
    def plane_axes(self) -> str:
        """A letter for each of a plane's indices."""
        return "".join(axis for axis in self.embeddings.image.axes if axis not in "cyx")

    @property
    def label_axes(self) -> str:
        """The axes of the labels, in the order of OME-Zarr."""
        return label_axes(self.embeddings.image)

    def label_index(self, plane: Plane) -> Plane:
        """Return the index of a plane in labels."""
        return tuple(plane[i] for i in label_order(self.embeddings.image))

    def tiles(self) -> list[tuple[int, int]]:
        """Return (row, column) of the tiles of each plane that meet the region."""
        grid = self.grid
        return [
            (row, column)
            for row, column in np.ndindex(grid.tiles)
            if self.region is None or self.region.meets(grid.core(row, column))
        ]

    def iter_tiles(self) -> Iterator[Part]:
        """Yield the plane's indices, row and column of every tile of all planes."""
        tiles = self.tiles()
        for plane, tile in itertools.product(self.planes, tiles):
            yield (*plane, *tile)

    def shards(self) -> tuple[int, int]:
        """Return into how many regions, as (rows, columns), each plane is painted."""
        height, width = self.shape_yx
        return -(-height // SHARD_SIDE), -(-width // SHARD_SIDE)

    def shard_box(self, row: int, column: int) -> Box:
        """Return the box of a region."""
        height, width = self.shape_yx
        y, x = row * SHARD_SIDE, column * SHARD_SIDE
        return y, x, min(y + SHARD_SIDE, height), min(x + SHARD_SIDE, width)

    def kept(self, plane: Plane, box: Box) -> NDArray[Any] | None:
        """Return the objects in a box that are there already; None if there are none to keep.

        As everywhere, labels above 0 are objects.
        """
        if self.keep is None:
            return None
        return np.maximum(self.keep[(*self.label_index(plane), *box_slices(box))], 0)
