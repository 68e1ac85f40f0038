"""A user who knows the truth: clicks on an object, and then wherever the mask is wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from napari_sam.model import Features, Model

N_CLICKS = 8
"""Clicks on one object."""

Point = tuple[float, float]
"""(x, y) in samples, as inside `model`."""


@dataclass(frozen=True)
class Answer:
    """What a prompt may mean.

    Attributes
    ----------
    masks : (M, h, w) bool array
    predicted_iou : (M,) array
    logits : (M, h', w') tensor, optional
        To hand back with the next prompt.
    """

    masks: NDArray[np.bool_]
    predicted_iou: NDArray[np.float32]
    logits: Tensor | None = None

    @property
    def best(self) -> int:
        """Which mask has the highest predicted IoU."""
        return int(self.predicted_iou.argmax())


class Annotator(Protocol):
    """Anything that turns the prompts for one object into masks."""

    def __call__(
        self,
        points: list[Point] | None = None,
        labels: list[int] | None = None,
        box: tuple[float, ...] | None = None,
        previous: Tensor | None = None,
    ) -> Answer:
        """Answer points with labels (1 positive, 0 negative) or a box (x0, y0, x1, y1).

        `previous` are the logits (h', w') of the mask that the last point corrects.
        """


@dataclass(frozen=True)
class PromptedModel:
    """A model with the features of one crop, answering with masks of the crop's shape."""

    model: Model
    features: Features
    shape: tuple[int, int]

    def __call__(
        self,
        points: list[Point] | None = None,
        labels: list[int] | None = None,
        box: tuple[float, ...] | None = None,
        previous: Tensor | None = None,
    ) -> Answer:
        """Answer with three masks, or with one if there is a previous one."""
        logits, predicted_iou = self.model.decode(
            self.features,
            None if points is None else torch.tensor([points]),
            None if labels is None else torch.tensor([labels]),
            None if box is None else torch.tensor([box]),
            None if previous is None else previous[None, None],
            multimask=previous is None,
        )
        size = (self.model.image_size,) * 2
        full = F.interpolate(logits, size, mode="bilinear")[0, :, : self.shape[0], : self.shape[1]]
        return Answer(
            (full > 0).cpu().numpy(), predicted_iou[0].float().cpu().numpy(), logits[0].detach()
        )


@dataclass(frozen=True)
class ObjectResult:
    """How well one object was segmented.

    Attributes
    ----------
    figures : dict
        IoU by measure: ``point``, ``oracle`` (the best of its three masks), ``box``, ``clicks2`` …
        ``clicks8``; and ``predicted``, the predicted IoU of the point.
    point : (x, y)
        The first click.
    mask : (h, w) bool array
        Its answer.
    """

    figures: dict[str, float]
    point: Point
    mask: NDArray[np.bool_]


def click_object(ask: Annotator, truth: NDArray[np.bool_]) -> ObjectResult:
    """Segment one object by a point, by a box, and by correcting clicks after the point."""
    points, signs = [center_point(truth)], [1]
    answer = ask(points, signs)
    ious = [iou(mask, truth) for mask in answer.masks]
    figures = {
        "point": ious[answer.best],
        "oracle": max(ious),
        "predicted": float(answer.predicted_iou[answer.best]),
    }
    ys, xs = np.nonzero(truth)
    boxed = ask(box=tuple(map(float, (xs.min(), ys.min(), xs.max(), ys.max()))))
    figures["box"] = iou(boxed.masks[boxed.best], truth)

    first = answer.masks[answer.best]
    for n in range(2, N_CLICKS + 1):
        point, sign = largest_error(truth, answer.masks[answer.best])
        points, signs = [*points, point], [*signs, sign]
        logits = None if answer.logits is None else answer.logits[answer.best]
        answer = ask(points, signs, previous=logits)
        figures[f"clicks{n}"] = iou(answer.masks[answer.best], truth)
    return ObjectResult(figures, points[0], first)


def center_point(region: NDArray[np.bool_]) -> Point:
    """(x, y) of the pixel deepest inside a region."""
    (box,) = ndimage.find_objects(region.astype(np.uint8))
    depth = ndimage.distance_transform_edt(np.pad(region[box], 1))[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return float(box[1].start + x), float(box[0].start + y)


def largest_error(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> tuple[Point, int]:
    """Middle of the largest wrong region, and the sign that corrects it."""
    regions, n = ndimage.label(truth ^ found)
    if n == 0:
        return center_point(truth), 1
    largest = regions == 1 + np.bincount(regions.ravel())[1:].argmax()
    x, y = center_point(largest)
    return (x, y), int(truth[int(y), int(x)])


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two boolean arrays."""
    return float((a & b).sum() / max((a | b).sum(), 1))
