"""How a loaded model computes, so that others can be loaded alike."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from napari_sam.model.base import Model
from napari_sam.model.openvino_encoder import OpenVINOEncoder


def precision_of(model: Model) -> Literal["float32", "bfloat16"]:
    """Return in which precision the image encoder computes."""
    encoder = _encoder(model)
    if isinstance(encoder, OpenVINOEncoder):
        return encoder.precision
    is_half = any(weights.dtype == torch.bfloat16 for weights in encoder.parameters())
    return "bfloat16" if is_half else "float32"


def backend_of(model: Model) -> Literal["torch", "openvino"]:
    """Return what runs the image encoder."""
    return "openvino" if isinstance(_encoder(model), OpenVINOEncoder) else "torch"


def _encoder(model: Model) -> nn.Module:
    return getattr(model, "image_encoder", model)
