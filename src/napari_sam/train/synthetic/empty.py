"""Nothing: a background with noise, uneven light, dirt out of focus, and perhaps hot pixels."""

from __future__ import annotations

import numpy as np

from napari_sam.train.synthetic.noise import mixed_noise
from napari_sam.train.synthetic.optics import blur, shot_noise, stretch, uneven_light
from napari_sam.train.synthetic.shapes import random_diameter


def draw_empty(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw an image in which nothing is to be found, its noise stretched as far as objects are."""
    image = np.full(shape, rng.uniform(0.1, 0.6), np.float32)
    image *= uneven_light(rng, shape, rng.uniform(0, 0.6))
    if rng.random() < 0.5:  # texture of the medium, or tissue out of focus
        image += rng.uniform(0, 0.1) * mixed_noise(rng, shape, random_diameter(rng, 2, 40))
    image = shot_noise(rng, image, random_diameter(rng, 5, 1000), rng.uniform(0, 0.05))
    if rng.random() < 0.3:
        image = blur(image, rng.uniform(0.4, 2.0))
    if rng.random() < 0.3:
        y, x = (rng.integers(0, n, rng.integers(1, 6)) for n in shape)
        image[y[: len(x)], x[: len(y)]] = 1.0
    if rng.random() < 0.5:  # in an image that has objects elsewhere
        image = np.clip(image * rng.uniform(0.1, 1.0), 0, 1).astype(np.float32)
    else:
        image = stretch(image)
    return image, np.zeros(shape, np.int32)
