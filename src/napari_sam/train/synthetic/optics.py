"""What a microscope and its camera do to a scene: blur, haze, uneven light, noise."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_sam.train.synthetic.noise import smooth_noise


def blur(image: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of a focused image."""
    return ndimage.gaussian_filter(image, sigma, mode="nearest", truncate=3)


def haze(image: np.ndarray, width: int) -> np.ndarray:
    """Light from above and below the focus: a wide blur by two box filters."""
    return ndimage.uniform_filter(ndimage.uniform_filter(image, width), width)


def uneven_light(rng: np.random.Generator, shape: tuple[int, int], strength: float) -> np.ndarray:
    """Factor (H, W) around 1 that changes slowly over the field of view."""
    return np.exp(strength * smooth_noise(rng, shape, 0.7 * max(shape)))


def shot_noise(
    rng: np.random.Generator, image: np.ndarray, photons: float, read: float
) -> np.ndarray:
    """Count photons, `photons` of them where the image is 1, and read them with an error."""
    counted = rng.poisson(np.clip(image, 0, None) * photons) / np.float32(photons)
    return counted + read * rng.standard_normal(image.shape, dtype=np.float32)


def stretch(image: np.ndarray) -> np.ndarray:
    """Scale to [0, 1] by percentiles, as images are shown to the model."""
    low, high = np.percentile(image[::2, ::2], (1, 99.8))
    return np.clip((image - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
