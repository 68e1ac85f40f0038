"""From low-resolution logits to a mask in image pixels."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor, nan

import numpy as np
from numpy.typing import NDArray

from napari_sam.masks.mask import Mask
from napari_sam.prompts.interpolation import interpolation_matrix
from napari_sam.prompts.mask_prompt import MaskPrompt

BAND = 64
"""Rows interpolated at a time: they read few samples, and their logits stay in the cache."""


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

    samples = np.ascontiguousarray(low[row_samples, column_samples].T)
    narrow = np.concatenate([values for _, values in _iter_bands(column_matrix, samples)]).T
    array = np.empty((len(row_matrix), len(column_matrix)), dtype=bool)
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
    matrix: NDArray[np.float32], samples: NDArray[np.float32]
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield some rows of a (pixels, samples) matrix at a time, and their product with samples.

    Each reads only the (samples, n) that it gives weight to.
    """
    for start in range(0, len(matrix), BAND):
        band = slice(start, start + BAND)
        read = np.flatnonzero(matrix[band].any(axis=0))
        near = slice(read[0], read[-1] + 1)
        yield band, matrix[band, near] @ samples[near]


def _axis(
    passing: NDArray[np.int64],
    n_samples: int,
    origin: float,
    step: float,
    n_pixels: int,
    via: float | None,
) -> tuple[int, slice, NDArray[np.float32]] | None:
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
    matrix : (pixels, samples) float32 array
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
        matrix = _weights(from_origin, step, low, high)
    else:
        n_between = max(1, round(min(n_samples * step, n_pixels - origin) / via))
        between = np.clip(from_origin / via - 0.5, 0, n_between - 1)
        before = np.floor(between).astype(np.int64)
        after = np.minimum(before + 1, n_between - 1)
        read = np.arange(before[0], after[-1] + 1)
        weights = _weights((read + 0.5) * via, step, low, high)
        share = (between - before)[:, None]
        matrix = (1 - share) * weights[before - read[0]] + share * weights[after - read[0]]
    return first, slice(low, high + 1), matrix.astype(np.float32)


def _weights(
    from_origin: NDArray[np.float64], step: float, low: int, high: int
) -> NDArray[np.float64]:
    """Return how much of each sample from `low` to `high` is at places on the axis."""
    within = np.clip(from_origin / step - 0.5 - low, 0, high - low)
    return interpolation_matrix(within, high - low + 1)
