"""``nano``: the built-in model, small enough to travel in the wheel and to follow a mouse."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.inputs import check_prompts, check_windows
from napari_sam.model.nano_decoder import NanoMaskDecoder
from napari_sam.model.nano_encoder import NanoImageEncoder

MEAN, STD = 0.35, 0.25
"""Normalization of intensities in [0, 1]; typical of microscopy after percentile scaling."""


class InstanceHead(nn.Module):
    """Foreground, distance to the center and distance to the boundary, at every embedding cell.

    Trained together with the decoder: a dense signal that teaches the encoder what objects are.
    """

    def __init__(self, embed_dim: int = 128) -> None:
        super().__init__()
        self.conv = nn.Conv2d(embed_dim, 64, 3, padding=1)
        self.out = nn.Conv2d(64, 3 * 4, 1)

    def forward(self, embedding: Tensor) -> Tensor:
        """(B, 128, h, w) → logits (B, 3, 2h, 2w)."""
        return F.pixel_shuffle(self.out(F.gelu(self.conv(embedding), approximate="tanh")), 2)


class Nano(Model):
    """A promptable model of 3.9 M parameters with SAM's prompts and outputs.

    Differs from SAM in its hybrid encoder, in a second feature map for sharp edges, in prompts
    that are drawn on the embedding grid as well as given as tokens, and in a quality head that
    looks at the mask.
    """

    name = "nano"
    image_size = 512
    low_res_size = 256

    def __init__(self) -> None:
        super().__init__()
        self.image_encoder = NanoImageEncoder()
        self.mask_decoder = NanoMaskDecoder()
        self.instance_head = InstanceHead()

    def embed(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, S, S) windows in [0, 1], S a multiple of 16 → embedding and detail map."""
        return self.image_encoder((windows - MEAN) / STD)

    @torch.inference_mode()
    def encode(self, windows: Tensor) -> Features:
        """Embed windows; smaller ones are padded with the mean intensity."""
        check_windows(windows, self.image_size)
        height, width = windows.shape[-2:]
        windows = windows.to(self.device).expand(-1, 3, -1, -1)
        padding = (0, self.image_size - width, 0, self.image_size - height)
        return Features(self.embed(F.pad(windows, padding, value=MEAN)))

    @torch.inference_mode()
    def decode(
        self,
        features: Features,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        box: Tensor | None = None,
        mask: Tensor | None = None,
        multimask: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Segment N objects of one window."""
        check_prompts(points, labels, box, mask, self.low_res_size)
        n = next(len(prompt) for prompt in (points, box, mask) if prompt is not None)
        if points is None or labels is None:
            points, labels = torch.zeros(n, 1, 2), torch.full((n, 1), -1)
        if box is None:
            box = torch.full((n, 4), torch.nan)
        embedding, detail = (m.expand(n, -1, -1, -1) for m in features.maps)
        logits, predicted_iou = self.mask_decoder(
            embedding,
            detail,
            points.to(self.device, torch.float32),
            labels.to(self.device, torch.long),
            box.to(self.device, torch.float32),
            None if mask is None else mask.to(self.device, torch.float32),
        )
        chosen = slice(1, None) if multimask else slice(0, 1)
        return logits[:, chosen], predicted_iou[:, chosen]
