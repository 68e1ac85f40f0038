"""What the instance head is to say at every pixel."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.segmentation import find_boundaries


def instance_targets(labels: np.ndarray, stride: int = 4) -> np.ndarray:
    """Foreground, center distance and boundary distance, (3, H / stride, W / stride) in [0, 1].

    The center distance grows from 0 at an object's center to 1 at its farthest pixel, the boundary
    distance from 0 at its boundary to 1 at its innermost pixel; both are 0 in the background.
    """
    ids = np.maximum(labels, 0)
    foreground = ids > 0
    y, x = np.indices(labels.shape, dtype=np.float32)
    count = np.maximum(np.bincount(ids.ravel()), 1)
    cy, cx = (np.bincount(ids.ravel(), weights=c.ravel()) / count for c in (y, x))
    center = np.hypot(y - cy[ids], x - cx[ids])
    boundary = ndimage.distance_transform_edt(~find_boundaries(ids, mode="inner"))
    distances = [distance / farthest(distance, ids)[ids] for distance in (center, boundary)]
    targets = foreground * np.stack([np.ones(labels.shape), *distances]).astype(np.float32)
    height, width = labels.shape
    return targets.reshape(3, height // stride, stride, width // stride, stride).mean((2, 4))


def farthest(distance: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Largest distance in each object, at least 1."""
    largest = np.ones(ids.max() + 1)
    np.maximum.at(largest, ids.ravel(), distance.ravel())
    return largest
