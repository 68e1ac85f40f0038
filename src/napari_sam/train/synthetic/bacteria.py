"""Bacteria: rods and spheres, alone, dividing, in chains and in colonies."""

from __future__ import annotations

import numpy as np

from napari_sam.train.synthetic.noise import mixed_noise
from napari_sam.train.synthetic.optics import blur, haze, shot_noise, stretch, uneven_light
from napari_sam.train.synthetic.shapes import connected, per_object, random_diameter, scatter


def draw_bacteria(
    rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rods by fluorescence, by their stained membrane, or dark in phase contrast."""
    width = random_diameter(rng, 5, 0.08 * shape[0])
    labels, depth = draw_rods(rng, shape, width)
    brightness = per_object(rng, labels, rng.uniform(0.05, 0.4))
    look = rng.choice(("body", "membrane", "phase"))
    rim = np.exp(-((depth / 0.25) ** 2)) * (labels > 0)
    scene = brightness * (rim if look == "membrane" else np.sqrt(depth))
    scene = scene.astype(np.float32) * (1 + 0.2 * mixed_noise(rng, shape, max(1.5, 0.3 * width)))
    image = blur(scene, rng.uniform(0.5, 0.1 * width + 0.8))
    if look == "phase":
        image = 0.6 - 0.5 * (image - rng.uniform(0.5, 1.0) * haze(image, max(3, int(width))))
        image += rng.uniform(0.005, 0.05) * mixed_noise(rng, shape, 1.0)
        image += rng.uniform(0.005, 0.04) * rng.standard_normal(shape, dtype=np.float32)
        return stretch(image * uneven_light(rng, shape, rng.uniform(0, 0.15))), labels
    image += rng.uniform(0, 0.4) * haze(scene, max(3, int(2 * width))) + rng.uniform(0, 0.2)
    image *= uneven_light(rng, shape, rng.uniform(0, 0.2))
    return stretch(shot_noise(rng, image, random_diameter(rng, 8, 200), 0.01)), labels


def draw_rods(
    rng: np.random.Generator, shape: tuple[int, int], width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Labels of rods about `width` pixels wide, and how deep a pixel is in its rod (0 to 1)."""
    labels = np.zeros(shape, np.int32)
    depth = np.zeros(shape, np.float32)
    ratio = rng.uniform(1.0, 6.0)  # length over width; 1 is a sphere
    spacing = width * np.sqrt(ratio) * rng.uniform(1.1, 2.5)
    main_angle, disorder = rng.uniform(0, np.pi), rng.uniform(0.1, 3.0)
    n_links = int(rng.choice((1, 1, 2, 5)))
    i = 0
    for center in scatter(rng, shape, spacing * np.sqrt(n_links), rng.uniform(0.1, 0.9)):
        angle = main_angle + rng.normal(0, disorder)
        for _ in range(int(rng.integers(1, n_links + 1))):
            i += 1
            length = (ratio - 1) * width * rng.uniform(0.6, 1.4)
            step = np.array([np.sin(angle), np.cos(angle)])
            _draw_rod(labels, depth, i, center, step * length / 2, width / 2)
            turn = rng.normal(0, 0.25)
            center = center + step * (length + width) / 2
            angle += turn
            center = center + np.array([np.sin(angle), np.cos(angle)]) * (length + width) / 2
    return connected(labels), depth


def _draw_rod(
    labels: np.ndarray,
    depth: np.ndarray,
    i: int,
    center: np.ndarray,
    half: np.ndarray,
    radius: float,
) -> None:
    """Draw all that is nearer than `radius` to the line between center - half and center + half."""
    reach = np.abs(half) + radius + 1
    y0, x0 = np.maximum(center - reach, 0).astype(int)
    y1, x1 = (np.minimum(center + reach + 1, labels.shape)).astype(int)
    if y0 >= y1 or x0 >= x1:
        return
    here = np.s_[y0:y1, x0:x1]
    y, x = np.ogrid[y0:y1, x0:x1]
    y, x = y - center[0], x - center[1]
    along = np.clip((y * half[0] + x * half[1]) / max(half @ half, 1e-6), -1, 1)
    inside = 1 - np.hypot(y - along * half[0], x - along * half[1]) / radius
    wins = inside > depth[here]
    labels[here][wins] = i
    depth[here][wins] = inside[wins]
