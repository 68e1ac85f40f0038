"""Linear interpolation along one axis, as a sparse matrix."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array


def interpolation_matrix(positions: NDArray[np.float64], n: int, width: float = 1.0) -> csr_array:
    """Return the (P, n) matrix that reads n samples at P positions along one axis.

    Each row holds the weights of a triangle of half-width `width` around its position. With width 1
    this is linear interpolation; a larger width averages as it should when samples are thinned out.
    The weights of a row sum to 1 over an endless axis: what falls outside the n samples is missing
    from the row's sum, for the caller to fill. A plane is resampled by one matrix per axis,
    ``rows @ plane @ columns.T``.

    Parameters
    ----------
    positions : (P,) float array
        In samples, centers at integers.
    n : int
        Number of samples along the axis.
    width : float
        Half-width of the triangle in samples, at least 1.
    """
    reach = int(np.ceil(width))
    nearest = np.floor(positions).astype(np.int64)
    taps = nearest[:, None] + np.arange(-reach, reach + 2)
    weights = np.maximum(0.0, 1.0 - np.abs(taps - positions[:, None]) / width)
    weights /= weights.sum(axis=1, keepdims=True)
    rows, columns = np.nonzero((taps >= 0) & (taps < n))
    entries = weights[rows, columns], (rows, taps[rows, columns])
    return csr_array(entries, shape=(len(positions), n))
