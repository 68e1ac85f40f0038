"""The regular grid of overlapping windows over one plane, as pure integers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from napari_sam.image.window import Window, is_power_of_two


@dataclass(frozen=True)
class TileGrid:
    """Tiles over one plane: windows that overlap, whose cores partition the plane.

    Everything is counted in *units*: a unit is one sample, or one level-0 pixel where samples
    are smaller than pixels. Along one axis, tile k of n has the window ``[k c, k c + size)``
    and the core ``[h + k c, h + (k + 1) c)``, with halo h and ``c = size - 2 h``; the first and
    the last core reach to the border, where no halo is needed, and the last window is moved
    inwards to end at the border.

    Attributes
    ----------
    shape_yx : tuple of int
        Shape of the plane in level-0 pixels.
    size : int
        Samples per window side.
    halo : int
        Samples around a core that its window sees too, at least, where the image goes on.
    step : float
        Level-0 pixels per sample, a power of two.
    """

    shape_yx: tuple[int, int]
    size: int
    halo: int
    step: float = 1.0

    def __post_init__(self) -> None:
        if min(self.shape_yx) < 1:
            raise ValueError(f"A grid needs a plane that is not empty, found {self.shape_yx}.")
        if not is_power_of_two(self.step):
            raise ValueError(f"The step is a power of two such as 0.5, 1 or 2, found {self.step}.")
        if self.size * self.step / self.unit % 1:
            raise ValueError(
                f"A window of {self.size} samples at step {self.step} does not hold whole pixels."
            )
        if self.halo < 0 or self.core_units < 1:
            raise ValueError(
                f"A halo of {self.halo} samples at step {self.step} leaves no core in a window of "
                f"{self.size} samples: it lies between 0 and less than half of that."
            )

    @property
    def unit(self) -> int:
        """Level-0 pixels per unit: the step, or 1 where the step is smaller."""
        return max(int(self.step), 1)

    @property
    def size_units(self) -> int:
        """Units per window side."""
        return int(self.size * self.step) // self.unit

    @property
    def halo_units(self) -> int:
        """Units per halo, rounded up."""
        return -int(-self.halo * self.step // self.unit)

    @property
    def core_units(self) -> int:
        """Units per core side, away from the border."""
        return self.size_units - 2 * self.halo_units

    @property
    def shape_units(self) -> tuple[int, int]:
        """Units over the plane, rounded up."""
        height, width = self.shape_yx
        return (-(-height // self.unit), -(-width // self.unit))

    @property
    def tiles(self) -> tuple[int, int]:
        """Number of tiles as (rows, columns)."""
        rows, columns = (
            max(1, -(-(units - 2 * self.halo_units) // self.core_units))
            for units in self.shape_units
        )
        return rows, columns

    def window(self, row: int, col: int, plane: tuple[int, ...] = ()) -> Window:
        """Return the window of a tile."""
        self._check_tile(row, col)
        return self.place(row * self.core_units, col * self.core_units, plane)

    def place(self, y: int, x: int, plane: tuple[int, ...] = ()) -> Window:
        """Return the window that starts at (y, x) in units, moved inwards at the border."""
        y, x = (
            min(max(start, 0), max(units - self.size_units, 0))
            for start, units in zip((y, x), self.shape_units, strict=True)
        )
        return Window(y * self.unit, x * self.unit, self.size, self.step, plane)

    def core(self, row: int, col: int) -> tuple[int, int, int, int]:
        """Return the core of a tile as (y0, x0, y1, x1), half-open level-0 pixels."""
        self._check_tile(row, col)
        (y0, y1), (x0, x1) = (self._core_along(axis, k) for axis, k in enumerate((row, col)))
        return (y0, x0, y1, x1)

    def tile_at(self, y: float, x: float) -> tuple[int, int]:
        """Return (row, col) of the tile whose core holds the level-0 position (y, x).

        Raises
        ------
        ValueError
            If the position lies outside the plane.
        """
        pixel = np.floor(np.array([y, x], float) + 0.5)
        if not ((pixel >= 0) & (pixel < self.shape_yx)).all():
            raise ValueError(
                f"The position ({y}, {x}) lies outside the image of {self.shape_yx} pixels."
            )
        tile = (pixel // self.unit - self.halo_units) // self.core_units
        row, col = np.clip(tile, 0, np.array(self.tiles) - 1).astype(int).tolist()
        return row, col

    def tiles_in(self, region: tuple[float, float, float, float]) -> tuple[range, range]:
        """Return the rows and the columns of the tiles whose cores a part of the plane touches.

        Parameters
        ----------
        region : tuple of 4 floats
            (y0, x0, y1, x1) in level-0 pixel-center coordinates; may reach out of the image. No
            tiles, if it lies outside.
        """
        first, last = np.floor(np.array(region, float).reshape(2, 2) + 0.5)
        if not ((first <= last) & (last >= 0) & (first < self.shape_yx)).all():
            return range(0), range(0)
        inside = np.clip([first, last], 0, np.array(self.shape_yx) - 1)
        (top, left), (bottom, right) = (self.tile_at(y, x) for y, x in inside.tolist())
        return range(top, bottom + 1), range(left, right + 1)

    def tile_of(self, window: Window) -> tuple[int, int] | None:
        """Return (row, col) of the tile that has this window, if it is one of the grid."""
        core = self.core_units * self.unit
        row, col = (
            min(max(math.ceil(start / core), 0), n - 1)  # the last tile is moved inwards
            for start, n in zip((window.y, window.x), self.tiles, strict=True)
        )
        return (row, col) if self.window(row, col, window.plane) == window else None

    def _core_along(self, axis: int, k: int) -> tuple[int, int]:
        start = self.halo_units + k * self.core_units
        last = k == self.tiles[axis] - 1
        return (
            start * self.unit if k else 0,
            self.shape_yx[axis] if last else (start + self.core_units) * self.unit,
        )

    def _check_tile(self, row: int, col: int) -> None:
        rows, columns = self.tiles
        if not (0 <= row < rows and 0 <= col < columns):
            raise ValueError(f"Tile ({row}, {col}) is not one of the {rows} by {columns} tiles.")
