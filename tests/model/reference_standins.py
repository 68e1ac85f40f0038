"""What `segment-anything` and `segment-anything-hq` import of torchvision and timm.

Five functions of torchvision and four names of timm, so that they run without the two.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn


def box_area(boxes: torch.Tensor) -> torch.Tensor:
    """Areas of (N, 4) boxes, (x0, y0, x1, y1)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def batched_nms(
    boxes: torch.Tensor, scores: torch.Tensor, idxs: torch.Tensor, iou_threshold: float
) -> torch.Tensor:
    """Indices of the boxes that no better one of their category suppresses, best first."""
    waiting, kept = scores.argsort(descending=True, stable=True), []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        kept.append(best)
        top_left = torch.maximum(boxes[best, :2], boxes[waiting, :2])
        bottom_right = torch.minimum(boxes[best, 2:], boxes[waiting, 2:])
        shared = (bottom_right - top_left).clamp(0).prod(dim=1)
        union = box_area(boxes[best][None]) + box_area(boxes[waiting]) - shared
        is_suppressed = (shared / union > iou_threshold) & (idxs[waiting] == idxs[best])
        waiting = waiting[~is_suppressed]
    return torch.stack(kept) if kept else waiting


def nms(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
    """Indices of the boxes that no better one suppresses, best first."""
    return batched_nms(boxes, scores, torch.zeros(len(boxes)), iou_threshold)


def to_pil_image(array: np.ndarray) -> Image.Image:
    """An image of a uint8 (H, W, 3) array."""
    return Image.fromarray(array)


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at (height, width), bilinear."""
    return image.resize((size[1], size[0]), Image.Resampling.BILINEAR)


class DropPath(nn.Identity):
    """Drops nothing, as for inference."""

    def __init__(self, drop_prob: float | None = None) -> None:
        super().__init__()


def to_2tuple(x: Any) -> tuple[Any, ...]:
    """Two of it, unless it is a pair already."""
    return tuple(x) if isinstance(x, tuple | list) else (x, x)


def register_model(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; no registry here."""
    return function


CONTENTS: dict[str, list[Any]] = {
    "torchvision": [],
    "torchvision.ops": [],
    "torchvision.ops.boxes": [batched_nms, box_area, nms],
    "torchvision.transforms": [],
    "torchvision.transforms.functional": [resize, to_pil_image],
    "timm": [],
    "timm.models": [],
    "timm.models.layers": [DropPath, to_2tuple, nn.init.trunc_normal_],
    "timm.models.registry": [register_model],
}
"""Module → what is imported from it."""


@contextmanager
def installed() -> Iterator[None]:
    """Let `import torchvision` and `import timm` find these, within the context only."""
    modules = {name: ModuleType(name) for name in CONTENTS}
    for name, module in modules.items():
        vars(module).update({thing.__name__: thing for thing in CONTENTS[name]})
    hidden = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update(hidden)
