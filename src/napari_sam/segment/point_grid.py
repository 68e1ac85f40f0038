"""Where a grid of points stands, and in which order it is asked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def unit_grid(n_per_side: int) -> NDArray[np.float64]:
    """Return n by n points evenly spaced over the unit square, row by row.

    Returns
    -------
    (n², 2) float64 array
        (y, x), each (i + 0.5) / n.
    """
    along = (np.arange(n_per_side) + 0.5) / n_per_side
    return np.stack(np.meshgrid(along, along, indexing="ij"), axis=-1).reshape(-1, 2)


def lattice(
    box: tuple[float, float, float, float], spacing: float, shift: float = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the points of an endless lattice that lie in a box.

    The lattice stands still while boxes differ, so that tiles side by side share it.

    Parameters
    ----------
    box : tuple of float
        (y0, x0, y1, x1) edges in pixels, half open.
    spacing : float
        Pixels between points; the first one stands half of that from the corner of the image.
    shift : float
        By how many pixels, down and to the right, the whole lattice is moved.

    Returns
    -------
    points : (N, 2) float64 array
        (row, column) of pixel centers, which are integers.
    indices : (N, 2) int64 array
        Each point's place in the lattice.
    """
    start, stop = (np.reshape(box, (2, 2)) - shift) / spacing - 0.5
    first, last = np.ceil(start).astype(int), np.ceil(stop).astype(int)
    y, x = (np.arange(a, b) for a, b in zip(first, last, strict=True))
    indices = np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1).reshape(-1, 2)
    return (indices + 0.5) * spacing - 0.5 + shift, indices


def coarse_to_fine(indices: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return an order of lattice points that covers the plane with few points, then with more.

    First every 16th in both directions, then every 8th, …, row by row each time. Objects found
    early can then answer for the points inside them.

    Parameters
    ----------
    indices : (N, 2) int array
        Each point's place in the lattice.

    Returns
    -------
    (N,) int64 array
        Rows of `indices`.
    """
    both = (indices[:, 0] | indices[:, 1]) | 16  # its lowest bit is the coarser one's
    level = both & -both
    return np.lexsort((indices[:, 1], indices[:, 0], -level))
