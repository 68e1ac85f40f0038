"""Many single points in one window: the prompts of a grid that looks for all objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from napari_sam.model.features import Features
from napari_sam.model.memory import in_batches
from napari_sam.model.working_memory import keep_freed_memory

if TYPE_CHECKING:
    from napari_sam.model.base import Model

CPU_BATCH, OTHER_BATCH, MAX_BATCH = 2, 16, 256
"""Points at a time: few on a CPU, in whose cache their maps stay; at most so many on a GPU."""

BYTES_PER_LOGIT = 1024
"""Memory that a decoder needs for a point, by logit of a mask: hidden maps at its resolution."""


class PointAnswers(NamedTuple):
    """Masks at some points, point by point.

    Attributes
    ----------
    logits : torch.Tensor
        (K, L, L) low-resolution logits.
    predicted_iou : torch.Tensor
        (K,).
    indices : torch.Tensor
        (K,) int64, ascending: which of the points each mask answers.
    """

    logits: torch.Tensor
    predicted_iou: torch.Tensor
    indices: torch.Tensor


class PointDecoder:
    """Segments what single positive points mean, each by itself, in one window.

    Gives the masks of `Model.decode`; a network may compute what all points share only once.

    Parameters
    ----------
    model : Model
        The network.
    features : Features
        Of the window.
    dtype : torch.dtype
        In which masks are upscaled, by networks that can; float32 or bfloat16.
    """

    def __init__(
        self, model: Model, features: Features, dtype: torch.dtype = torch.float32
    ) -> None:
        keep_freed_memory()
        self.model = model
        self.features = features
        self.dtype = dtype

    @torch.inference_mode()
    def __call__(
        self, points_xy: torch.Tensor, min_iou: float = -torch.inf, *, best_only: bool = False
    ) -> PointAnswers:
        """Return the masks whose predicted IoU exceeds a threshold.

        Parameters
        ----------
        points_xy : torch.Tensor
            (N, 2) float, (x, y) in samples of the window.
        min_iou : float
            Masks that are predicted no better are left out, before they are made if possible.
        best_only : bool
            Of each point the best of its three masks only.
        """

        def answer(some: slice) -> PointAnswers:
            found = self.answer(points_xy[some].float().to(self.model.device), min_iou, best_only)
            return found._replace(indices=found.indices + some.start)

        return PointAnswers(*in_batches(self.model, answer, len(points_xy), self.batch))

    @property
    def batch(self) -> int:
        """How many points to ask at a time, from the free memory of a GPU."""
        device = self.model.device
        if device.type != "cuda":
            return CPU_BATCH if device.type == "cpu" else OTHER_BATCH
        free, _ = torch.cuda.mem_get_info(device)
        return max(1, min(MAX_BATCH, free // 2 // (BYTES_PER_LOGIT * self.model.low_res_size**2)))

    def answer(self, points_xy: torch.Tensor, min_iou: float, best_only: bool) -> PointAnswers:
        """Answer (n, 2) points, all at once; arguments as of `__call__`."""
        labels = torch.ones(len(points_xy), 1, dtype=torch.int64, device=points_xy.device)
        logits, predicted_iou = self.model.decode(self.features, points_xy[:, None], labels)
        is_chosen = choose(predicted_iou, min_iou, best_only)
        return PointAnswers(logits[is_chosen], predicted_iou[is_chosen], is_chosen.nonzero()[:, 0])


def choose(predicted_iou: torch.Tensor, min_iou: float, best_only: bool) -> torch.Tensor:
    """Return which of (N, M) masks are wanted, as flags."""
    is_chosen = predicted_iou > min_iou
    if best_only:
        best = predicted_iou.argmax(dim=1, keepdim=True)
        is_chosen &= torch.zeros_like(is_chosen).scatter(1, best, True)
    return is_chosen
