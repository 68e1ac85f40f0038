"""The map of encoded tiles: a small layer over the image, colored by where features are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sam.widgets.colors import ORANGE, SKY_BLUE
from napari_sam.widgets.drawn_once import drawn_once
from napari_sam.widgets.layers import place, placement

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.embedding import TileGrid

IN_MEMORY, IN_STORE, GOING_ON, ABSENT = 1, 2, 3, 4
"""What a tile is drawn as; the first two as `Embeddings.encoded_tiles` counts."""

COLORS: dict[int | None, tuple[float, float, float, float]] = {
    None: (0, 0, 0, 0),
    0: (0, 0, 0, 0),
    IN_MEMORY: (*ORANGE, 0.30),
    IN_STORE: (*SKY_BLUE, 0.40),
    GOING_ON: (1.0, 1.0, 1.0, 0.70),
    ABSENT: (0.0, 0.0, 0.0, 0.30),
}
"""Orange, blue, white and shade; so strong, or not all eyes could tell them apart."""

LEGEND = "".join(
    f'<span style="color: rgb({r:.0%}, {g:.0%}, {b:.0%})">■</span> {where}&nbsp; '
    for where, (r, g, b, _) in (("memory", COLORS[IN_MEMORY]), ("disk", COLORS[IN_STORE]))
)
"""What the colors mean, as rich text."""

LEAST_SIDE, MOST_SIDE = 256, 2048
"""Pixels of the map along an axis with several tiles: enough for its edges, and no more memory."""


class TileMap:
    """Shows which tiles of one plane are encoded.

    Attributes
    ----------
    layer : Labels or None
        None before `make`. Its pixels are a few per tile, whatever the size of the image.
    """

    def __init__(self) -> None:
        self.layer: Labels | None = None

    def make(self, image_layer: ImageLayer) -> Labels:
        """Make an empty layer over an image."""
        from napari.layers import Labels
        from napari.utils.colormaps import DirectLabelColormap

        self.layer = Labels(
            np.zeros((1,) * image_layer.ndim, np.uint8),
            name="encoded tiles",
            colormap=DirectLabelColormap(color_dict=COLORS),
            opacity=1,
            **placement(image_layer),
        )
        return self.layer

    def show(
        self,
        image_layer: ImageLayer,
        plane: tuple[int, ...],
        grid: TileGrid,
        states: NDArray[np.uint8],
        going_on: tuple[int, int] | None = None,
    ) -> None:
        """Draw the tiles of a plane.

        Parameters
        ----------
        image_layer : Image layer
            Whose tiles they are.
        plane : tuple of int
            Of the image.
        grid : TileGrid
            Where they are.
        states : (tile rows, tile columns) uint8 array
            As `Embeddings.encoded_tiles` gives it: 0 absent, 1 in memory, 2 in the store.
        going_on : tuple of int, optional
            Row and column of the tile that is being encoded.
        """
        if self.layer is None:
            return
        drawn = np.where(states == 0, ABSENT, states).astype(np.uint8)
        if going_on is not None:
            drawn[going_on] = GOING_ON
        (rows, height), (columns, width) = (map_axis(grid, axis) for axis in (0, 1))
        picture = drawn.repeat(rows, axis=0).repeat(columns, axis=1)[(None,) * len(plane)]
        corner = np.array([*plane, 0, 0], float)
        where = placement(image_layer, corner, np.array([height, width]))
        if np.array_equal(picture, self.layer.data):
            place(self.layer, where)
            return
        with drawn_once(self.layer):
            self.layer.data = picture
            self.layer.editable = False  # new data allow it again
            place(self.layer, where)

    def hide(self) -> None:
        """Show nothing; the layer stays, empty."""
        if self.layer is not None and self.layer.data.any():
            with drawn_once(self.layer):
                self.layer.data = np.zeros((1,) * self.layer.ndim, np.uint8)


def map_axis(grid: TileGrid, axis: int) -> tuple[NDArray[np.int_], int]:
    """Return how many pixels of the map each tile takes along an axis, and how large these are.

    Cores are of one size but for the first and the last, which reach to the border. So the side of
    a pixel, in level-0 pixels, divides the edges between tiles, and the border is met but for less
    than a pixel, 1/256 of the image at most. (Where that would be too many pixels, on planes of
    over 100 000 pixels or with an odd halo, edges are rounded.) A single tile takes one pixel.
    """
    length, n_tiles = grid.shape_yx[axis], grid.tiles[axis]
    if n_tiles == 1:
        return np.ones(1, int), length
    pixel = int(np.gcd(grid.halo_units, grid.core_units)) * grid.unit
    while length // pixel < LEAST_SIDE and pixel % 2 == 0:
        pixel //= 2
    pixel = max(pixel, -(-length // MOST_SIDE))
    inner = (grid.halo_units + grid.core_units * np.arange(1, n_tiles)) * grid.unit
    edges = np.concatenate([[0], np.rint(inner / pixel).astype(int), [length // pixel]])
    return np.diff(edges), pixel
