"""From low-resolution logits to masks of the size of the image.

Officially logits are interpolated twice: to the model's window, whose padding is then cut off, and
from there to the image. Each step is linear, and treats rows and columns alike, so both together
are one matrix per axis. For a mask only the sign counts, and an interpolated value lies between the
values that it is made of: where all of them are negative, nothing needs to be computed.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.sparse import csr_array

BAND = 2**16
"""Pixels computed at a time: their values stay in the cache."""


def axis_matrix(low_res_size: int, image_size: int, resized: int, length: int) -> csr_array:
    """Return the two official steps of interpolation along one axis as a matrix.

    Parameters
    ----------
    low_res_size, image_size : int
        Sides of the low-resolution logits and of the model's window.
    resized, length : int
        Length of the image along this axis, as the model sees it and in pixels.

    Returns
    -------
    (length, low_res_size) float32 sparse array
        Weights of the samples in each pixel, a few neighbors.
    """
    each_sample_alone = torch.eye(low_res_size)[None]
    window = F.interpolate(each_sample_alone, image_size, mode="linear")[..., :resized]
    return csr_array(F.interpolate(window, length, mode="linear")[0].T.numpy())


class Interpolation:
    """An `axis_matrix`, and which samples each pixel reads.

    Parameters
    ----------
    matrix : (length, low_res_size) float32 sparse array
        Of `axis_matrix`.

    Attributes
    ----------
    matrix : (length, low_res_size) float32 sparse array
        The same.
    first, last : (length,) int arrays
        Between which samples the weights of a pixel are not 0. Neither ever decreases.
    """

    def __init__(self, matrix: csr_array) -> None:
        self.matrix = matrix
        self.first = matrix.indices[matrix.indptr[:-1]]
        self.last = matrix.indices[matrix.indptr[1:] - 1]

    def readers(self, samples: NDArray[np.bool_]) -> slice:
        """Return the pixels that can read one of the samples, given as (low_res_size,) flags."""
        indices = np.flatnonzero(samples)
        if len(indices) == 0:
            return slice(0, 0)
        start = np.searchsorted(self.last, indices[0])
        stop = np.searchsorted(self.first, indices[-1], side="right")
        return slice(int(start), int(stop))


def full_size_masks(
    logits: NDArray[np.float32], rows: Interpolation, columns: Interpolation
) -> NDArray[np.bool_]:
    """Return where the interpolated logits exceed 0.

    Differs from the official interpolation by rounding only: in pixels where the value is 0 but for
    the last digits.

    Parameters
    ----------
    logits : (M, L, L) float32 array
        Of M masks.
    rows, columns : Interpolation
        To the height H and the width W of the image.

    Returns
    -------
    (M, H, W) bool array
    """
    masks = np.zeros((len(logits), rows.matrix.shape[0], columns.matrix.shape[0]), bool)
    for low, mask in zip(logits, masks, strict=True):
        for y, x, values in iter_bands(low, rows, columns):
            np.greater(values, 0, out=mask[y, x])
    return masks


def iter_bands(
    logits: NDArray[np.float32], rows: Interpolation, columns: Interpolation, threshold: float = 0
) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
    """Yield the interpolated logits of one mask, some rows at a time, where any can pass.

    Parameters
    ----------
    logits : (L, L) float32 array
        Of one mask.
    rows, columns : Interpolation
        As of `full_size_masks`.
    threshold : float
        What a logit must exceed.

    Yields
    ------
    y, x : slice
        Pixels; the columns are always the same.
    values : (h, w) float32 array
        Their logits.
    """
    y, x = (
        rows.readers(logits.max(axis=1) > threshold),
        columns.readers(logits.max(axis=0) > threshold),
    )
    narrow = np.ascontiguousarray((columns.matrix[x] @ logits.T).T)  # (L, width of the object)
    n_rows = max(1, BAND // max(1, x.stop - x.start))
    for start in range(y.start, y.stop, n_rows):
        pixels = slice(start, min(start + n_rows, y.stop))
        yield pixels, x, rows.matrix[pixels] @ narrow
