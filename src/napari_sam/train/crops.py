"""Random training crops: a source, a plane, a scale, a place, and a look."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy import ndimage
from skimage.segmentation import find_boundaries
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import IterableDataset

from napari_sam.model.nano import MEAN
from napari_sam.train.planes import MIN_AREA, LabeledPlane

SMALLEST, LARGEST = 14.0, 0.35
"""Range to which a plane's median object is scaled, log-uniformly: the diameter in pixels of the
crop, and as a share of the crop's side."""


def instance_targets(labels: np.ndarray, stride: int = 4) -> np.ndarray:
    """Foreground, center distance and boundary distance, (3, H / stride, W / stride) in [0, 1].

    The center distance grows from 0 at an object's center to 1 at its farthest pixel, the boundary
    distance from 0 at its boundary to 1 at its innermost pixel; both are 0 in the background.
    """
    foreground = labels > 0
    targets = np.zeros((3, *labels.shape), np.float32)
    if foreground.any():
        ids, dense = np.unique(labels, return_inverse=True)
        dense = dense.reshape(labels.shape)
        index = np.arange(len(ids))
        y, x = np.indices(labels.shape, dtype=np.float32)
        cy, cx = (np.asarray(ndimage.mean(c, dense, index)) for c in (y, x))
        center = np.hypot(y - cy[dense], x - cx[dense])
        boundary = ndimage.distance_transform_edt(~find_boundaries(labels, mode="inner"))
        for channel, distance in ((1, center), (2, boundary)):
            farthest = np.asarray(ndimage.maximum(distance, dense, index))
            targets[channel] = distance / np.maximum(farthest[dense], 1.0)
        targets[0] = 1
        targets *= foreground
    height, width = labels.shape
    return targets.reshape(3, height // stride, stride, width // stride, stride).mean((2, 4))


def change_look(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Vary gray or color, sign, gamma, gain, offset, sharpness and noise of a (C, S, S) crop."""
    if len(image) == 3:
        image = image.mean(0, keepdim=True) if rng.random() < 0.3 else image[rng.permutation(3)]
    if rng.random() < 0.25:
        image = 1 - image
    if rng.random() < 0.7:
        image = image.clamp(min=1e-4) ** math.exp(rng.normal(0, 0.35))
    if rng.random() < 0.7:
        image = image * math.exp(rng.normal(0, 0.2)) + rng.normal(0, 0.07)
    if rng.random() < 0.15:
        sigma = rng.uniform(0.5, 1.5)
        image = torch.from_numpy(ndimage.gaussian_filter(image.numpy(), (0, sigma, sigma)))
    if rng.random() < 0.4:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * rng.exponential(0.04)
        image = image + torch.from_numpy(noise)
    return image.clamp(0, 1)


@dataclass
class Crops(IterableDataset[dict[str, Tensor]]):
    """An endless stream of crops.

    Parameters
    ----------
    sources : dict of str to list of LabeledPlane
    size : int
        Side of a crop, in pixels.
    n_objects : int
        Objects to segment in each crop.
    seed : int

    Yields
    ------
    dict
        ``image`` (3, S, S) float32, ``masks`` (N, S, S) bool, ``instances`` (3, S / 4, S / 4).
    """

    sources: dict[str, list[LabeledPlane]]
    size: int
    n_objects: int
    seed: int
    _reduced: dict[tuple[str, int, int], LabeledPlane] = field(default_factory=dict, repr=False)

    def source_weights(self) -> dict[str, float]:
        """√(planes × objects per plane), capped at twice the median, sums to 1."""
        n_objects = {k: sum(p.n_objects for p in planes) for k, planes in self.sources.items()}
        raw = {k: math.sqrt(n) for k, n in n_objects.items()}
        cap = 2 * float(np.median(list(raw.values())))
        capped = {k: min(w, cap) for k, w in raw.items()}
        return {k: w / sum(capped.values()) for k, w in capped.items()}

    def _plane(self, source: str, index: int, factor: int) -> LabeledPlane:
        key = source, index, factor
        if key not in self._reduced:
            self._reduced[key] = self.sources[source][index].reduced(factor)
        return self._reduced[key]

    def _sample(
        self, plane: LabeledPlane, truth: int, scale: float, rng: np.random.Generator
    ) -> tuple[Tensor, np.ndarray]:
        """Cut a rotated, mirrored square of `scale` crop pixels per plane pixel."""
        labels = plane.labels[truth]
        height, width = labels.shape
        ys, xs = np.nonzero(labels) if rng.random() < 0.8 else np.nonzero(labels >= 0)
        pick = rng.integers(len(ys))
        half = self.size / scale / 2
        cy, cx = np.array([ys[pick], xs[pick]]) + rng.uniform(-0.6, 0.6, 2) * half
        if rng.random() < 0.85:  # stay inside the plane, as windows do
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
        grid = F.affine_grid(theta[None], [1, 1, self.size, self.size], align_corners=False)
        image = torch.from_numpy(plane.image.astype(np.float32)).permute(2, 0, 1)[None]
        image = F.grid_sample(image - MEAN, grid, align_corners=False)[0] + MEAN
        truth_map = torch.from_numpy(labels.astype(np.float32))[None, None]
        cut = F.grid_sample(truth_map, grid, mode="nearest", align_corners=False)[0, 0]
        return image, cut.numpy().astype(np.int32)

    def draw(self, rng: np.random.Generator) -> dict[str, Tensor]:
        """Draw one crop that holds at least one object."""
        weights = self.source_weights()
        while True:
            source = rng.choice(list(weights), p=list(weights.values()))
            index = int(rng.integers(len(self.sources[source])))
            plane = self.sources[source][index]
            target = math.exp(rng.uniform(math.log(SMALLEST), math.log(LARGEST * self.size)))
            smallest = 0.6 * self.size / max(plane.image.shape[:2])
            scale = min(max(target / plane.diameter, smallest, 1 / 8), 8)
            factor = 2 ** max(0, math.floor(math.log2(1 / scale)))
            plane = self._plane(source, index, factor)
            truth = int(rng.integers(len(plane.labels)))
            image, labels = self._sample(plane, truth, scale * factor, rng)
            ids, areas = np.unique(labels[labels > 0], return_counts=True)
            ids = ids[(areas >= MIN_AREA) & (areas <= 0.6 * labels.size)]
            if len(ids):
                break
        chosen = rng.choice(ids, self.n_objects, replace=len(ids) < self.n_objects)
        return {
            "image": change_look(image, rng).float().expand(3, -1, -1).clone(),
            "masks": torch.from_numpy(labels == chosen[:, None, None]),
            "instances": torch.from_numpy(instance_targets(labels)),
        }

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        worker = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.seed, worker.id if worker else 0))
        while True:
            yield self.draw(rng)
