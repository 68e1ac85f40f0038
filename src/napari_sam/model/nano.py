"""``nano``: the built-in model, small enough to travel in the wheel and to follow a mouse."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.inputs import check_prompts, check_shape, check_windows
from napari_sam.model.memory import in_batches
from napari_sam.model.nano_decoder import NanoMaskDecoder
from napari_sam.model.nano_encoder import NanoImageEncoder
from napari_sam.model.nano_point_decoder import NanoPointDecoder
from napari_sam.model.neighborhood import SEVERAL, SINGLE, PromptTensors, decode_near
from napari_sam.model.precision import autocast

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
        return F.pixel_shuffle(self.out(F.relu(self.conv(embedding))), 2)


class Nano(Model):
    """A promptable model of 3.3 M parameters with SAM's prompts and outputs.

    Differs from SAM in its hybrid encoder, in a second feature map for sharp edges, in prompts
    that are drawn on the embedding grid as well as given as tokens, and in a quality head that
    looks at the mask.
    """

    name = "nano"
    image_size = 512
    low_res_size = 256
    has_instance_maps = True
    gains_from_bfloat16 = False
    # Less sure of itself than SAM: chosen on labelled images that it was not trained on.
    accepted_iou, accepted_stability = 0.55, 0.6
    object_samples = (28, 56)
    encodes_quickly = True

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
        padding = (0, self.image_size - width, 0, self.image_size - height)

        def embed(some: slice) -> tuple[Tensor, ...]:
            images = windows[some].to(self.device).expand(-1, 3, -1, -1)
            with autocast(self.image_encoder, self.device):
                maps = self.embed(F.pad(images, padding, value=MEAN))
            return tuple(m.float() for m in maps)

        return Features(in_batches(self, embed, len(windows), batch=len(windows)))

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
        check_shape("the image embedding", features.maps[0], (1, None, None, None))
        n = next(len(prompt) for prompt in (points, box, mask) if prompt is not None)
        if points is None or labels is None:
            points, labels = torch.zeros(n, 1, 2), torch.full((n, 1), -1)
        if box is None:
            box = torch.full((n, 4), torch.nan)
        # float32 before the move: not every device has float64
        mask = None if mask is None else mask.float()
        prompts = PromptTensors(points.float(), labels.long(), box.float(), mask)
        masks = SEVERAL if multimask else SINGLE

        def answer(some: slice) -> tuple[Tensor, Tensor]:
            maps = [m.to(self.device) for m in features.maps]
            return decode_near(self.mask_decoder, maps, prompts.of(some).to(self.device), masks)

        logits, predicted_iou = in_batches(self, answer, n, batch=n)
        return logits, predicted_iou

    def point_decoder(
        self, features: Features, dtype: torch.dtype = torch.float32
    ) -> NanoPointDecoder:
        """Return what segments the objects at single points; see `Model.point_decoder`."""
        return NanoPointDecoder(self, features, dtype)

    @torch.inference_mode()
    def instance_maps(self, features: Features) -> Tensor:
        """Tell all objects of windows apart, at a quarter of the window; see `Model.instance_maps`.

        The head was trained on the distance *from* the boundary, and on distances in objects only.
        """
        maps = self.instance_head(features.maps[0].to(self.device)).float().sigmoid()
        foreground, from_center, from_boundary = maps.split(1, dim=1)
        distances = torch.cat([from_center, 1 - from_boundary], dim=1)
        return torch.cat([foreground, 1 - foreground * (1 - distances)], dim=1)
