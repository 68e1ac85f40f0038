"""Nuclei in fluorescence: bright, textured, of every brightness, alone and in crowds."""

from __future__ import annotations

import numpy as np

from napari_sam.train.synthetic.noise import mixed_noise
from napari_sam.train.synthetic.optics import blur, haze, shot_noise, stretch, uneven_light
from napari_sam.train.synthetic.shapes import draw_blobs, per_object, random_diameter, scatter


def draw_nuclei(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw blurred nuclei with chromatin, haze of others out of focus, and shot noise."""
    diameter = random_diameter(rng, 10, 0.35 * shape[0])
    centers = scatter(rng, shape, diameter * rng.uniform(0.8, 1.6), rng.uniform(0.2, 1.0))
    radii = diameter / 2 * np.exp(rng.normal(0, rng.uniform(0.05, 0.3), len(centers)))
    labels, depth = draw_blobs(rng, shape, centers, radii, 0.35, rng.uniform(0.02, 0.12))

    edge = np.minimum(depth * rng.uniform(2, 8), 1)  # thinner towards the outline
    chromatin = mixed_noise(rng, shape, max(1.5, 0.08 * diameter))
    scene = per_object(rng, labels, rng.uniform(0.1, 0.7)) * edge
    scene *= np.clip(1 + rng.uniform(0.05, 0.4) * chromatin, 0.1, None)
    in_focus = blur(scene, rng.uniform(0.4, 0.05 * diameter + 0.8))
    scattered = haze(scene, max(3, int(diameter * rng.uniform(0.5, 1.2))))
    image = in_focus + rng.uniform(0, 0.5) * scattered + rng.uniform(0.0, 0.3)
    image *= uneven_light(rng, shape, rng.uniform(0, 0.25))
    return stretch(shot_noise(rng, image, random_diameter(rng, 8, 400), 0.01)), labels
