"""What classical image processing makes of the same tasks, so that figures have a floor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import sobel, threshold_otsu
from skimage.segmentation import watershed
from torch import Tensor

from napari_sam.train.clicks import Answer, Point
from napari_sam.train.planes import MIN_AREA

CLICK_RADIUS = 2
"""Pixels around a click that belong to it."""


def otsu_watershed(image: NDArray[np.floating], diameter: float) -> NDArray[np.int32]:
    """Threshold by Otsu's method, then separate what touches by its distance to the background.

    What covers less of the image, the bright or the dark, is taken for the objects.

    Parameters
    ----------
    image : (H, W, C) float array
        Its channels are averaged.
    diameter : float
        Of a typical object, in pixels; middles are at least half of it apart.

    Returns
    -------
    (H, W) int32 array
        0 is the background.
    """
    gray = ndimage.gaussian_filter(image.astype(np.float32).mean(axis=2), 1)
    if np.ptp(gray) == 0:
        return np.zeros(gray.shape, np.int32)
    is_object = gray > threshold_otsu(gray)
    if is_object.mean() > 0.5:
        is_object = ~is_object
    depth = ndimage.gaussian_filter(ndimage.distance_transform_edt(is_object), 1)
    distance = max(1, round(diameter / 2))
    middles = peak_local_max(
        depth, min_distance=distance, labels=is_object.astype(int), exclude_border=False
    )
    seeds = np.zeros(gray.shape, np.int32)
    seeds[tuple(middles.T)] = np.arange(1, len(middles) + 1)
    labels = watershed(-depth, seeds, mask=is_object)
    labels[np.bincount(labels.ravel())[labels] < MIN_AREA] = 0
    return labels


@dataclass(frozen=True)
class GradientWatershed:
    """An annotator without a network: watershed of the gradient from what was clicked.

    Positive clicks are seeds of the object. Seeds of the background are negative clicks and all
    that is farther from the first click than `reach`, or what is outside the box.

    Attributes
    ----------
    image : (C, h, w) float array
    reach : float
        In pixels.
    """

    image: NDArray[np.floating]
    reach: float

    def __call__(
        self,
        points: list[Point] | None = None,
        labels: list[int] | None = None,
        box: tuple[float, ...] | None = None,
        previous: Tensor | None = None,
    ) -> Answer:
        """Answer with one mask."""
        points, labels = points or [], labels or []
        part = self._part(points, box)
        y, x = np.mgrid[part]
        seeds = np.zeros(y.shape, np.int32)
        if box is not None:
            x0, y0, x1, y1 = box
            from_middle = np.maximum(
                np.abs(x - (x0 + x1) / 2) / ((x1 - x0) / 2 + 1),
                np.abs(y - (y0 + y1) / 2) / ((y1 - y0) / 2 + 1),
            )
            seeds[from_middle > 1] = 2
            seeds[from_middle < 0.3] = 1
        for i, ((px, py), sign) in enumerate(zip(points, labels, strict=True)):
            distance = np.hypot(x - px, y - py)
            if i == 0:
                seeds[distance > self.reach] = 2
            seeds[distance <= CLICK_RADIUS] = 1 if sign else 2
        mask = np.zeros(self._gradient.shape, bool)
        mask[part] = watershed(self._gradient[part], seeds) == 1
        return Answer(mask[None], np.ones(1, np.float32))

    @cached_property
    def _gradient(self) -> NDArray[np.float32]:
        gray = self.image.astype(np.float32).mean(axis=0)
        gradient: NDArray[np.float32] = sobel(ndimage.gaussian_filter(gray, 1))
        return gradient

    def _part(self, points: list[Point], box: tuple[float, ...] | None) -> tuple[slice, slice]:
        """Return rows and columns beyond which all is background."""
        sides = [] if box is None else [(box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2)]
        for i, (x, y) in enumerate(points):
            around = CLICK_RADIUS if i else self.reach + 2
            sides.append((x - around, y - around, x + around, y + around))
        lowest, highest = np.min(sides, axis=0), np.max(sides, axis=0)
        x0, y0 = np.maximum(np.floor(lowest[:2]), 0).astype(int).tolist()
        x1, y1 = np.ceil(highest[2:]).astype(int).tolist()
        height, width = self._gradient.shape
        return slice(y0, min(y1 + 1, height)), slice(x0, min(x1 + 1, width))
