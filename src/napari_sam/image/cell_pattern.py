"""Cells without end: any part of one large fluorescence image, computed where it is looked at.

Each square of a lattice proposes one ellipse, whose shape comes from a hash of its position. Where
two stand too close, the one of lower rank yields (a hard-core point process). A pixel belongs to
the ellipse that it is nearest to, in units of its radius (Worley noise). Only the 3 by 3 squares
around a pixel can hold that ellipse, so every pixel costs the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.noise import random_at, smoothstep, wave_noise

Floats = NDArray[np.floating]

PITCH = 32
"""Side of a lattice square in level-0 pixels."""

MAX_STEP = 16
"""Level-0 pixels per sample up to which single cells are drawn; beyond, only their density."""

_MARGIN = 3
"""Lattice squares around a patch: 1 whose ellipses reach in, and 2 more for the rivals of those."""

_BACKGROUND = 12.0
_MEAN_LIGHT = 30.0
"""What the cells add to the background on average, where they stand dense."""


class _Ellipses(NamedTuple):
    """Ellipses on a patch of the lattice, each field an (n, m) array, one per square.

    A pixel at (dy, dx) from the center (y, x), in pixels from the corner of the patch, has the
    squared distance ``yy dy² + yx dy dx + xx dx²``, which is 1 on the outline.
    """

    y: Floats
    x: Floats
    yy: Floats
    yx: Floats
    xx: Floats
    radius: Floats
    light: Floats
    nucleus_y: Floats
    nucleus_x: Floats


class _Nearest(NamedTuple):
    """For each pixel: warped coordinates, its ellipse, and the distances to that and the next."""

    y: Floats
    x: Floats
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    distance: Floats
    next_distance: Floats


@dataclass(frozen=True)
class CellPattern:
    """An endless field of cells with bright nuclei; another seed gives another field."""

    seed: int = 0

    def intensity(self, rows: NDArray[np.int64], columns: NDArray[np.int64], step: int) -> Floats:
        """Return gray values, about 0 to 255, at a grid of samples.

        Parameters
        ----------
        rows, columns : (h,) and (w,) integer arrays
            Consecutive samples, counted from the corner of the image.
        step : int
            Level-0 pixels per sample.

        Returns
        -------
        (h, w) float32 array
        """
        y, x = (rows + 0.5) * step, (columns + 0.5) * step
        grain = random_at(rows, columns, self.seed + 2).sum(axis=0) * np.float32(3**0.5) - 12**0.5
        if step <= MAX_STEP:
            light = self._light(y, x, step)
        else:
            light = self._density(y, x) * _MEAN_LIGHT * np.maximum(1 + grain * 20 / step, 0)
        value = _BACKGROUND * (1 + 0.15 * wave_noise(y, x, 900, self.seed + 1)) + light
        return value + grain * np.sqrt(np.maximum(value, 1)) * np.float32(0.5 / step**0.5)

    def labels(
        self, rows: NDArray[np.int64], columns: NDArray[np.int64], step: int, width: int
    ) -> NDArray[np.int32]:
        """Return the id of the cell at each sample of an image of `width` pixels, 0 for background.

        Parameters
        ----------
        rows, columns, step
            As for :meth:`intensity`.
        width : int
            Width of the whole image in level-0 pixels; ids count along its lattice rows.

        Returns
        -------
        (h, w) int32 array
        """
        y, x = (rows + 0.5) * step, (columns + 0.5) * step
        nearest = self._nearest(y, x, self._ellipses(y, x))
        # Cells can reach in from one square in front of the image.
        square_row = nearest.row + _first_square(y) + 1
        square_column = nearest.column + _first_square(x) + 1
        label = square_row * (width // PITCH + 3) + square_column + 1
        return np.where(nearest.distance < 1, label, 0).astype(np.int32)

    def _density(self, y: Floats, x: Floats) -> Floats:
        """Return how crowded it is, from 0 to 1: tissue with holes, at two scales."""
        wide, narrow = (wave_noise(y, x, scale, self.seed + 3) for scale in (4000, 900))
        return smoothstep(0.65 + 0.4 * wide + 0.25 * narrow)

    def _ellipses(self, y: Floats, x: Floats) -> _Ellipses:
        """Propose an ellipse for each lattice square that can be seen, and drop the crowded out."""
        i = np.arange(_first_square(y), int(y[-1] // PITCH) + _MARGIN + 1)
        j = np.arange(_first_square(x), int(x[-1] // PITCH) + _MARGIN + 1)
        place_y, place_x, rank, light = random_at(i, j, self.seed + 5)
        size, aspect, angle, lobe = random_at(i, j, self.seed + 6)
        center_y = (np.arange(len(i), dtype=np.float32)[:, None] + 0.15 + 0.7 * place_y) * PITCH
        center_x = (np.arange(len(j), dtype=np.float32)[None, :] + 0.15 + 0.7 * place_x) * PITCH
        long = 15 + 14 * size
        short = np.maximum(long * (0.55 + 0.4 * aspect), 12)
        cos, sin = np.cos(np.pi * angle), np.sin(np.pi * angle)
        radius = np.sqrt(long * short)
        rank = np.where(rank < self._density(i * float(PITCH), j * float(PITCH)), rank, -1)
        alive = _survivors(center_y, center_x, 0.75 * radius, rank)
        shift = 0.25 * short * (2 * lobe - 1)
        ellipses = _Ellipses(
            y=np.where(alive, center_y, 1e6),
            x=center_x,
            yy=(sin / long) ** 2 + (cos / short) ** 2,
            yx=2 * sin * cos * (long**-2.0 - short**-2.0),
            xx=(cos / long) ** 2 + (sin / short) ** 2,
            radius=radius,
            light=0.3 + 0.7 * light**2,
            nucleus_y=shift * sin,
            nucleus_x=shift * cos,
        )
        return _Ellipses(*(field.astype(np.float32) for field in ellipses))

    def _nearest(self, y: Floats, x: Floats, ellipses: _Ellipses) -> _Nearest:
        """Find the ellipse of each pixel; slightly warped space makes outlines irregular."""
        local_y = (y - _first_square(y) * PITCH).astype(np.float32)
        local_x = (x - _first_square(x) * PITCH).astype(np.float32)
        warped_y = local_y[:, None] + 1.6 * wave_noise(y, x, 40, self.seed + 7)
        warped_x = local_x[None, :] + 1.6 * wave_noise(y, x, 40, self.seed + 8)
        row, column = (local_y // PITCH).astype(np.intp), (local_x // PITCH).astype(np.intp)
        nearest = np.full(warped_y.shape, np.inf, np.float32)
        second, winner = nearest.copy(), np.zeros(warped_y.shape, np.int8)
        for neighbor in range(9):
            down, right = neighbor // 3 - 1, neighbor % 3 - 1
            at_y, at_x, yy, yx, xx = (
                field[:, column + right][row + down] for field in ellipses[:5]
            )
            squared = _squared_distance(warped_y - at_y, warped_x - at_x, yy, yx, xx)
            np.copyto(winner, neighbor, where=squared < nearest)
            np.minimum(second, np.maximum(nearest, squared), out=second)
            np.minimum(nearest, squared, out=nearest)
        return _Nearest(
            warped_y,
            warped_x,
            row[:, None] + winner // 3 - 1,
            column[None, :] + winner % 3 - 1,
            np.sqrt(nearest),
            np.sqrt(second),
        )

    def _light(self, y: Floats, x: Floats, step: int) -> Floats:
        """Return what the cells add to the background: a dim body and a bright nucleus."""
        patch = self._ellipses(y, x)
        near = self._nearest(y, x, patch)
        flat = near.row * patch.y.shape[1] + near.column
        cell = _Ellipses(*(field.ravel()[flat] for field in patch))
        edge = (1 - near.distance) * cell.radius
        gap = (near.next_distance - near.distance) * cell.radius
        inside = smoothstep(edge / max(3, step) + 0.5) * (0.35 + 0.65 * smoothstep(gap / 5))
        dome = np.sqrt(np.maximum(1 - near.distance**2, 0))
        nuclear = 2.3 * np.sqrt(
            _squared_distance(
                near.y - cell.y - cell.nucleus_y, near.x - cell.x - cell.nucleus_x,
                cell.yy, cell.yx, cell.xx,
            )
        )  # fmt: skip
        nucleus = smoothstep((1 - nuclear) * cell.radius / 2.3 / max(2.5, step) + 0.5)
        texture = 1 + 0.12 * wave_noise(y, x, 8, self.seed + 9) if step <= 2 else np.float32(1)
        return inside * texture * cell.light * (45 + 40 * dome + 90 * nucleus)


def _first_square(position: Floats) -> int:
    return int(position[0] // PITCH) - _MARGIN


def _squared_distance(dy: Floats, dx: Floats, yy: Floats, yx: Floats, xx: Floats) -> Floats:
    return dy * (yy * dy + yx * dx) + xx * dx * dx


def _survivors(y: Floats, x: Floats, radius: Floats, rank: Floats) -> NDArray[np.bool_]:
    """Tell which ellipses have no rival of higher rank closer than both radii together.

    The outer two squares of the patch do not see all of their rivals; nothing shows there.
    """
    alive = rank >= 0
    center = (slice(2, -2), slice(2, -2))
    height, width = y.shape
    for down in range(5):
        for right in range(5):
            rival = (slice(down, height - 4 + down), slice(right, width - 4 + right))
            dy, dx = y[rival] - y[center], x[rival] - x[center]
            close = dy * dy + dx * dx < (radius[rival] + radius[center]) ** 2
            alive[center] &= ~(close & (rank[rival] > rank[center]))
    return alive
