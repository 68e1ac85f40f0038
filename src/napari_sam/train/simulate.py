"""The simulated user: first a point or a box, then clicks where the mask is wrong (SAM, app. A)."""

from __future__ import annotations

import torch
from torch import Tensor

BOX_JITTER = 0.08
"""Standard deviation of a simulated box's sides, as a share of its size."""


def random_points(regions: Tensor) -> Tensor:
    """One uniformly drawn pixel (x, y) of each region: (N, S, S) bool → (N, 2) float.

    An empty region yields its last pixel.
    """
    rank = regions.flatten(1).cumsum(1, dtype=torch.int32)  # of each pixel within its region
    drawn = torch.rand(len(regions), device=regions.device) * rank[:, -1]
    index = torch.searchsorted(rank, drawn.int()[:, None], right=True)[:, 0]
    width = regions.shape[-1]
    index = index.clamp(max=width * regions.shape[-2] - 1)
    return torch.stack([index % width, index // width], dim=-1).float()


def jittered_boxes(masks: Tensor) -> Tensor:
    """(N, S, S) bool → (N, 4) boxes (x0, y0, x1, y1) with noise in proportion to their sides."""
    spans = []
    for axis in (1, 2):  # over rows → columns hit, over columns → rows hit
        hit = masks.any(axis).float()
        first = hit.argmax(-1)
        last = hit.shape[-1] - 1 - hit.flip(-1).argmax(-1)
        spans.append((first, last))
    (x0, x1), (y0, y1) = spans
    box = torch.stack([x0, y0, x1, y1], dim=-1).float()
    sides = (box[:, 2:] - box[:, :2]).repeat(1, 2).clamp(min=2)
    return box + torch.randn_like(box) * BOX_JITTER * sides


def first_prompts(masks: Tensor, box_share: float = 0.35) -> tuple[Tensor, Tensor, Tensor]:
    """Points (N, 1, 2), labels (N, 1), boxes (N, 4): each object gets a point or a box."""
    by_box = torch.rand(len(masks), device=masks.device) < box_share
    points = random_points(masks)[:, None]
    labels = torch.where(by_box, -1, 1)[:, None]
    boxes = jittered_boxes(masks).where(by_box[:, None], torch.nan)
    return points, labels, boxes


def corrections(masks: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
    """Click (N, 1, 2) into each error region, with a label (N, 1): missed 1, too much 0."""
    points = random_points(masks ^ predicted)
    x, y = points.long().unbind(-1)
    labels = masks[torch.arange(len(masks), device=masks.device), y, x].long()
    return points[:, None], labels[:, None]
