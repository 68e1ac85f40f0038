"""Where objects lie, and what outlines they have."""

from __future__ import annotations

import numpy as np
from skimage.measure import label

from napari_sam.train.synthetic.noise import smooth_noise


def scatter(
    rng: np.random.Generator, shape: tuple[int, int], spacing: float, share: float
) -> np.ndarray:
    """Centers (N, 2) on a jittered grid, a `share` of it, crowded in some places.

    Neighbors are about `spacing` pixels apart.
    """
    grid = np.stack(np.meshgrid(*(np.arange(-0.5, n / spacing + 1) for n in shape), indexing="ij"))
    centers = grid.reshape(2, -1).T
    centers[:, 1] += (np.arange(len(centers)) // grid.shape[2] % 2) / 2  # hexagonal
    centers = (centers + rng.normal(0, 0.22, centers.shape)) * spacing
    crowd = smooth_noise(rng, shape, 0.4 * max(shape))
    y, x = (np.clip(c, 0, n - 1).astype(int) for c, n in zip(centers.T, shape, strict=True))
    liked = crowd[y, x] + rng.normal(0, 0.7, len(centers))
    kept = centers[liked >= np.quantile(liked, 1 - share)]
    return kept[rng.permutation(len(kept))]


def draw_blobs(
    rng: np.random.Generator,
    shape: tuple[int, int],
    centers: np.ndarray,
    radii: np.ndarray,
    stretch: float = 0.2,
    roughness: float = 0.1,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw star-shaped objects; where two overlap, they press against each other.

    Parameters
    ----------
    centers : (N, 2) array
    radii : (N,) array
    stretch : float
        Deviation of the logarithm of length over width.
    roughness : float
        Deviation of the outline from an ellipse, as a share of the radius.

    Returns
    -------
    labels : (H, W) int32 array
    depth : (H, W) float32 array
        1 in the middle of an object, 0 at its outline and outside.
    """
    labels = np.zeros(shape, np.int32)
    depth = np.zeros(shape, np.float32)
    for i, (center, radius) in enumerate(zip(centers, radii, strict=True), start=1):
        ratio = np.exp(abs(rng.normal(0, stretch)) / 2)
        reach = int(radius * ratio * (1 + 3 * roughness)) + 2
        y0, x0 = (max(0, int(c) - reach) for c in center)
        y1, x1 = (min(n, int(c) + reach + 1) for c, n in zip(center, shape, strict=True))
        if y0 >= y1 or x0 >= x1:
            continue
        here = np.s_[y0:y1, x0:x1]
        y, x = np.ogrid[y0:y1, x0:x1]
        inside = 1 - radial_distance(rng, y - center[0], x - center[1], ratio, roughness) / radius
        wins = inside > depth[here]
        labels[here][wins] = i
        depth[here][wins] = inside[wins]
    return connected(labels), depth


def radial_distance(
    rng: np.random.Generator, y: np.ndarray, x: np.ndarray, ratio: float, roughness: float
) -> np.ndarray:
    """Distance from (0, 0), measured so that a wavy ellipse at a random angle is a circle."""
    z = (x + 1j * y) * np.exp(2j * np.pi * rng.random())
    z = z.real / ratio + 1j * z.imag * ratio
    distance = np.abs(z)
    angle = np.angle(z)
    outline = np.ones_like(distance)
    for n_waves in (2, 3, 4, 5):
        size, phase = rng.normal(0, 2 * roughness / n_waves), 2 * np.pi * rng.random()
        outline += size * np.cos(n_waves * angle + phase)
    return distance / np.maximum(outline, 0.3)


def connected(labels: np.ndarray) -> np.ndarray:
    """Give every connected piece of an object a number of its own; -1 stays as it is."""
    pieces = label(np.maximum(labels, 0), background=0, connectivity=1).astype(np.int32)
    pieces[labels < 0] = -1
    return pieces


def per_object(rng: np.random.Generator, labels: np.ndarray, spread: float) -> np.ndarray:
    """Give every object a brightness around 1 (log-normal), 0 to the background: (H, W)."""
    values = np.exp(rng.normal(0, spread, labels.max(initial=0) + 1)).astype(np.float32)
    values[0] = 0
    return values[np.maximum(labels, 0)]


def random_diameter(rng: np.random.Generator, smallest: float, largest: float) -> float:
    """Log-uniform between two diameters."""
    return float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
