"""Electron microscopy: dark membranes, grainy cells, mitochondria, vesicles, myelin."""

from __future__ import annotations

import numpy as np

from napari_sam.train.synthetic.cells_of_tissue import draw_regions
from napari_sam.train.synthetic.noise import mixed_noise, smooth_noise
from napari_sam.train.synthetic.optics import blur, stretch, uneven_light
from napari_sam.train.synthetic.shapes import (
    connected,
    draw_blobs,
    per_object,
    random_diameter,
    scatter,
)


def draw_electron_micrograph(
    rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Draw a section of packed cells, or of axons in their myelin; label cells or organelles."""
    draw = draw_axons if rng.random() < 0.4 else draw_packed_cells
    gray, labels = draw(rng, shape)
    gray += rng.uniform(0.02, 0.12) * mixed_noise(rng, shape, rng.uniform(1.0, 2.0))
    image = blur(gray.astype(np.float32), rng.uniform(0.4, 1.0))
    image *= uneven_light(rng, shape, rng.uniform(0, 0.15))
    image += rng.uniform(0.01, 0.08) * rng.standard_normal(shape, dtype=np.float32)
    return stretch(image), labels


def draw_packed_cells(
    rng: np.random.Generator, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Gray values and labels of cells of very different sizes with organelles in them."""
    diameter = random_diameter(rng, 24, 0.5 * shape[0])
    centers = scatter(rng, shape, diameter * rng.uniform(0.6, 0.9), rng.uniform(0.4, 0.8))
    cells, border = draw_regions(rng, shape, centers, 0.3 * diameter, 0.5 * diameter)
    membrane = np.exp(-((border / rng.uniform(0.8, 2.0)) ** 2))
    gray = 0.65 + 0.08 * (per_object(rng, cells, 0.5) - 1) - 0.5 * membrane
    organelles = draw_organelles(rng, gray, border, rng.uniform(0.2, 0.4) * diameter)
    if rng.random() < 0.35:
        return gray, np.where(organelles > 0, organelles, -1)
    gap = rng.uniform(0, 1.5)
    return gray, connected(np.where(border > gap, cells, 0))


def draw_organelles(
    rng: np.random.Generator, gray: np.ndarray, room: np.ndarray, diameter: float
) -> np.ndarray:
    """Draw mitochondria and vesicles where there is room, into `gray`; labels of the former."""
    shape = gray.shape
    centers = scatter(rng, shape, 2 * diameter, rng.uniform(0.3, 0.9))
    inside = (centers >= 0).all(1) & (centers < shape).all(1)
    centers = centers[inside]
    y, x = centers.astype(int).T
    centers = centers[room[y, x] > 0.4 * diameter]
    labels, depth = draw_blobs(rng, shape, centers, np.full(len(centers), diameter / 2), 0.6, 0.06)
    labels = connected(np.where(room > 1.5, labels, 0))
    stripes = np.sin(2.5 * smooth_noise(rng, shape, 0.8 * diameter) * rng.uniform(2, 5))
    matrix = 0.35 + 0.08 * stripes - 0.25 * (depth < 0.15)
    covers = labels > 0
    gray[covers] = matrix[covers]
    spots = scatter(rng, shape, rng.uniform(6, 12), rng.uniform(0.05, 0.4))
    _, vesicles = draw_blobs(rng, shape, spots, rng.uniform(2, 3.5, len(spots)), 0.1, 0.0)
    gray -= 0.25 * ((vesicles > 0) & (vesicles < 0.5) & ~covers & (room > 3))
    return labels


def draw_axons(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Gray values of myelinated axons; labels of the axons, without or with their myelin."""
    diameter = random_diameter(rng, 18, 0.35 * shape[0])
    centers = scatter(rng, shape, diameter * rng.uniform(1.0, 1.5), rng.uniform(0.4, 1.0))
    radii = diameter / 2 * np.exp(rng.normal(0, 0.35, len(centers)))
    fibers, depth = draw_blobs(rng, shape, centers, radii, 0.4, 0.1)
    myelin = rng.uniform(0.15, 0.4)
    ground = 0.55 + 0.1 * mixed_noise(rng, shape, 0.2 * diameter)
    gray = np.where(fibers > 0, np.where(depth > myelin, 0.7, 0.15), ground)
    gray += 0.06 * (fibers > 0) * (per_object(rng, fibers, 0.5) - 1)
    if rng.random() < 0.2:
        gray = 1 - gray
    if rng.random() < 0.5:
        return gray, fibers
    axons = connected(np.where(depth > myelin, fibers, 0))
    return gray, np.where((axons == 0) & (fibers > 0), -1, axons)
