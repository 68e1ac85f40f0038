"""Random fields of a given coarseness, cheap to draw."""

from __future__ import annotations

import numpy as np


def spline_weights(n: int, spacing: float, shift: float) -> np.ndarray:
    """Weights (n, knots) of uniform cubic B-splines whose knots lie `spacing` pixels apart."""
    position = np.arange(n) / spacing + shift
    knots = np.arange(-1, int(position[-1]) + 3)
    t = np.abs(position[:, None] - knots)
    near = 2 / 3 - t**2 + t**3 / 2
    far = np.maximum(2 - t, 0) ** 3 / 6
    return np.where(t < 1, near, far).astype(np.float32)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], spacing: float) -> np.ndarray:
    """Gaussian field (H, W), mean 0 and deviation about 1, that varies over `spacing` pixels.

    A coarse grid of random numbers is interpolated by cubic B-splines, row by row and column by
    column: two products of matrices.
    """
    rows, columns = (spline_weights(n, spacing, rng.random()) for n in shape)
    knots = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    return 2.1 * (rows @ knots @ columns.T)  # splines average, so the deviation would be 0.48


def mixed_noise(rng: np.random.Generator, shape: tuple[int, int], finest: float) -> np.ndarray:
    """Sum of three octaves of `smooth_noise`, deviation about 1: a texture."""
    octaves = [smooth_noise(rng, shape, finest * 2**i) for i in range(3)]
    return (octaves[0] + octaves[1] + octaves[2]) / 1.73
