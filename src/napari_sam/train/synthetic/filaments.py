"""Filaments: fibers, hyphae, neurites; long, thin, bent, of any width."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from napari_sam.train.synthetic.noise import mixed_noise
from napari_sam.train.synthetic.optics import blur, haze, shot_noise, stretch, uneven_light
from napari_sam.train.synthetic.shapes import connected, per_object, random_diameter


def draw_filaments(
    rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw filaments, sometimes beaded, over a dim background; where they cross they are cut."""
    width = random_diameter(rng, 5, 0.09 * shape[0])
    n = int(rng.integers(2, max(4, int(0.5 * shape[0] / width))))
    length = rng.uniform(6, 25) * width
    lines = np.zeros(shape, np.int32)
    for i in range(1, n + 1):
        y, x = draw_path(rng, shape, length)
        lines[y, x] = i
    distance, nearest = ndimage.distance_transform_edt(lines == 0, return_indices=True)
    widths = width / 2 * np.exp(rng.normal(0, 0.25, n + 1))
    owner = lines[tuple(nearest)]
    depth = np.clip(1 - distance / widths[owner], 0, 1).astype(np.float32)
    labels = connected(np.where(depth > 0, owner, 0))

    beads = np.clip(1 + rng.uniform(0, 0.6) * mixed_noise(rng, shape, width), 0.1, None)
    scene = per_object(rng, labels, rng.uniform(0.1, 0.5)) * np.sqrt(depth) * beads
    image = blur(scene, rng.uniform(0.5, 1.5)) + rng.uniform(0, 0.4) * haze(scene, int(3 * width))
    image += rng.uniform(0, 0.15) * (1 + 0.5 * mixed_noise(rng, shape, 8))
    image *= uneven_light(rng, shape, rng.uniform(0, 0.3))
    return stretch(shot_noise(rng, image, random_diameter(rng, 8, 300), 0.01)), labels


def draw_path(
    rng: np.random.Generator, shape: tuple[int, int], length: float
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a path whose direction drifts, as far as it lies in the image."""
    steps = np.arange(0, length, 0.5)
    turns = np.cumsum(rng.normal(0, 1, len(steps)))
    angle = rng.uniform(0, 2 * np.pi) + rng.uniform(0, 0.12) * turns
    start = rng.uniform(0, 1, 2) * shape
    y = (start[0] + np.cumsum(np.sin(angle)) / 2).round().astype(int)
    x = (start[1] + np.cumsum(np.cos(angle)) / 2).round().astype(int)
    inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    return y[inside], x[inside]
