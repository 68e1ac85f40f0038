"""Objects out of nothing: what a model finds on tiles that show none.

The noise of an empty image is stretched as far as the objects of another, because the image is
opened as a user's is, with an intensity measured on itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.embedding import Embeddings
from napari_sam.image import open_image
from napari_sam.model import Model
from napari_sam.segment.find import find_objects
from napari_sam.segment.settings import FindSettings

SIDE = 512
TILES = 6
"""Of each kind."""

Raw = NDArray[np.uint8] | NDArray[np.uint16]


def evaluate_empty(model: Model, n_tiles: int = TILES) -> dict[str, dict[str, float]]:
    """Find objects on empty tiles, automatically with default settings.

    Returns
    -------
    dict
        For each of the `KINDS`: ``tiles``, how many there were, ``objects per tile``, and the
        ``highest score`` of a region in the model's instance maps (NaN if it has none), which
        `SeedSettings.score` keeps out.
    """
    return {kind: _means(model, draw, n_tiles) for kind, draw in KINDS.items()}


def _means(
    model: Model, draw: Callable[[np.random.Generator], Raw], n_tiles: int
) -> dict[str, float]:
    looks = [look(model, draw(np.random.default_rng(seed))) for seed in range(n_tiles)]
    counts, scores = zip(*looks, strict=True)
    return {
        "tiles": n_tiles,
        "objects per tile": sum(counts) / n_tiles,
        "highest score": max(scores),
    }


def look(model: Model, raw: Raw) -> tuple[int, float]:
    """Return how many objects are found in the first window of an image (H, W), and the score."""
    embeddings = Embeddings(open_image(raw, axes="yx"), model)
    window = embeddings.grid().window(0, 0)
    found = find_objects(embeddings, window, FindSettings())
    if not model.has_instance_maps:
        return len(found), math.nan
    regions = find_objects(embeddings, window, FindSettings(mode="watershed", score=0))
    return len(found), float(regions.predicted_iou.max(initial=0))


def camera(
    rng: np.random.Generator, electrons: NDArray[np.floating], bits: int, read: float = 2.0
) -> Raw:
    """Read out an image of expected electrons: shot noise, read noise, an offset, rounding.

    Parameters
    ----------
    electrons : (H, W) float array
    bits : int
        8, 12 or 16; 8 bits span 1000 electrons, 12 bits 4000 and 16 bits 30 000.
    read : float
        Standard deviation of the read noise in electrons.
    """
    full_well, offset = {8: (1e3, 6), 12: (4e3, 100), 16: (3e4, 400)}[bits]
    counted = rng.poisson(electrons) + rng.normal(0, read, electrons.shape)
    values = np.rint(counted * (2**bits - 1 - offset) / full_well + offset)
    return values.clip(0, 2**bits - 1).astype(np.uint8 if bits == 8 else np.uint16)


def background(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return 5 to 200 expected electrons, the same everywhere."""
    return np.full((SIDE, SIDE), np.exp(rng.uniform(np.log(5), np.log(200))))


def draw_constant(rng: np.random.Generator) -> Raw:
    """Draw one value everywhere: an empty plane of a stack, or the inside of a mask."""
    return np.full((SIDE, SIDE), rng.integers(0, 4096), np.uint16)


def draw_smoothed(rng: np.random.Generator) -> Raw:
    """Draw noise that a filter or an interpolation has smoothed."""
    raw = camera(rng, background(rng), 16).astype(np.float64)
    return np.rint(ndimage.gaussian_filter(raw, rng.uniform(0.5, 1.5))).astype(np.uint16)


def draw_vignette(rng: np.random.Generator) -> Raw:
    """Draw light that fades from a place near the middle by a third to two thirds."""
    y, x = np.indices((SIDE, SIDE)) / SIDE - rng.uniform(0.3, 0.7, 2)[:, None, None]
    return camera(rng, background(rng) * np.exp(-rng.uniform(1, 3) * (y**2 + x**2)), 12)


def draw_gradient(rng: np.random.Generator) -> Raw:
    """Draw light that grows twofold to fourfold from one side to the other."""
    y, x = np.indices((SIDE, SIDE)) / SIDE - 0.5
    angle = rng.uniform(0, 2 * np.pi)
    ramp = (np.cos(angle) * y + np.sin(angle) * x) / 1.42 + 0.5
    return camera(rng, background(rng) * (1 + rng.uniform(1, 3) * ramp), 12)


def draw_haze(rng: np.random.Generator) -> Raw:
    """Draw the light of things far out of focus."""
    spots = ndimage.gaussian_filter(rng.random((SIDE, SIDE)) < 1e-4, 1.0, output=np.float64)
    light = ndimage.gaussian_filter(spots, rng.uniform(40, 80), mode="wrap")
    return camera(rng, background(rng) * (1 + rng.uniform(0.2, 1) * light / light.max()), 12)


def draw_hot_pixels(rng: np.random.Generator, count: int, bits: int = 16) -> Raw:
    """Draw noise with saturated pixels."""
    raw = camera(rng, background(rng), bits)
    raw[*rng.integers(0, SIDE, (2, count))] = 2**bits - 1
    return raw


def draw_dark(rng: np.random.Generator) -> Raw:
    """Draw 8 bits that hardly vary, and one hot pixel."""
    raw = camera(rng, np.full((SIDE, SIDE), 0.1), 8, read=rng.uniform(0.1, 1.5))
    raw[*rng.integers(0, SIDE, 2)] = 255
    return raw


KINDS: dict[str, Callable[[np.random.Generator], Raw]] = {
    "constant": draw_constant,
    "noise, 8 bit": lambda rng: camera(rng, background(rng), 8),
    "noise, 12 bit": lambda rng: camera(rng, background(rng), 12),
    "noise, 16 bit": lambda rng: camera(rng, background(rng), 16),
    "noise, smoothed": draw_smoothed,
    "uneven light": draw_vignette,
    "gradient": draw_gradient,
    "haze": draw_haze,
    "hot pixel": lambda rng: draw_hot_pixels(rng, 1),
    "hot pixels": lambda rng: draw_hot_pixels(rng, 20),
    "hot pixel in the dark, 8 bit": draw_dark,
}
