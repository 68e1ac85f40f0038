"""The Segment Anything Model (Kirillov et al. 2023, arXiv 2304.02643)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.hq_mask_decoder import HQMaskDecoder
from napari_sam.model.image_encoder import ImageEncoderViT
from napari_sam.model.inputs import check_prompts, check_shape, check_windows
from napari_sam.model.instance_decoder import InstanceDecoder
from napari_sam.model.mask_decoder import MaskDecoder
from napari_sam.model.memory import in_batches
from napari_sam.model.precision import autocast
from napari_sam.model.prompt_encoder import PromptEncoder
from napari_sam.model.sam_point_decoder import SamPointDecoder
from napari_sam.model.tiny_vit import TinyViT

MEAN = (0.485, 0.456, 0.406)
"""Mean of each color channel (RGB) in the training images."""
STD = (0.229, 0.224, 0.225)
"""Standard deviation of each color channel (RGB) in the training images."""

CPU_BATCH, GPU_BATCH = 2, 64
"""Objects decoded at a time. More would fill a GPU's memory, and slow a CPU down: the maps of each
object must stay in its cache."""


class Sam(Model):
    """An image encoder that runs once per window, a prompt encoder and mask decoder per prompt.

    Parameters
    ----------
    name : str
        Name in the registry.
    image_encoder, prompt_encoder, mask_decoder : nn.Module
        Parts made for the same window and the same number of channels.
    instance_decoder : InstanceDecoder, optional
        Of micro-sam's models, for `instance_maps`.
    """

    upscales_in_bfloat16 = True

    def __init__(
        self,
        name: str,
        image_encoder: ImageEncoderViT | TinyViT,
        prompt_encoder: PromptEncoder,
        mask_decoder: MaskDecoder,
        instance_decoder: InstanceDecoder | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.image_size = image_encoder.image_size
        self.low_res_size = 4 * prompt_encoder.grid_size
        self.image_encoder: nn.Module = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self.instance_decoder = instance_decoder
        self.has_instance_maps = instance_decoder is not None
        self.masks_per_point = 1 if isinstance(mask_decoder, HQMaskDecoder) else 3

    @torch.inference_mode()
    def encode(self, windows: torch.Tensor) -> Features:
        """Embed windows; see `Model.encode`. ``maps[0]`` is (B, 256, h, w)."""
        check_windows(windows, self.image_size)

        def embed(some: slice) -> tuple[torch.Tensor, ...]:
            images = self.prepare(windows[some].to(self.device))
            with autocast(self.image_encoder, self.device):
                embedding, early = self.image_encoder(images)
            return self.mask_decoder.feature_maps(embedding, early)

        return Features(in_batches(self, embed, len(windows), batch=len(windows)))

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
            None if prompt is None else prompt.float() for prompt in (points, box, mask)
        )
        prompts = points, None if labels is None else labels.long(), box, mask

        def answer(some: slice) -> tuple[torch.Tensor, torch.Tensor]:
            inputs = [None if p is None else p[some].to(self.device) for p in prompts]
            maps = tuple(m.to(self.device) for m in features.maps)
            sparse, dense = self.prompt_encoder(*inputs)
            return self.mask_decoder(maps, positions.to(self.device), sparse, dense, multimask)

        n = next(len(prompt) for prompt in prompts if prompt is not None)
        batch = CPU_BATCH if self.device.type == "cpu" else GPU_BATCH
        logits, predicted_iou = in_batches(self, answer, n, batch)
        return logits, predicted_iou

    def point_decoder(
        self, features: Features, dtype: torch.dtype = torch.float32
    ) -> SamPointDecoder:
        """Return what segments the objects at single points; see `Model.point_decoder`."""
        shape = tuple(self.prompt_encoder.grid_positions().shape)
        check_shape("the image embedding", features.maps[0], shape)
        return SamPointDecoder(self, features, dtype)

    @torch.inference_mode()
    def instance_maps(self, features: Features) -> torch.Tensor:
        """Tell all objects of windows apart, sample by sample; see `Model.instance_maps`."""
        if self.instance_decoder is None:
            return super().instance_maps(features)
        _, channels, height, width = self.prompt_encoder.grid_positions().shape
        check_shape("the image embedding", features.maps[0], (None, channels, height, width))
        decoder = self.instance_decoder

        def maps(some: slice) -> tuple[torch.Tensor, ...]:
            return (decoder(features.maps[0][some].to(self.device)),)

        # One window at a time: at the full size of the window, maps are large.
        return in_batches(self, maps, len(features), batch=1)[0]


class ViTSize(NamedTuple):
    """What the published ViT image encoders differ in; the head dimension follows."""

    embed_dim: int
    depth: int
    num_heads: int
    global_blocks: tuple[int, ...]
    window_size: int = 14


VIT_SIZES = {
    "vit_b": ViTSize(768, 12, 12, (2, 5, 8, 11)),
    "vit_l": ViTSize(1024, 24, 16, (5, 11, 17, 23)),
    "vit_h": ViTSize(1280, 32, 16, (7, 15, 23, 31)),
}
"""Architecture → its size."""


class TinyViTSize(NamedTuple):
    """What defines a TinyViT image encoder: one number per stage."""

    embed_dims: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    num_heads: tuple[int, int, int, int]
    window_sizes: tuple[int, int, int, int]


TINY_VIT_5M = TinyViTSize((64, 128, 160, 320), (2, 2, 6, 2), (2, 4, 5, 10), (7, 7, 14, 7))
"""The size that MobileSAM and Light HQ-SAM have published."""

PATCH_SIZE = 16
"""Side of the square, in samples, that one vector of the image embedding stands for."""


def build_sam(
    name: str,
    vit: ViTSize,
    image_size: int = 1024,
    channels: int = 256,
    hq: bool = False,
    num_multimask: int = 3,
    instance_decoder: InstanceDecoder | None = None,
) -> Sam:
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
    hq : bool
        Whether masks are corrected as in HQ-SAM.
    num_multimask : int
        Masks for an ambiguous prompt.
    instance_decoder : InstanceDecoder, optional
        As of `Sam`.
    """
    encoder = ImageEncoderViT(
        image_size,
        PATCH_SIZE,
        vit.embed_dim,
        vit.depth,
        vit.num_heads,
        vit.global_blocks,
        vit.window_size,
        out_channels=channels,
    )
    early_dim = vit.embed_dim if hq else None
    return assemble(name, encoder, channels, early_dim, num_multimask, instance_decoder)


def build_mobile_sam(
    name: str,
    size: TinyViTSize = TINY_VIT_5M,
    image_size: int = 1024,
    channels: int = 256,
    hq: bool = False,
    num_multimask: int = 3,
    instance_decoder: InstanceDecoder | None = None,
) -> Sam:
    """Build a SAM with a TinyViT image encoder (MobileSAM, Light HQ-SAM) and random weights.

    Parameters as of `build_sam`.
    """
    encoder = TinyViT(image_size, *size, out_channels=channels)
    early_dim = size.embed_dims[2] if hq else None
    return assemble(name, encoder, channels, early_dim, num_multimask, instance_decoder)


def assemble(
    name: str,
    encoder: ImageEncoderViT | TinyViT,
    channels: int,
    hq_early_dim: int | None,
    num_multimask: int,
    instance_decoder: InstanceDecoder | None,
) -> Sam:
    """Join an image encoder with decoders that fit it.

    Parameters
    ----------
    name : str
        Name of the model.
    encoder : nn.Module
        Whose embedding has `channels`.
    channels : int
        Channels of the image embedding and of the prompts.
    hq_early_dim : int or None
        Channels of the encoder's early features, or None for SAM's own decoder, without them.
    num_multimask : int
        Masks for an ambiguous prompt.
    instance_decoder : InstanceDecoder or None
        As of `Sam`.
    """
    mask_decoder = (
        MaskDecoder(channels, num_multimask)
        if hq_early_dim is None
        else HQMaskDecoder(channels, hq_early_dim, num_multimask)
    )
    grid_size = encoder.image_size // PATCH_SIZE
    prompt_encoder = PromptEncoder(channels, encoder.image_size, grid_size)
    return Sam(name, encoder, prompt_encoder, mask_decoder, instance_decoder)
