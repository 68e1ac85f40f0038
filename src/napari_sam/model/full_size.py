"""From low-resolution logits to masks of the size of the image.

Officially logits are interpolated twice: to the model's window, whose padding is then cut off, and
from there to the image. Each step is linear, and treats rows and columns alike, so both together
are one matrix per axis. For a mask only the sign counts, and an interpolated value lies between the
values that it is made of: where all of them are negative, nothing needs to be computed.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

BAND_PIXELS = 64
"""Rows computed at a time: they read few rows of logits, and their values stay in the cache."""


def axis_matrix(low_res_size: int, image_size: int, resized: int, length: int) -> torch.Tensor:
    """Return the two official steps of interpolation along one axis as a matrix.

    Parameters
    ----------
    low_res_size, image_size : int
        Sides of the low-resolution logits and of the model's window.
    resized, length : int
        Length of the image along this axis, as the model sees it and in pixels.

    Returns
    -------
    (length, low_res_size) float32 tensor
        Weights of the samples in each pixel; only a few neighbors are not 0.
    """
    each_sample_alone = torch.eye(low_res_size)[None]
    window = F.interpolate(each_sample_alone, image_size, mode="linear")[..., :resized]
    return F.interpolate(window, length, mode="linear")[0].T.contiguous()


class Interpolation:
    """An `axis_matrix`, and which samples each pixel reads.

    Parameters
    ----------
    matrix : (length, low_res_size) float32 tensor
        Of `axis_matrix`.

    Attributes
    ----------
    matrix : (length, low_res_size) float32 tensor
        The same.
    first, last : (length,) int64 tensors
        Between which samples the weights of a pixel are not 0. Neither ever decreases.
    """

    def __init__(self, matrix: torch.Tensor) -> None:
        self.matrix = matrix
        is_read = (matrix > 0).byte()
        self.first = is_read.argmax(dim=1)
        self.last = matrix.shape[1] - 1 - is_read.flip(1).argmax(dim=1)

    def readers(self, samples: torch.Tensor) -> slice:
        """Return the pixels that can read one of the samples, given as (low_res_size,) flags."""
        indices = samples.nonzero().flatten().tolist()
        if not indices:
            return slice(0, 0)
        start = torch.count_nonzero(self.last < indices[0])
        stop = torch.count_nonzero(self.first <= indices[-1])
        return slice(int(start), int(stop))

    def bands(self, pixels: slice) -> Iterator[tuple[slice, slice]]:
        """Yield some pixels at a time, and the samples that they read."""
        for start in range(pixels.start, pixels.stop, BAND_PIXELS):
            stop = min(start + BAND_PIXELS, pixels.stop)
            yield slice(start, stop), slice(int(self.first[start]), int(self.last[stop - 1]) + 1)


@torch.inference_mode()
def full_size_masks(
    logits: torch.Tensor, rows: Interpolation, columns: Interpolation
) -> torch.Tensor:
    """Return where the interpolated logits exceed 0.

    Differs from the official interpolation by rounding only: in pixels where the value is 0 but for
    the last digits.

    Parameters
    ----------
    logits : torch.Tensor
        (M, L, L) float32, on the CPU.
    rows, columns : Interpolation
        To the height H and the width W of the image.

    Returns
    -------
    torch.Tensor
        (M, H, W) bool.
    """
    masks = torch.zeros(len(logits), len(rows.matrix), len(columns.matrix), dtype=torch.bool)
    for low, mask in zip(logits, masks, strict=True):
        for y, x, values in iter_bands(low, rows, columns):
            torch.gt(values, 0, out=mask[y, x])
    return masks


def iter_bands(
    logits: torch.Tensor, rows: Interpolation, columns: Interpolation, threshold: float = 0
) -> Iterator[tuple[slice, slice, torch.Tensor]]:
    """Yield the interpolated logits of one mask, some rows at a time, where any can pass.

    Parameters
    ----------
    logits : torch.Tensor
        (L, L) float32, on the CPU.
    rows, columns : Interpolation
        As of `full_size_masks`.
    threshold : float
        What a logit must exceed.

    Yields
    ------
    y, x : slice
        Pixels; the columns are always the same.
    values : torch.Tensor
        Their logits.
    """
    passes = logits > threshold
    y, x = rows.readers(passes.any(dim=1)), columns.readers(passes.any(dim=0))
    narrow = logits @ columns.matrix[x].T  # (L, width of the object)
    for pixels, samples in rows.bands(y):
        yield pixels, x, rows.matrix[pixels, samples] @ narrow[samples]
