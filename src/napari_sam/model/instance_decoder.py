"""micro-sam's second decoder: from the image embedding to maps that tell all objects apart.

Archit et al. 2025, "Segment Anything for Microscopy": a U-Net's decoder without an encoder. Where a
U-Net takes skip connections, this one takes copies of the image embedding, enlarged step by step.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from napari_sam.model.inputs import check_shape


class InstanceDecoder(nn.Module):
    """Predict foreground, center distance and boundary distance at 16 times the embedding's size.

    Parameters
    ----------
    embed_dim : int
        Channels of the image embedding.
    features : int
        Channels at the finest of the five scales; each coarser one has twice as many, up to eight
        times.
    learned_upsampling : bool
        Whether maps are enlarged by transposed convolutions, or by interpolation.
    """

    def __init__(
        self, embed_dim: int = 256, features: int = 64, learned_upsampling: bool = False
    ) -> None:
        super().__init__()
        scales = [8 * features, 4 * features, 2 * features, features]
        upsampling = LearnedUpsampling if learned_upsampling else Upsampling
        self.base = ConvBlock(embed_dim, scales[0])
        self.deconv1 = Enlarge(embed_dim, scales[0], upsampling)
        self.deconv2 = Enlarge(scales[0], scales[1], upsampling)
        self.deconv3 = Enlarge(scales[1], scales[2], upsampling)
        self.deconv4 = Enlarge(scales[2], scales[3], upsampling)
        self.decoder = Decoder(scales, upsampling)
        self.deconv_out = upsampling(features, features)
        self.decoder_head = ConvBlock(2 * features, features)
        self.out_conv = nn.Conv2d(features, 3, kernel_size=1)

    def forward(self, embedding: torch.Tensor) -> torch.Tensor:
        """Map (B, embed_dim, h, w) embeddings to (B, 3, 16h, 16w) maps in [0, 1]."""
        skips = [self.deconv1(embedding)]
        skips.append(self.deconv2(skips[0]))
        skips.append(self.deconv3(skips[1]))
        x = self.decoder(self.base(embedding), skips)
        x = torch.cat([self.deconv_out(x), self.deconv4(skips[2])], dim=1)
        return torch.sigmoid(self.out_conv(self.decoder_head(x)))


class Decoder(nn.Module):
    """Enlarge a map three times, each time looking at the skip map of the new size."""

    def __init__(self, scales: list[int], upsampling: type[Upsampling | LearnedUpsampling]) -> None:
        super().__init__()
        pairs = list(pairwise(scales))
        self.samplers = nn.ModuleList(upsampling(coarse, fine) for coarse, fine in pairs)
        self.blocks = nn.ModuleList(ConvBlock(coarse, fine) for coarse, fine in pairs)

    def forward(self, x: torch.Tensor, skips: list[torch.Tensor]) -> torch.Tensor:
        """Map (B, 8C, h, w), with skips of 8C, 4C and 2C channels, to (B, C, 8h, 8w).

        A skip map has twice as many channels as there is place for: its middle half is taken.
        """
        for sampler, block, skip in zip(self.samplers, self.blocks, skips, strict=True):
            x = sampler(x)
            n = x.shape[1]
            x = block(torch.cat([x, skip[:, n // 2 : n // 2 + n]], dim=1))
        return x


class Upsampling(nn.Module):
    """Double the size by interpolation, and mix channels.

    In either order the same numbers result; mixing first is a quarter of the work.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, h, w) to (B, C', 2h, 2w)."""
        return F.interpolate(self.conv(x), scale_factor=2, mode="bilinear")


class LearnedUpsampling(nn.Module):
    """Double the size by a transposed convolution."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = nn.ConvTranspose2d(in_channels, out_channels, kernel_size=2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, h, w) to (B, C', 2h, 2w)."""
        y: torch.Tensor = self.block(x)
        return y


class Enlarge(nn.Module):
    """Double the size, then convolve, normalize over the training data, and rectify."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        upsampling: type[Upsampling | LearnedUpsampling],
    ) -> None:
        super().__init__()
        self.block = nn.Sequential(
            upsampling(in_channels, out_channels),
            Conv3x3(out_channels),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, h, w) to (B, C', 2h, 2w)."""
        y: torch.Tensor = self.block(x)
        return y


class Conv3x3(nn.Module):
    """A convolution, under the name that it has in files."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.block = nn.Conv2d(channels, channels, kernel_size=3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, h, w) to (B, C, h, w)."""
        y: torch.Tensor = self.block(x)
        return y


class ConvBlock(nn.Module):
    """Twice: normalize each map of each image, convolve, rectify."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.InstanceNorm2d(in_channels),
            nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.InstanceNorm2d(out_channels),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, h, w) to (B, C', h, w)."""
        y: torch.Tensor = self.block(x)
        return y


def is_instance_decoder(weights: Mapping[str, torch.Tensor]) -> bool:
    """Whether these are the weights of an `InstanceDecoder`, by their names."""
    return {"out_conv.weight", "base.block.1.weight"} <= weights.keys()


def build_instance_decoder(weights: Mapping[str, torch.Tensor], source: str) -> InstanceDecoder:
    """Build the decoder that weights are made for; its own take no memory yet.

    Raises
    ------
    ValueError
        If they are not those of an `InstanceDecoder` with three outputs.
    """
    if not is_instance_decoder(weights):
        raise ValueError(
            f"The instance decoder in {source} has no tensors base.block.1.weight and "
            "out_conv.weight; expected one that micro-sam has trained."
        )
    base, out = weights["base.block.1.weight"], weights["out_conv.weight"]
    for tensor in (base, out):
        check_shape(f"A layer of the instance decoder in {source}", tensor, (None,) * 4)
    n_outputs, features = out.shape[:2]
    if n_outputs != 3:
        raise ValueError(
            f"The instance decoder in {source} has {n_outputs} outputs; expected 3: foreground, "
            "center distance and boundary distance."
        )
    with torch.device("meta"):
        return InstanceDecoder(
            embed_dim=base.shape[1],
            features=features,
            learned_upsampling="deconv_out.block.weight" in weights,
        )
