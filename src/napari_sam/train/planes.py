"""Labeled planes to learn from: their intensity, and the size of their objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from skimage.measure import block_reduce, label

from napari_sam.image.intensity import Intensity
from napari_sam.train.files import find_sources, iter_labeled

PLANES_PER_VOLUME = 60
SMALLEST_SIDE = 48
"""Volumes are not sliced into planes narrower than this, in pixels."""
MIN_AREA = 30
"""Smaller objects, in pixels, are slivers that nobody points at."""


@dataclass(frozen=True)
class LabeledPlane:
    """One 2-D image with its objects.

    Parameters
    ----------
    image : (H, W, C) float16 array in [0, 1]
        C is 1 (gray) or 3 (RGB).
    labels : tuple of (H, W) int32 arrays
        Alternative truths for the same image, e.g. an axon without and with its myelin.
    """

    image: np.ndarray
    labels: tuple[np.ndarray, ...]

    @cached_property
    def areas(self) -> np.ndarray:
        """Areas of the first truth's objects, slivers left out, in pixels."""
        areas = np.bincount(self.labels[0].ravel())[1:]
        return areas[areas >= MIN_AREA]

    @property
    def n_objects(self) -> int:
        """Number of objects of the first truth."""
        return len(self.areas)

    @property
    def diameter(self) -> float:
        """Diameter of a disc of the objects' median area, in pixels."""
        return float(np.sqrt(np.median(self.areas) * 4 / np.pi))

    def reduced(self, factor: int) -> LabeledPlane:
        """Average the image and sample the labels at 1 / factor of the resolution."""
        if factor == 1:
            return self
        height, width = (n // factor * factor for n in self.image.shape[:2])
        image = block_reduce(
            self.image[:height, :width].astype(np.float32), (factor, factor, 1), np.mean
        )
        middle = factor // 2
        labels = tuple(x[:height, :width][middle::factor, middle::factor] for x in self.labels)
        return LabeledPlane(image.astype(np.float16), labels)


def scale_intensity(image: np.ndarray) -> np.ndarray:
    """Scale as ``napari_sam.open_image`` does: 8-bit RGB by 255, all else by its percentiles."""
    if image.ndim == 3 and image.shape[-1] == 3 and image.dtype == np.uint8:
        return (image / 255).astype(np.float16)
    intensity = Intensity.from_sample(image.reshape(1, -1))
    return intensity.normalize(image.reshape(1, 1, -1)).reshape(image.shape).astype(np.float16)


def _volume_planes(image: np.ndarray, labels: np.ndarray) -> Iterator[LabeledPlane]:
    """Slice a volume along its three axes; objects are connected within a plane."""
    image = scale_intensity(image)
    every = max(1, round(sum(image.shape) / PLANES_PER_VOLUME))
    for axis in range(3):
        if min(np.delete(image.shape, axis)) < SMALLEST_SIDE:
            continue
        for i in range(every // 2, image.shape[axis], every):
            plane = label(labels.take(i, axis), connectivity=1).astype(np.int32)
            if plane.any():
                yield LabeledPlane(image.take(i, axis)[..., None], (plane,))


def read_planes(path: Path) -> list[LabeledPlane]:
    """Read the planes of one source (see `files`) in which there is an object.

    Raises
    ------
    ValueError
        If an image has no labels of its shape.
    """
    planes: list[LabeledPlane] = []
    for labeled in iter_labeled(path):
        if labeled.image.ndim == 3 and not labeled.is_rgb:
            planes.extend(_volume_planes(labeled.image, labeled.labels[0]))
            continue
        scaled = scale_intensity(labeled.image)
        scaled = scaled if labeled.is_rgb else scaled[..., None]
        planes.append(LabeledPlane(scaled, tuple(t.astype(np.int32) for t in labeled.labels)))
    return [plane for plane in planes if plane.n_objects]


def read_folder(folder: Path) -> dict[str, list[LabeledPlane]]:
    """Read every source of a folder, by name, in alphabetical order."""
    return {path.stem: read_planes(path) for path in find_sources(folder)}
