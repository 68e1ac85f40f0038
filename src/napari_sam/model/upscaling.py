"""Doubling the resolution of feature maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from napari_sam.model.layer_norm import LayerNorm


class Upscaling(nn.ConvTranspose2d):
    """Turn every pixel into a patch of 2 by 2 pixels.

    A transposed convolution whose kernel does not overlap its neighbors is a linear layer. What
    follows it looks at single pixels, so they stay patch by patch, as they come, and channels stay
    last: moving them would take as long as computing them. `in_rows` does it in the end, with few
    channels.

    Parameters
    ----------
    in_dim, out_dim : int
        Channels.
    """

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__(in_dim, out_dim, kernel_size=2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Map (N, L, P, in_dim) to (N, L, 4 · P, out_dim): L patches, P pixels in each."""
        weight = self.weight.permute(2, 3, 1, 0).flatten(0, 2)  # (4 · out_dim, in_dim)
        bias = self.get_parameter("bias").repeat(4)
        x = x.contiguous()  # a product of some of the patches would else be taken one by one
        y = F.linear(x, weight.to(x.dtype), bias.to(x.dtype))  # (N, L, P, 4 · out_dim)
        return y.unflatten(3, (4, -1)).flatten(2, 3)


def upscaling(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    """Build the layers from (N, L, 1, in_dim) cells to (N, L, 16, out_dim) pixels."""
    return nn.Sequential(
        Upscaling(in_dim, hidden_dim),
        LayerNorm(hidden_dim, eps=1e-6),
        nn.GELU(),
        Upscaling(hidden_dim, out_dim),
    )


def in_rows(patches: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Rearrange (N, height · width, 16, C) pixels to (N, C, 4 · height, 4 · width).

    The 16 pixels of a patch are in the order of two upscalings: quarter by quarter, and within a
    quarter pixel by pixel. The result is channels-last in memory, so that pixels move as a whole.
    """
    n, channels = len(patches), patches.shape[3]
    pixels = patches.reshape(n, height, width, 2, 2, 2, 2, channels)
    pixels = pixels.permute(0, 1, 3, 5, 2, 4, 6, 7)  # rows from coarse to fine, then columns
    return pixels.reshape(n, 4 * height, 4 * width, channels).permute(0, 3, 1, 2)
