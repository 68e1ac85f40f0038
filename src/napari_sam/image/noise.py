"""Random numbers and smooth noise that depend on nothing but the position."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def random_at(
    rows: NDArray[np.int64], columns: NDArray[np.int64], seed: int
) -> NDArray[np.float32]:
    """Return four independent uniform numbers in [0, 1) for each pair of a row and a column.

    Parameters
    ----------
    rows, columns : (h,) and (w,) integer arrays
        Positions on any lattice.
    seed : int
        Another seed gives other numbers.

    Returns
    -------
    (4, h, w) float32 array
    """
    row_bits = _mix(rows.astype(np.uint64) ^ _mix(np.array([seed]).astype(np.uint64)))
    bits = _mix(row_bits[:, None] ^ columns.astype(np.uint64))
    quarters = bits.view(np.uint16).reshape(*bits.shape, 4)
    return np.moveaxis(quarters, -1, 0).astype(np.float32) / np.float32(1 << 16)


def wave_noise(
    y: NDArray[np.floating], x: NDArray[np.floating], scale: float, seed: int, n_waves: int = 24
) -> NDArray[np.float32]:
    """Return smooth noise of mean 0 and variance 1 on the grid of (h,) and (w,) coordinates.

    A sum of plane waves of random directions, with wavelengths within an octave of `scale`. The
    sine of a sum splits into products over y and x, so that the grid is one matrix product.
    """
    random = np.random.default_rng(seed)
    wavelength = scale * 2 ** random.uniform(-1, 1, n_waves)
    angle, phase = random.uniform(0, 2 * np.pi, (2, n_waves))
    over_y = np.outer(y, 2 * np.pi / wavelength * np.sin(angle))
    over_x = np.outer(2 * np.pi / wavelength * np.cos(angle), x) + phase[:, None]
    left = np.concatenate([np.sin(over_y), np.cos(over_y)], axis=1).astype(np.float32)
    right = np.concatenate([np.cos(over_x), np.sin(over_x)]).astype(np.float32)
    return left @ right * np.float32((2 / n_waves) ** 0.5)


def smoothstep(t: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rise smoothly from 0 at t ≤ 0 to 1 at t ≥ 1."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def _mix(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit integers, so that each bit reaches all others."""
    bits = (bits ^ (bits >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return bits ^ (bits >> np.uint64(32))
