"""Ask the model about one object in one window.

Outside `model/`, (x, y) exists in this file only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from napari_sam.image.window import Window
from napari_sam.masks.mask import Mask
from napari_sam.masks.resample import mask_from_logits
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.prompts.mask_prompt import MaskPrompt
from napari_sam.prompts.prompts import Prompts


def decode(
    model: Model,
    features: Features,
    window: Window,
    prompts: Prompts,
    shape_yx: tuple[int, int],
    *,
    multimask: bool,
) -> list[Mask]:
    """Return the masks that the prompts mean, in the model's order, empty ones included.

    Parameters
    ----------
    model : Model
        The network.
    features : Features
        Of the window.
    window : Window
        Where the features were computed.
    prompts : Prompts
        In level-0 (row, column); all of them are shown to the model.
    shape_yx : tuple of int
        Rows and columns of the image, where masks are cut.
    multimask : bool
        Three masks instead of one.
    """
    step = window.step * model.image_size / model.low_res_size
    has_points = len(prompts.points) > 0
    previous = None
    if prompts.mask is not None:
        previous = prompts.mask.resample(window.y, window.x, step, model.low_res_size)

    def tensor(array: NDArray[Any], dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.tensor(array[None], dtype=dtype, device=features.maps[0].device)

    with torch.inference_mode():
        logits, predicted_iou = model.decode(
            features,
            points=tensor(_window_xy(window, prompts.points)) if has_points else None,
            labels=tensor(prompts.labels, torch.int64) if has_points else None,
            box=tensor(_window_xyxy(window, prompts.box)) if prompts.box is not None else None,
            mask=tensor(previous[None]) if previous is not None else None,
            multimask=multimask,
        )
    return [
        mask_from_logits(
            MaskPrompt(low_res, y=window.y, x=window.x, step=step),
            shape_yx,
            predicted_iou=float(iou),
        )
        for low_res, iou in zip(logits[0].float().cpu().numpy(), predicted_iou[0], strict=True)
    ]


def _window_xy(window: Window, points_yx: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map (N, 2) level-0 (row, column) to window (x, y)."""
    return window.to_window(points_yx)[:, ::-1].copy()


def _window_xyxy(window: Window, box_yxyx: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map a level-0 box (y0, x0, y1, x1) to a window box (x0, y0, x1, y1)."""
    return _window_xy(window, box_yxyx.reshape(2, 2)).reshape(4)
