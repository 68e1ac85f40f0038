"""Where a part is thickest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

MOST_SAMPLES = 128
"""Per side; of larger parts only every second, third … pixel is looked at."""


def inmost_point(part: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the (row, column) in a part (h, w) that is farthest from its outline.

    Raises
    ------
    ValueError
        If no pixel of it is set.
    """
    if not part.any():
        raise ValueError("The part is empty, so it has no inmost point.")
    thinning = -(-max(part.shape) // MOST_SAMPLES)
    thin = part[::thinning, ::thinning]
    if not thin.any():
        row, column = np.argwhere(part)[0]
        return int(row), int(column)
    depth = distance_transform_edt(np.pad(thin, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(np.argmax(depth), depth.shape)
    return int(row) * thinning, int(column) * thinning


def roundness(part: NDArray[np.bool_]) -> float:
    """Return how thick a part (h, w) is for its area: 1 for a disc, near 0 for a thin rim.

    The radius of the largest disc inside, by that of a disc of the same area.
    """
    thinning = -(-max(part.shape) // MOST_SAMPLES)
    thin = part[::thinning, ::thinning]
    depth = float(np.max(distance_transform_edt(np.pad(thin, 1))))
    return depth / float(np.sqrt((int(np.count_nonzero(thin)) or 1) / np.pi))
