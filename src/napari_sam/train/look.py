"""Looks of one scene: gray or color, sign, contrast, light, sharpness, noise."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from napari_sam.train.synthetic.noise import smooth_noise


def change_look(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Vary color, sign, gamma, gain, offset, light, sharpness and noise: (C, S, S) in [0, 1]."""
    if len(image) == 3:
        gray = image.mean(0, keepdims=True)
        image = gray if rng.random() < 0.3 else image[rng.permutation(3)]
    if rng.random() < 0.25:
        image = 1 - image
    if rng.random() < 0.7:
        image = np.clip(image, 1e-4, 1) ** np.float32(math.exp(rng.normal(0, 0.35)))
    if rng.random() < 0.7:
        image = image * math.exp(rng.normal(0, 0.2)) + rng.normal(0, 0.07)
    if rng.random() < 0.2:
        light = smooth_noise(rng, image.shape[1:], 0.7 * image.shape[1])
        image = image * np.exp(rng.uniform(0, 0.35) * light)
    if rng.random() < 0.2:
        sigma = rng.uniform(0.4, 2.0)
        image = ndimage.gaussian_filter(image, (0, sigma, sigma), truncate=3)
    if rng.random() < 0.4:
        noise = rng.standard_normal(image.shape, dtype=np.float32)
        image = image + noise * rng.exponential(0.04)
    return np.clip(image, 0, 1).astype(np.float32)
