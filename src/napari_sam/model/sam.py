"""The Segment Anything Model (Kirillov et al. 2023, arXiv 2304.02643)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F

from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.image_encoder import ImageEncoderViT
from napari_sam.model.inputs import check_prompts, check_shape, check_windows
from napari_sam.model.mask_decoder import MaskDecoder
from napari_sam.model.prompt_encoder import PromptEncoder

MEAN = (0.485, 0.456, 0.406)
"""Mean of each color channel (RGB) in the training images."""
STD = (0.229, 0.224, 0.225)
"""Standard deviation of each color channel (RGB) in the training images."""


class Sam(Model):
    """An image encoder that runs once per window, a prompt encoder and mask decoder per prompt.

    Parameters
    ----------
    name : str
        Name in the registry.
    image_encoder, prompt_encoder, mask_decoder : nn.Module
        Parts made for the same window and the same number of channels.
    """

    def __init__(
        self,
        name: str,
        image_encoder: ImageEncoderViT,
        prompt_encoder: PromptEncoder,
        mask_decoder: MaskDecoder,
    ) -> None:
        super().__init__()
        self.name = name
        self.image_size = image_encoder.image_size
        self.low_res_size = 4 * prompt_encoder.grid_size
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder

    @torch.inference_mode()
    def encode(self, windows: torch.Tensor) -> Features:
        """Embed windows; see `Model.encode`. ``maps[0]`` is (B, 256, h, w)."""
        check_windows(windows, self.image_size)
        embedding, early = self.image_encoder(self.prepare(windows.to(self.device)))
        return Features(self.mask_decoder.feature_maps(embedding, early))

    def prepare(self, windows: torch.Tensor) -> torch.Tensor:
        """Normalize (B, 1 or 3, h, w) windows, then pad: (B, 3, image_size, image_size).

        Zeros after normalization are the mean color. A gray window becomes three equal channels.
        """
        mean = windows.new_tensor(MEAN).view(3, 1, 1)
        std = windows.new_tensor(STD).view(3, 1, 1)
        normalized = (windows - mean) / std
        height, width = windows.shape[2:]
        return F.pad(normalized, (0, self.image_size - width, 0, self.image_size - height))

    @torch.inference_mode()
    def decode(
        self,
        features: Features,
        points: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        box: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        multimask: bool = True,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Segment N objects of one window; see `Model.decode`."""
        check_prompts(points, labels, box, mask, self.low_res_size)
        positions = self.prompt_encoder.grid_positions()
        check_shape("the image embedding", features.maps[0], tuple(positions.shape))

        # float32 before the move: not every device has float64
        points, box, mask = (
            None if prompt is None else prompt.float().to(self.device)
            for prompt in (points, box, mask)
        )
        labels = None if labels is None else labels.long().to(self.device)
        sparse, dense = self.prompt_encoder(points, labels, box, mask)
        maps = tuple(m.to(self.device) for m in features.maps)
        logits, predicted_iou = self.mask_decoder(maps, positions, sparse, dense, multimask)
        return logits, predicted_iou


class ViTSize(NamedTuple):
    """What the published ViT image encoders differ in; the head dimension follows."""

    embed_dim: int
    depth: int
    num_heads: int
    global_blocks: tuple[int, ...]


VIT_SIZES = {
    "vit_b": ViTSize(768, 12, 12, (2, 5, 8, 11)),
    "vit_l": ViTSize(1024, 24, 16, (5, 11, 17, 23)),
    "vit_h": ViTSize(1280, 32, 16, (7, 15, 23, 31)),
}
"""Architecture → its size."""


def build_sam(name: str, vit: ViTSize, image_size: int = 1024, channels: int = 256) -> Sam:
    """Build a SAM with a ViT image encoder and random weights.

    Parameters
    ----------
    name : str
        Name of the model.
    vit : ViTSize
        Size of the image encoder.
    image_size : int
        Side of the square window, in samples; a multiple of the patch size, 16.
    channels : int
        Channels of the image embedding and of the prompts.
    """
    patch_size, window_size = 16, 14
    return Sam(
        name,
        ImageEncoderViT(
            image_size,
            patch_size,
            vit.embed_dim,
            vit.depth,
            vit.num_heads,
            vit.global_blocks,
            window_size,
            out_channels=channels,
        ),
        PromptEncoder(channels, image_size, grid_size=image_size // patch_size),
        MaskDecoder(channels),
    )
