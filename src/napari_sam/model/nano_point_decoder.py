"""`PointDecoder` for ``nano``: a mask that is not wanted need not be whole."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch

from napari_sam.model.neighborhood import SEVERAL, PromptTensors, decode_near
from napari_sam.model.point_decoder import PointAnswers, PointDecoder, choose

if TYPE_CHECKING:
    from napari_sam.model.nano import Nano

CPU_BATCH = 4
"""Points at a time on a CPU, in whose cache the maps of their neighborhoods stay."""


class NanoPointDecoder(PointDecoder):
    """Decodes in neighborhoods, and in the window only where a wanted mask goes on there."""

    model: Nano

    @property
    def batch(self) -> int:
        """As of `PointDecoder`, with more points on a CPU."""
        return CPU_BATCH if self.model.device.type == "cpu" else super().batch

    def answer(self, points_xy: torch.Tensor, min_iou: float, best_only: bool) -> PointAnswers:
        """Answer (n, 2) points, all at once."""
        is_wanted = partial(choose, min_iou=min_iou, best_only=best_only)
        n, device = len(points_xy), points_xy.device
        prompts = PromptTensors(
            points_xy[:, None],
            torch.ones(n, 1, dtype=torch.int64, device=device),
            torch.full((n, 4), torch.nan, device=device),
            None,
        )
        maps = [m.to(device) for m in self.features.maps]
        logits, predicted_iou = decode_near(
            self.model.mask_decoder, maps, prompts, SEVERAL, is_wanted
        )
        is_chosen = is_wanted(predicted_iou)
        return PointAnswers(logits[is_chosen], predicted_iou[is_chosen], is_chosen.nonzero()[:, 0])
