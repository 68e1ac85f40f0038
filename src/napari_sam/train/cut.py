"""A rotated, mirrored, scaled square of a plane."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional as F

from napari_sam.model.nano import MEAN
from napari_sam.train.planes import LabeledPlane


def random_square(
    plane: LabeledPlane, truth: int, scale: float, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a square near an object, mostly all inside the plane, as windows are.

    Parameters
    ----------
    truth : int
        Which of the plane's labels.
    scale : float
        Pixels of the square per pixel of the plane.
    size : int
        Side of the square, in its own pixels.

    Returns
    -------
    image : (C, size, size) float32 array
    labels : (size, size) int32 array
    """
    labels = plane.labels[truth]
    height, width = labels.shape
    ys, xs = np.nonzero(labels) if rng.random() < 0.8 else np.nonzero(labels >= 0)
    pick = rng.integers(len(ys))
    half = size / scale / 2
    cy, cx = np.array([ys[pick], xs[pick]]) + rng.uniform(-0.6, 0.6, 2) * half
    if rng.random() < 0.85:
        cy, cx = (
            min(max(c, min(half, n / 2)), max(n - half, n / 2))
            for c, n in ((cy, height), (cx, width))
        )
    angle = rng.integers(4) * math.pi / 2 if rng.random() < 0.5 else rng.uniform(0, 2 * math.pi)
    mirror = rng.choice((-1.0, 1.0))
    cos, sin = math.cos(angle) * 2 * half, math.sin(angle) * 2 * half
    theta = torch.tensor(
        [
            [mirror * cos / width, -sin / width, (2 * cx + 1) / width - 1],
            [mirror * sin / height, cos / height, (2 * cy + 1) / height - 1],
        ],
        dtype=torch.float32,
    )
    grid = F.affine_grid(theta[None], [1, 1, size, size], align_corners=False)
    image = torch.from_numpy(plane.image.astype(np.float32)).permute(2, 0, 1)[None]
    image = F.grid_sample(image - MEAN, grid, align_corners=False)[0] + MEAN
    truth_map = torch.from_numpy(labels.astype(np.float32))[None, None]
    cut = F.grid_sample(truth_map, grid, mode="nearest", align_corners=False)[0, 0]
    return image.numpy(), cut.numpy().astype(np.int32)
