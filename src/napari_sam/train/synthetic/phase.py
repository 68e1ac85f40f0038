"""Phase contrast and bright field: flat gray cells with halos, some of them round and shining."""

from __future__ import annotations

import numpy as np

from napari_sam.train.synthetic.noise import mixed_noise
from napari_sam.train.synthetic.optics import blur, haze, stretch, uneven_light
from napari_sam.train.synthetic.shapes import draw_blobs, per_object, random_diameter, scatter


def draw_phase_contrast(
    rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw cells by their optical thickness: what is thicker than its surroundings is dark.

    Subtracting the surroundings is what the phase ring does, and what makes the halo.
    """
    diameter = random_diameter(rng, 14, 0.35 * shape[0])
    centers = scatter(rng, shape, diameter * rng.uniform(0.75, 1.6), rng.uniform(0.2, 1.0))
    radii = diameter / 2 * np.exp(rng.normal(0, 0.2, len(centers)))
    labels, depth = draw_blobs(rng, shape, centers, radii, rng.uniform(0.2, 1.2), 0.14)

    is_round = per_object(rng, labels, 1.0) > rng.uniform(2, 5)
    granules = mixed_noise(rng, shape, max(1.2, 0.05 * diameter))
    thickness = depth ** rng.uniform(0.15, 0.8) * per_object(rng, labels, 0.2)
    thickness *= 1 + rng.uniform(0.05, 0.3) * granules
    thickness = blur(thickness, rng.uniform(0.5, 1.5))
    ring = max(3, int(diameter * rng.uniform(0.1, 0.4)))
    phase = thickness - rng.uniform(0.7, 1.3) * haze(thickness, ring)
    nucleus = rng.uniform(0, 0.3) * np.clip(depth - 0.6, 0, None)
    image = 0.5 - rng.uniform(0.4, 1.0) * (phase + nucleus) + 0.6 * is_round * np.sqrt(depth)
    image *= uneven_light(rng, shape, rng.uniform(0, 0.2))
    image += rng.uniform(0.005, 0.04) * mixed_noise(rng, shape, 1.0)
    image += rng.uniform(0.0, 0.05) * rng.standard_normal(shape, dtype=np.float32)
    return stretch(image), labels
