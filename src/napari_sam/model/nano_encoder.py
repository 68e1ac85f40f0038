"""Image encoder of ``nano``: convolutions where pixels are many, attention where they are few.

Shapes are for windows of side S; features are kept channels-last, in which linear layers and
convolutions are both fast on a CPU. The convolutional stages use batch normalization: unlike a
normalization of each pixel it keeps how bright a pixel is, and unlike one of each window it does
not depend on what else the window shows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.model.interrupt import give_way


class ChannelNorm(nn.LayerNorm):
    """Layer normalization over the channels of a (B, C, H, W) map."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class PixelMLP(nn.Module):
    """Two linear layers applied to every pixel of a (B, C, H, W) map."""

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, channels * expansion)
        self.lin2 = nn.Linear(channels * expansion, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        x = x.permute(0, 2, 3, 1)
        return self.lin2(F.gelu(self.lin1(x), approximate="tanh")).permute(0, 3, 1, 2)


class ConvBlock(nn.Module):
    """Depthwise convolution, normalization and pixel MLP with one residual (Liu et al. 2022)."""

    def __init__(self, channels: int, kernel: int = 3, expansion: int = 3) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.BatchNorm2d(channels)
        self.mlp = PixelMLP(channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        give_way()
        return x + self.mlp(self.norm(self.depthwise(x)))


class AttentionBlock(nn.Module):
    """Global self-attention; a depthwise convolution tells positions (Chu et al. 2023).

    Without a table of positions the block accepts a map of any size.
    """

    def __init__(self, channels: int, n_heads: int, expansion: int = 4) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm1 = ChannelNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.norm2 = ChannelNorm(channels)
        self.mlp = PixelMLP(channels, expansion)

    def attend(self, x: Tensor) -> Tensor:
        """Mix all pixels of a (B, C, H, W) map."""
        batch, channels, height, width = x.shape
        tokens = x.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        qkv = self.qkv(tokens).unflatten(2, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(*qkv.unbind(0))  # (B, heads, HW, C / heads)
        tokens = self.proj(mixed.transpose(1, 2).flatten(2))
        return tokens.view(batch, height, width, channels).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        give_way()
        x = x + self.position(x)
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


def downsample(in_channels: int, out_channels: int) -> nn.Sequential:
    """Halve the resolution."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(out_channels),
    )


class NanoImageEncoder(nn.Module):
    """(B, 3, S, S) normalized windows → embedding (B, 128, S/8, S/8), detail (B, 32, S/4, S/4)."""

    def __init__(
        self,
        channels: tuple[int, int, int] = (48, 96, 192),
        depths: tuple[int, int, int] = (2, 3, 6),
        n_heads: int = 6,
        embed_dim: int = 128,
        detail_dim: int = 32,
    ) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.stem = nn.Sequential(
            downsample(3, fine // 2), nn.GELU("tanh"), downsample(fine // 2, fine)
        )
        self.stage4 = nn.Sequential(*(ConvBlock(fine) for _ in range(depths[0])))
        self.to_stage8 = downsample(fine, middle)
        self.stage8 = nn.Sequential(*(ConvBlock(middle) for _ in range(depths[1])))
        self.to_stage16 = downsample(middle, coarse)
        self.stage16 = nn.Sequential(*(AttentionBlock(coarse, n_heads) for _ in range(depths[2])))
        self.neck16 = nn.Sequential(ChannelNorm(coarse), nn.Conv2d(coarse, embed_dim, 1))
        self.neck8 = nn.Sequential(nn.BatchNorm2d(middle), nn.Conv2d(middle, embed_dim, 1))
        self.neck = nn.Sequential(ChannelNorm(embed_dim), ConvBlock(embed_dim))
        self.detail = nn.Sequential(nn.Conv2d(fine, detail_dim, 1), nn.BatchNorm2d(detail_dim))

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding and the detail map of normalized windows."""
        windows = windows.contiguous(memory_format=torch.channels_last)
        fine = self.stage4(self.stem(windows))  # (B, 48, S/4, S/4)
        middle = self.stage8(self.to_stage8(fine))  # (B, 96, S/8, S/8)
        coarse = self.stage16(self.to_stage16(middle))  # (B, 192, S/16, S/16)
        upsampled = F.interpolate(self.neck16(coarse), scale_factor=2, mode="bilinear")
        return self.neck(self.neck8(middle) + upsampled), self.detail(fine)
