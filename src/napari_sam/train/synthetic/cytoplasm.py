"""Whole cells in fluorescence: a dim body around a nucleus, dark or bright."""

from __future__ import annotations

import numpy as np

from napari_sam.train.synthetic.noise import mixed_noise
from napari_sam.train.synthetic.optics import blur, haze, shot_noise, stretch, uneven_light
from napari_sam.train.synthetic.shapes import (
    connected,
    draw_blobs,
    per_object,
    random_diameter,
    scatter,
)


def draw_cytoplasm(
    rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw cells, or in a third of the images label their nuclei instead."""
    diameter = random_diameter(rng, 24, 0.4 * shape[0])
    centers = scatter(rng, shape, diameter * rng.uniform(0.7, 1.3), rng.uniform(0.2, 1.0))
    spread = np.exp(rng.normal(0, 0.2, len(centers)))
    cells, depth = draw_blobs(rng, shape, centers, diameter / 2 * spread, 0.7, 0.16)
    nuclei, core = draw_blobs(
        rng, shape, centers + rng.normal(0, 0.05 * diameter, centers.shape), 0.2 * diameter * spread
    )
    nuclei[cells == 0] = 0

    body = depth ** rng.uniform(0.15, 0.7)  # thick around the nucleus, thin at the rim
    texture = mixed_noise(rng, shape, max(1.5, 0.05 * diameter))
    body = body * np.clip(1 + rng.uniform(0.1, 0.5) * texture, 0.05, None)
    rim = rng.uniform(0, 0.8) * np.exp(-((depth / rng.uniform(0.04, 0.12)) ** 2)) * (cells > 0)
    scene = per_object(rng, cells, rng.uniform(0.1, 0.5)) * (body + rim)
    scene *= 1 + rng.choice((-0.8, -0.5, 0.8, 2.0)) * np.minimum(core * 4, 1)
    image = blur(scene, rng.uniform(0.5, 1.8)) + rng.uniform(0, 0.4) * haze(scene, int(diameter))
    image = (image + rng.uniform(0.02, 0.3)) * uneven_light(rng, shape, rng.uniform(0, 0.3))
    image = stretch(shot_noise(rng, image, random_diameter(rng, 8, 300), 0.01))
    if rng.random() < 1 / 3:
        return image, connected(np.where((nuclei == 0) & (cells > 0), -1, nuclei))
    return image, cells
