"""From low-resolution logits to a mask in image pixels."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor, nan

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from napari_sam.masks.mask import Mask
from napari_sam.prompts.mask_prompt import MaskPrompt

BAND = 2**16
"""Pixels interpolated at a time: their logits stay in the cache."""


def mask_from_logits(
    logits: MaskPrompt,
    shape_yx: tuple[int, int],
    *,
    predicted_iou: float = nan,
    threshold: float = 0.0,
    stability_offset: float = 1.0,
    via: float | None = None,
) -> Mask:
    """Interpolate logits to level-0 pixels and cut them at a threshold.

    Bilinear, with pixel centers, as SAM does it. Interpolated values lie between their neighbors,
    so only the box of the low-resolution logits that can pass is looked at.

    Parameters
    ----------
    logits : MaskPrompt
        Low-resolution logits and where they lie.
    shape_yx : tuple of int
        Rows and columns of the image; what lies beyond is left out.
    predicted_iou : float
        Handed on to the mask.
    threshold : float
        The mask is where the logits exceed it.
    stability_offset : float
        The stability score compares the areas at the threshold plus and minus this.
    via : float, optional
        Interpolate twice, as SAM does: first to samples of so many level-0 pixels, those of the
        window, and then to pixels. Default: at once. Where a pixel is a sample, that is the same.

    Returns
    -------
    Mask
        With its stability score (NaN if nothing comes near the threshold) and `logits`.
    """
    outer = threshold - stability_offset
    low, step = logits.logits, logits.step
    passing_rows = np.flatnonzero(low.max(axis=1) > outer)
    passing_columns = np.flatnonzero(low.max(axis=0) > outer)
    rows = _axis(passing_rows, low.shape[0], logits.y, step, shape_yx[0], via)
    columns = _axis(passing_columns, low.shape[1], logits.x, step, shape_yx[1], via)
    if rows is None or columns is None:
        return Mask.from_array(np.zeros((0, 0), bool), predicted_iou=predicted_iou, logits=logits)
    (y0, row_samples, row_matrix), (x0, column_samples, column_matrix) = rows, columns

    narrow = (column_matrix @ low[row_samples, column_samples].T).T
    array = np.empty((row_matrix.shape[0], column_matrix.shape[0]), dtype=bool)
    n_inner = n_outer = 0
    for band, values in _iter_bands(row_matrix, np.ascontiguousarray(narrow)):
        np.greater(values, threshold, out=array[band])
        n_inner += int(np.count_nonzero(values > threshold + stability_offset))
        n_outer += int(np.count_nonzero(values > outer))
    return Mask.from_array(
        array,
        y0,
        x0,
        predicted_iou=predicted_iou,
        stability_score=n_inner / n_outer if n_outer else nan,
        logits=logits,
    )


def _iter_bands(
    matrix: csr_array, samples: NDArray[np.float32]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield some rows of a (pixels, samples) matrix at a time, and their product with samples.

    A sparse product runs on one thread. Those of a dense one would wait for each other, which takes
    ten times as long as the product wherever other programs want the cores too.
    """
    n_pixels, n_rows = matrix.shape[0], max(1, BAND // samples.shape[1])
    for start in range(0, n_pixels, n_rows):
        band = slice(start, min(start + n_rows, n_pixels))
        yield band, matrix[band] @ samples


def _axis(
    passing: NDArray[np.int64],
    n_samples: int,
    origin: float,
    step: float,
    n_pixels: int,
    via: float | None,
) -> tuple[int, slice, csr_array] | None:
    """Find the pixels along one axis that can pass, and how to interpolate them.

    Parameters
    ----------
    passing : (n,) int array
        The samples that pass somewhere across the other axis, ascending.
    n_samples : int
        Length of the samples along the axis.
    origin, step : float
        Of the samples: level-0 edge and pixels per sample.
    n_pixels : int
        Length of the image along the axis.
    via : float, optional
        Level-0 pixels per sample to interpolate to in between.

    Returns
    -------
    first : int
        The first pixel.
    samples : slice
        The samples that the pixels lie between.
    matrix : (pixels, samples) float32 sparse array
        Their weights.
    """
    if len(passing) == 0:
        return None
    reach = 1 if via is None else 2
    low, high = max(int(passing[0]) - reach, 0), min(int(passing[-1]) + reach, n_samples - 1)
    # Pixels between the centers of these samples; up to the edge for the outermost sample.
    edge_low = origin + (low + 0.5 * (low > 0)) * step
    edge_high = origin + (high + 1 - 0.5 * (high < n_samples - 1)) * step
    first = max(ceil(edge_low - 0.5), 0)
    last = min(floor(edge_high - 0.5), n_pixels - 1)
    if first > last:
        return None
    from_origin = np.arange(first, last + 1, dtype=np.float64) + 0.5 - origin
    if via is None:
        matrix = _weights(from_origin / step - 0.5, low, high)
    else:
        n_between = max(1, round(min(n_samples * step, n_pixels - origin) / via))
        between = np.clip(from_origin / via - 0.5, 0, n_between - 1)
        start, stop = floor(between[0]), ceil(between[-1])
        centers = (np.arange(start, stop + 1) + 0.5) * via
        matrix = _weights(between, start, stop) @ _weights(centers / step - 0.5, low, high)
    return first, slice(low, high + 1), matrix.astype(np.float32)


def _weights(positions: NDArray[np.float64], low: int, high: int) -> csr_array:
    """Return how much of each sample from `low` to `high` is at places between them."""
    within = np.clip(positions - low, 0, high - low)
    before = np.minimum(within.astype(np.int32), max(0, high - low - 1))
    share = within - before
    weights = np.stack([1 - share, share], axis=1)
    samples = np.stack([before, np.minimum(before + 1, high - low)], axis=1)
    starts = np.arange(0, 2 * len(positions) + 1, 2)
    shape = (len(positions), high - low + 1)
    return csr_array((weights.ravel(), samples.ravel(), starts), shape=shape)
