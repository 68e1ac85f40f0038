"""Random training crops: real or synthetic, of some scale, place and look."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from napari_sam.train.cut import random_square
from napari_sam.train.look import change_look
from napari_sam.train.planes import MIN_AREA, LabeledPlane
from napari_sam.train.synthetic import KINDS
from napari_sam.train.targets import instance_targets

BACKGROUND_SHARE = 0.5
"""How many of the crops in which all objects are known have a prompt in their background."""


@dataclass
class Crops(Dataset[dict[str, Tensor]]):
    """All crops there are: a pure function of (step, number of the crop in the step).

    A run that is interrupted therefore goes on with the crops that it would have had.

    Parameters
    ----------
    sources : dict of str to list of LabeledPlane
    size : int
        Side of a crop, in pixels.
    n_objects : int
        Objects to segment in each crop.
    seed : int
    synthetic_share : float
        Share of the crops that are drawn by `synthetic.KINDS`.
    diameters : (float, float)
        Range to which a plane's median object is scaled, log-uniformly, in pixels of the crop.
    """

    sources: dict[str, list[LabeledPlane]]
    size: int
    n_objects: int
    seed: int
    synthetic_share: float = 0.4
    diameters: tuple[float, float] = (10.0, 115.0)
    _reduced: dict[tuple[str, int, int], LabeledPlane] = field(default_factory=dict, repr=False)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Tensor]:
        """Draw one crop.

        Returns
        -------
        dict
            ``image`` (3, S, S) float32, ``masks`` (N, S, S) bool, of which those are empty that a
            prompt in the ``background`` (S, S) bool asks for, ``instances`` (3, S / 4, S / 4).
        """
        rng = np.random.default_rng((self.seed, *key))
        is_synthetic = rng.random() < self.synthetic_share
        image, labels = self.draw_synthetic(rng) if is_synthetic else self.draw_real(rng)
        image = change_look(image, rng)
        masks = self.choose_masks(labels, is_synthetic, rng)
        return {
            "image": torch.from_numpy(image).expand(3, -1, -1).clone(),
            "masks": torch.from_numpy(masks),
            "background": torch.from_numpy(labels == 0),
            "instances": torch.from_numpy(instance_targets(labels)),
        }

    def source_weights(self) -> dict[str, float]:
        """√(planes × objects per plane), capped at twice the median, sums to 1."""
        n_objects = {k: sum(p.n_objects for p in planes) for k, planes in self.sources.items()}
        raw = {k: math.sqrt(n) for k, n in n_objects.items()}
        cap = 2 * float(np.median(list(raw.values())))
        capped = {k: min(w, cap) for k, w in raw.items()}
        return {k: w / sum(capped.values()) for k, w in capped.items()}

    def draw_synthetic(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Image (1, S, S) and labels of a synthetic scene; there may be no object in it."""
        kind = list(KINDS.values())[rng.integers(len(KINDS))]
        image, labels = kind(rng, (self.size, self.size))
        return image[None], labels

    def draw_real(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Image (C, S, S) and labels of a part of a real plane that holds an object."""
        weights = self.source_weights()
        while True:
            source = rng.choice(list(weights), p=list(weights.values()))
            index = int(rng.integers(len(self.sources[source])))
            plane = self.sources[source][index]
            target = math.exp(rng.uniform(*np.log(self.diameters)))
            smallest = 0.6 * self.size / max(plane.image.shape[:2])
            scale = min(max(target / plane.diameter, smallest, 1 / 8), 8)
            factor = 2 ** max(0, math.floor(math.log2(1 / scale)))
            plane = self._plane(source, index, factor)
            truth = int(rng.integers(len(plane.labels)))
            image, labels = random_square(plane, truth, scale * factor, self.size, rng)
            if len(self.promptable(labels)):
                return image, labels

    def _plane(self, source: str, index: int, factor: int) -> LabeledPlane:
        key = source, index, factor
        if key not in self._reduced:
            self._reduced[key] = self.sources[source][index].reduced(factor)
        return self._reduced[key]

    def promptable(self, labels: np.ndarray) -> np.ndarray:
        """Ids of the objects that are neither slivers nor nearly all of the crop."""
        ids, areas = np.unique(labels[labels > 0], return_counts=True)
        return ids[(areas >= MIN_AREA) & (areas <= 0.6 * labels.size)]

    def choose_masks(
        self, labels: np.ndarray, is_complete: bool, rng: np.random.Generator
    ) -> np.ndarray:
        """Masks (N, S, S) of objects; if all are labeled, the last may be none at all."""
        ids = self.promptable(labels)
        chosen = np.full(self.n_objects, -2)
        if len(ids):
            chosen[:] = rng.choice(ids, self.n_objects, replace=len(ids) < self.n_objects)
            background = (labels == 0).mean()
            if is_complete and background > 0.05 and rng.random() < BACKGROUND_SHARE:
                chosen[-1] = -2
        return labels == chosen[:, None, None]


def batch_keys(first_step: int, last_step: int, n_crops: int) -> Iterator[list[tuple[int, int]]]:
    """Keys of the crops of each step."""
    for step in range(first_step, last_step):
        yield [(step, i) for i in range(n_crops)]
