"""Cells that fill the plane: Voronoi regions with bent borders."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import find_boundaries

from napari_sam.train.synthetic.noise import smooth_noise
from napari_sam.train.synthetic.shapes import connected


def draw_regions(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centers: np.ndarray,
    bend: float,
    bend_over: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Regions around centers, and the distance from the nearest border.

    Parameters
    ----------
    centers : (N, 2) array
    bend, bend_over : float
        How far borders are shifted, and over what length that changes, in pixels.

    Returns
    -------
    labels : (H, W) int32 array
    from_border : (H, W) float array
    """
    seeds = np.zeros(shape, np.int32)
    y, x = np.clip(centers.round().astype(int), 0, np.array(shape) - 1).T
    seeds[y, x] = np.arange(1, len(centers) + 1)
    nearest = ndimage.distance_transform_edt(
        seeds == 0, return_distances=False, return_indices=True
    )
    regions = seeds[tuple(nearest)]
    rows, columns = np.indices(shape)
    shifted = [
        np.clip((i + bend * smooth_noise(rng, shape, bend_over)).astype(int), 0, n - 1)
        for i, n in zip((rows, columns), shape, strict=True)
    ]
    labels = connected(regions[tuple(shifted)])
    return labels, ndimage.distance_transform_edt(~find_boundaries(labels, mode="inner"))
