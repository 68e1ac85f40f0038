"""In which order tiles are wanted by somebody who looks at one place of an image."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.embedding.grid import TileGrid
from napari_sam.image.window import Window

if TYPE_CHECKING:
    from napari_sam.embedding.embeddings import Embeddings


@dataclass(frozen=True)
class View:
    """What the user looks at.

    Attributes
    ----------
    plane : tuple of int
        Index of the axes in front of rows and columns.
    screen : tuple of 4 floats, optional
        What is on screen, (y0, x0, y1, x1) in level-0 pixels; may reach out of the image.
    cursor : tuple of 2 floats, optional
        Where the mouse points, (y, x) in level-0 pixels; None if it is not over what is on screen.
    step : float
        Of the windows that a click here looks through: level-0 pixels per sample.
    """

    plane: tuple[int, ...]
    screen: tuple[float, float, float, float] | None
    cursor: tuple[float, float] | None
    step: float

    @property
    def area(self) -> tuple[float, float, float, float] | None:
        """What is on screen; the pixel under the cursor, where the screen is not known."""
        return self.cursor * 2 if self.screen is None and self.cursor else self.screen

    @property
    def focus(self) -> tuple[float, float]:
        """The cursor; the middle of the screen, if there is none."""
        y0, x0, y1, x1 = self.area or (0.0, 0.0, 0.0, 0.0)
        return self.cursor or ((y0 + y1) / 2, (x0 + x1) / 2)


def view_order(embeddings: Embeddings, view: View) -> Iterator[Window]:
    """Yield all tiles at the step of a view, those that are wanted first in front; each once.

    First the tiles on screen, that under the cursor (or in the middle of the screen) in front, then
    the nearest to it. Then their neighbors, at distance 1, 2, …, counted in tiles and planes, and
    of these first those in the same plane. Nothing, if the view shows no part of the image.

    Parameters
    ----------
    embeddings : Embeddings
        With the image and its tiles.
    view : View
        May lie outside the image; its plane may not.

    Raises
    ------
    ValueError
        If there is no such plane, or the step is no power of two.
    """
    grid, plane = embeddings.grid(view.step), embeddings.image.normalize_plane(view.plane)
    n_planes = embeddings.image.plane_shape
    shown = _shown(grid, view)
    if not all(shown):
        return
    for distance in range(sum(grid.tiles) + sum(n_planes)):
        for other in _planes_around(plane, n_planes, distance):
            n_between = sum(abs(a - b) for a, b in zip(other, plane, strict=True))
            for row, column in _ring(grid, shown, distance - n_between, view.focus):
                yield grid.window(row, column, other)


def count_in_view(grid: TileGrid, view: View) -> int:
    """Return how many tiles are on screen: with these, `view_order` begins."""
    rows, columns = _shown(grid, view)
    return len(rows) * len(columns)


def _shown(grid: TileGrid, view: View) -> tuple[range, range]:
    return (range(0), range(0)) if view.area is None else grid.tiles_in(view.area)


def _planes_around(
    plane: tuple[int, ...], n_planes: tuple[int, ...], distance: int
) -> list[tuple[int, ...]]:
    """Return the planes at most so far away, the nearest first."""
    ranges = [
        range(max(i - distance, 0), min(i + distance + 1, n))
        for i, n in zip(plane, n_planes, strict=True)
    ]

    def away(other: tuple[int, ...]) -> int:
        return sum(abs(a - b) for a, b in zip(other, plane, strict=True))

    return sorted((p for p in product(*ranges) if away(p) <= distance), key=away)


def _ring(
    grid: TileGrid, shown: tuple[range, range], distance: int, focus: tuple[float, float]
) -> Iterator[tuple[int, int]]:
    """Yield the tiles (row, column) that are so far from those shown, the nearest first.

    One by one as they are asked for, since all tiles of a large image may be on screen.
    """
    # Counted in cores, tiles are the squares of a lattice: the nearest center is that of the tile
    # that holds the focus.
    place = (np.floor(np.add(focus, 0.5)) // grid.unit + 0.5 - grid.halo_units) / grid.core_units
    y, x = place.clip(0, np.array(grid.tiles) - 0.01).tolist()  # border tiles reach further
    rows, columns = (
        range(max(part.start - distance, 0), min(part.stop + distance, n))
        for part, n in zip(shown, grid.tiles, strict=True)
    )
    from_near_to_far = sorted(columns, key=lambda column: (abs(column + 0.5 - x), column))
    at_the_sides = [one for one in from_near_to_far if _away(one, shown[1]) == distance]

    def in_row(row: int) -> Iterator[tuple[float, int, int]]:
        is_all = _away(row, shown[0]) == distance
        for column in from_near_to_far if is_all else at_the_sides:
            yield (row + 0.5 - y) ** 2 + (column + 0.5 - x) ** 2, row, column

    for _, row, column in heapq.merge(*map(in_row, rows)):
        yield row, column


def _away(i: int, part: range) -> int:
    """Return how far a row or column is from those shown."""
    return max(part.start - i, i - part[-1], 0)
