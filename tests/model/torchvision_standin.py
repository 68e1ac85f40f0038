"""The four functions of torchvision that `segment-anything` imports, so that it runs without."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
import torch
from PIL import Image


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


def to_pil_image(array: np.ndarray) -> Image.Image:
    """An image of a uint8 (H, W, 3) array."""
    return Image.fromarray(array)


def resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The image at (height, width), bilinear."""
    return image.resize((size[1], size[0]), Image.Resampling.BILINEAR)


@contextmanager
def installed() -> Iterator[None]:
    """Let `import torchvision` find these functions, within the context only."""
    names = ["", ".ops", ".ops.boxes", ".transforms", ".transforms.functional"]
    modules = {f"torchvision{name}": ModuleType(f"torchvision{name}") for name in names}
    vars(modules["torchvision.ops.boxes"]).update(batched_nms=batched_nms, box_area=box_area)
    vars(modules["torchvision.transforms.functional"]).update(
        resize=resize, to_pil_image=to_pil_image
    )
    hidden = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update(hidden)
