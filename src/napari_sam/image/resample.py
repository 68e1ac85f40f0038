"""Averaging and magnifying along one axis, as sparse weights.

A plane is resampled in both directions by ``rows @ pixels @ columns.T``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

TOLERANCE = 1e-9
"""Fraction of a pixel that counts as rounding error."""


def axis_weights(start: float, step: float, count: int, length: int) -> tuple[slice, csr_array]:
    """Return which pixels are needed for `count` samples of width `step`, and their weights.

    Samples as wide as a pixel or wider average what they cover, of border pixels the part inside
    the image; narrower ones interpolate linearly between pixel centers.

    Parameters
    ----------
    start : float
        Edge of the first sample, in pixels from the edge of the image.
    step : float
        Pixels per sample.
    count : int
        Number of samples.
    length : int
        Number of pixels in the image.

    Returns
    -------
    pixels : slice
        What to read.
    weights : (count, number of pixels) sparse array
        Each row sums up to 1.
    """
    edges = start + step * np.arange(count)
    if step < 1:
        centers = np.clip(edges + step / 2 - 0.5, 0, length - 1)
        index = np.floor(centers)[:, None] + [0, 1]
        weights = np.maximum(1 - np.abs(centers[:, None] - index), 0)
    else:
        low = np.clip(edges, 0, length - 1)[:, None]
        high = np.clip(edges[:, None] + step, 1, length)
        index = np.floor(low + TOLERANCE) + np.arange(min(math.ceil(step), length) + 1)
        weights = np.minimum(high, index + 1) - np.maximum(low, index)
        weights[weights < TOLERANCE / 2] = 0
        weights /= weights.sum(axis=1, keepdims=True)
    used = weights > 0
    first, last = int(index[used].min()), int(index[used].max())
    rows = np.broadcast_to(np.arange(count)[:, None], index.shape)
    entries = (rows[used], (index[used] - first).astype(int))
    matrix = csr_array((weights[used], entries), shape=(count, last + 1 - first), dtype=np.float32)
    return slice(first, last + 1), matrix


def resample(
    pixels: NDArray[np.float32], rows: csr_array, columns: csr_array
) -> NDArray[np.float32]:
    """Apply weights to the last two axes of a (C, h, w) array."""
    if _is_identity(rows) and _is_identity(columns):
        return pixels
    return np.stack([(columns @ (rows @ channel).T).T for channel in pixels])


def _is_identity(weights: csr_array) -> bool:
    """Tell whether each sample is one pixel."""
    return bool(weights.shape[0] == weights.shape[1] == weights.nnz)
