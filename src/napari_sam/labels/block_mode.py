"""The most frequent label of each block of pixels: what a coarser level shows of a finer one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def block_mode(labels: NDArray[Any], factors: Sequence[int]) -> NDArray[Any]:
    """Return the most frequent label of each block.

    Of labels that are equally frequent, the first in reading order. A last block that is cut off is
    filled up with its last row or column.

    Parameters
    ----------
    labels : array of int
        Of any number of axes.
    factors : sequence of int
        Lengths of a block along each axis.
    """
    if tuple(factors) == (1,) * (labels.ndim - 2) + (2, 2):
        return mode_2x2(labels)
    blocks = _blocks(labels, factors)
    mode = blocks[:, 0].copy()
    mixed = np.flatnonzero((blocks != mode[:, None]).any(axis=1))  # few: the rims of objects
    mode[mixed] = _first_mode(blocks[mixed])
    return mode.reshape([-(-n // side) for n, side in zip(labels.shape, factors, strict=True)])


def mode_2x2(labels: NDArray[Any]) -> NDArray[Any]:
    """Return the most frequent label of each 2 x 2 block of the last two axes, as `block_mode`."""
    odd = [(0, n % 2) for n in labels.shape[-2:]]
    labels = np.pad(labels, [(0, 0)] * (labels.ndim - 2) + odd, mode="edge")
    a, b = labels[..., ::2, ::2], labels[..., ::2, 1::2]
    c, d = labels[..., 1::2, ::2], labels[..., 1::2, 1::2]
    a_is_mode = (a == b) | (a == c) | (a == d)
    b_is_mode = (b == c) | (b == d)
    return np.where(a_is_mode, a, np.where(b_is_mode, b, np.where(c == d, c, a)))


def _blocks(labels: NDArray[Any], factors: Sequence[int]) -> NDArray[Any]:
    """Return the blocks, one after the other, each in reading order: (blocks, pixels)."""
    missing = [(0, -n % side) for n, side in zip(labels.shape, factors, strict=True)]
    padded = np.pad(labels, missing, mode="edge")
    cut = [
        length
        for n, side in zip(padded.shape, factors, strict=True)
        for length in (n // side, side)
    ]
    outer, inner = range(0, 2 * labels.ndim, 2), range(1, 2 * labels.ndim, 2)
    return padded.reshape(cut).transpose(*outer, *inner).reshape(-1, math.prod(factors))


def _first_mode(blocks: NDArray[Any]) -> NDArray[Any]:
    """Return the most frequent value of each row, the first of those that are equally frequent."""
    best, most = blocks[:, 0].copy(), np.zeros(len(blocks), np.intp)
    for column in blocks.T:
        n_equal = np.count_nonzero(blocks == column[:, None], axis=1)
        best = np.where(n_equal > most, column, best)
        most = np.maximum(most, n_equal)
    return best
