"""Doubling the resolution of feature maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from napari_sam.model.layer_norm_2d import LayerNorm2d


class Upscaling(nn.ConvTranspose2d):
    """Turn every pixel into a patch of 2 by 2 pixels.

    A transposed convolution whose kernel does not overlap its neighbors is a linear layer. What
    follows it looks at single pixels, so they stay patch by patch, as they come: moving them into
    rows would take as long as computing them. `in_rows` does it in the end, with few channels.

    Parameters
    ----------
    in_dim, out_dim : int
        Channels.
    """

    def __init__(self, in_dim: int, out_dim: int) -> None:
        super().__init__(in_dim, out_dim, kernel_size=2, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        """Map (N, in_dim, L, P) to (N, out_dim, L, 4 · P): L patches, P pixels in each."""
        weight = self.weight.permute(2, 3, 1, 0).flatten(0, 2)  # (4 · out_dim, in_dim)
        bias = self.get_parameter("bias").repeat(4)
        x = x.permute(0, 2, 3, 1).contiguous()  # a product of strided maps takes many times longer
        y = F.linear(x, weight, bias)  # (N, L, P, 4 · out_dim)
        return y.unflatten(3, (4, -1)).flatten(2, 3).permute(0, 3, 1, 2)


def upscaling(in_dim: int, hidden_dim: int, out_dim: int) -> nn.Sequential:
    """Build the layers from (N, in_dim, L, 1) cells to (N, out_dim, L, 16) pixels."""
    return nn.Sequential(
        Upscaling(in_dim, hidden_dim),
        LayerNorm2d(hidden_dim),
        nn.GELU(),
        Upscaling(hidden_dim, out_dim),
    )


def in_rows(patches: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Rearrange (N, C, height · width, 16) pixels to (N, C, 4 · height, 4 · width).

    The 16 pixels of a patch are in the order of two upscalings: quarter by quarter, and within a
    quarter pixel by pixel. The result is channels-last in memory, so that pixels move as a whole.
    """
    n, channels = patches.shape[:2]
    pixels = patches.permute(0, 2, 3, 1).reshape(n, height, width, 2, 2, 2, 2, channels)
    pixels = pixels.permute(0, 1, 3, 5, 2, 4, 6, 7)  # rows from coarse to fine, then columns
    return pixels.reshape(n, 4 * height, 4 * width, channels).permute(0, 3, 1, 2)
