"""Membranes of cells that fill the plane, as in a confocal section of a plant or an embryo."""

from __future__ import annotations

import numpy as np

from napari_sam.train.synthetic.cells_of_tissue import draw_regions
from napari_sam.train.synthetic.noise import mixed_noise, smooth_noise
from napari_sam.train.synthetic.optics import blur, haze, shot_noise, stretch, uneven_light
from napari_sam.train.synthetic.shapes import connected, per_object, random_diameter, scatter


def draw_tissue(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw bright membranes of uneven strength around dim cells, often with a nucleus."""
    diameter = random_diameter(rng, 14, 0.4 * shape[0])
    centers = scatter(rng, shape, diameter, rng.uniform(0.6, 1.0))
    labels, border = draw_regions(
        rng, shape, centers, rng.uniform(0, 0.12) * diameter, rng.uniform(0.3, 0.8) * diameter
    )
    outside = smooth_noise(rng, shape, 0.5 * max(shape)) > rng.uniform(0.4, 2.5)
    outside = np.isin(labels, np.unique(labels[outside]))
    labels[outside] = 0

    width = rng.uniform(0.7, 0.06 * diameter + 1.2)
    strength = np.clip(1 + rng.uniform(0, 0.5) * mixed_noise(rng, shape, 0.3 * diameter), 0.1, None)
    membrane = np.exp(-((border / width) ** 2)) * strength * ~(outside & (border > width))
    inside = rng.uniform(0, 0.4) * per_object(rng, labels, 0.5)
    inside *= 1 + 0.3 * mixed_noise(rng, shape, max(1.5, 0.06 * diameter))
    deep = rng.uniform(0, 0.8) * (border > 0.25 * diameter) * (labels > 0)
    scene = (membrane + inside + deep * (rng.random() < 0.4)).astype(np.float32)
    image = blur(scene, rng.uniform(0.5, 1.2)) + rng.uniform(0, 0.6) * haze(scene, int(diameter))
    image = (image + 0.03) * uneven_light(rng, shape, rng.uniform(0, 0.3))
    image = stretch(shot_noise(rng, image, random_diameter(rng, 8, 300), 0.01))
    gap = rng.choice((0.0, width))
    return image, connected(np.where(border >= gap, labels, 0))
