"""The simulated user: first a point or a box, then clicks where the mask is wrong (SAM, app. A)."""

from __future__ import annotations

import torch
from torch import Tensor

BOX_JITTER = 0.1
"""Largest standard deviation of a simulated box's sides, as a share of its size."""

CLICKS = (0.5, 0.18, 0.12, 0.06, 0.05, 0.04, 0.03, 0.02)
"""Probability that 0, 1, 2, … corrective clicks precede the mask that is learnt from."""


def random_points(regions: Tensor, n: int = 1) -> Tensor:
    """Draw n pixels (x, y) of each region uniformly: (N, S, S) bool → (N, n, 2) float.

    An empty region yields its last pixel.
    """
    rank = regions.flatten(1).cumsum(1, dtype=torch.int32)  # of each pixel within its region
    drawn = torch.rand(len(regions), n, device=regions.device) * rank[:, -1:]
    index = torch.searchsorted(rank, drawn.int(), right=True)
    height, width = regions.shape[-2:]
    index = index.clamp(max=width * height - 1)
    return torch.stack([index % width, index // width], dim=-1).float()


def most_central(points: Tensor) -> Tensor:
    """Of some points (N, n, 2) of each region the one nearest to their mean: (N, 1, 2)."""
    nearest = (points - points.mean(1, keepdim=True)).square().sum(-1).argmin(1)
    return points.take_along_dim(nearest[:, None, None], dim=1)


def jittered_boxes(masks: Tensor) -> Tensor:
    """(N, S, S) bool → (N, 4) boxes (x0, y0, x1, y1) with noise in proportion to their sides.

    Some are drawn with care, some are not.
    """
    spans = []
    for axis in (1, 2):  # over rows → columns hit, over columns → rows hit
        hit = masks.any(axis).float()
        first = hit.argmax(-1)
        last = hit.shape[-1] - 1 - hit.flip(-1).argmax(-1)
        spans.append((first, last))
    (x0, x1), (y0, y1) = spans
    box = torch.stack([x0, y0, x1, y1], dim=-1).float()
    sides = (box[:, 2:] - box[:, :2]).repeat(1, 2).clamp(min=2)
    carelessness = BOX_JITTER * torch.rand(len(box), 1, device=box.device)
    return box + torch.randn_like(box) * carelessness * sides


def first_prompts(
    masks: Tensor, background: Tensor, box_share: float = 0.35
) -> tuple[Tensor, Tensor, Tensor]:
    """Points (N, 1, 2), labels (N, 1), boxes (N, 4): each object gets a point or a box.

    Half of the points lie anywhere in the object, half near its middle, where people point. Where a
    mask is empty, the point lies in the `background` (N, S, S).
    """
    is_object = masks.flatten(1).any(1)
    regions = torch.where(is_object[:, None, None], masks, background)
    drawn = random_points(regions, n=4)
    is_central = torch.rand(len(masks), 1, 1, device=masks.device) < 0.5
    points = torch.where(is_central, most_central(drawn), drawn[:, :1])
    by_box = is_object & (torch.rand(len(masks), device=masks.device) < box_share)
    labels = torch.where(by_box, -1, 1)[:, None]
    boxes = jittered_boxes(masks).where(by_box[:, None], torch.nan)
    return points, labels, boxes


def corrections(masks: Tensor, predicted: Tensor) -> tuple[Tensor, Tensor]:
    """Click (N, 1, 2) into each error region, with a label (N, 1): missed 1, too much 0."""
    points = random_points(masks ^ predicted)
    x, y = points[:, 0].long().unbind(-1)
    labels = masks[torch.arange(len(masks), device=masks.device), y, x].long()
    return points, labels[:, None]


def random_clicks() -> int:
    """Draw how many corrective clicks precede the mask that is learnt from."""
    return int(torch.multinomial(torch.tensor(CLICKS), 1))
