"""Image encoder of ``nano``: convolutions where pixels are many, attention where they are few.

Shapes are for windows of side S; features are kept channels-last, in which linear layers and
convolutions are both fast on a CPU. The convolutional stages use batch normalization: unlike a
normalization of each pixel it keeps how bright a pixel is, unlike one of each window it does not
depend on what else the window shows, and in use it costs nothing.
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


class ConvNorm(nn.Module):
    """Convolution and batch normalization, in use a single convolution.

    Once its statistics stand still, the normalization is a factor and an offset for each channel,
    which the weights of the convolution take up.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
        )
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, C', H / stride, W / stride)."""
        conv, norm = self.conv, self.norm
        if norm.training or norm.running_mean is None or norm.running_var is None:
            return norm(conv(x))
        factor = norm.weight * (norm.running_var + norm.eps).rsqrt()
        weight = conv.weight * factor[:, None, None, None]
        offset = norm.bias - norm.running_mean * factor
        return F.conv2d(x, weight, offset, conv.stride, conv.padding, groups=conv.groups)


class PixelMLP(nn.Module):
    """Two linear layers applied to every pixel of a (B, C, H, W) map.

    They need no bias, for what comes before and after them is normalized with one.
    """

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(channels, channels * expansion, bias=False)
        self.lin2 = nn.Linear(channels * expansion, channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        x = x.permute(0, 2, 3, 1)
        return self.lin2(F.relu(self.lin1(x), inplace=True)).permute(0, 3, 1, 2)


class ConvBlock(nn.Module):
    """Depthwise convolution, normalization and pixel MLP with one residual (Liu et al. 2022)."""

    n_stops = 1

    def __init__(self, channels: int, expansion: int) -> None:
        super().__init__()
        self.depthwise = ConvNorm(channels, channels, 3, groups=channels)
        self.mlp = PixelMLP(channels, expansion)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        give_way()
        return x + self.mlp(self.depthwise(x))


class AttentionBlock(nn.Module):
    """Attention of every cell to the whole window; a depthwise convolution tells positions.

    Without a table of positions (Chu et al. 2023) the block accepts a map of any size. Cells look
    at means of 2 × 2 cells, a quarter as many as there are (Wang et al. 2022).
    """

    n_stops = 1

    def __init__(self, channels: int, n_heads: int, expansion: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.position = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm1 = ChannelNorm(channels)
        self.q = nn.Linear(channels, channels, bias=False)
        self.kv = nn.Linear(channels, 2 * channels, bias=False)
        self.proj = nn.Linear(channels, channels, bias=False)
        self.norm2 = ChannelNorm(channels)
        self.mlp = PixelMLP(channels, expansion)

    def split_heads(self, x: Tensor) -> Tensor:
        """View (B, H, W, C) as (B, heads, HW, C / heads)."""
        return x.flatten(1, 2).unflatten(2, (self.n_heads, -1)).transpose(1, 2)

    def attend(self, x: Tensor) -> Tensor:
        """Mix all cells of a (B, C, H, W) map."""
        height, width = x.shape[2:]
        q = self.split_heads(self.q(x.permute(0, 2, 3, 1)))
        k, v = self.kv(F.avg_pool2d(x, 2).permute(0, 2, 3, 1)).chunk(2, dim=3)
        mixed = F.scaled_dot_product_attention(q, self.split_heads(k), self.split_heads(v))
        mixed = self.proj(mixed.transpose(1, 2).flatten(2))  # (B, HW, C)
        return mixed.unflatten(1, (height, width)).permute(0, 3, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → the same shape."""
        give_way()
        x = x + self.position(x)
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class NanoImageEncoder(nn.Module):
    """(B, 3, S, S) normalized windows → embedding (B, 128, S/8, S/8), detail (B, 32, S/4, S/4)."""

    def __init__(
        self,
        channels: tuple[int, int, int] = (48, 96, 192),
        depths: tuple[int, int, int] = (2, 3, 5),
        n_heads: int = 6,
        embed_dim: int = 128,
        detail_dim: int = 32,
    ) -> None:
        super().__init__()
        fine, middle, coarse = channels
        self.stem = nn.Sequential(
            ConvNorm(3, fine // 2, 3, stride=2),
            nn.ReLU(inplace=True),
            ConvNorm(fine // 2, fine, 3, stride=2),
        )
        self.stage4 = nn.Sequential(*(ConvBlock(fine, 2) for _ in range(depths[0])))
        self.to_stage8 = ConvNorm(fine, middle, 3, stride=2)
        self.stage8 = nn.Sequential(*(ConvBlock(middle, 3) for _ in range(depths[1])))
        self.to_stage16 = ConvNorm(middle, coarse, 3, stride=2)
        self.stage16 = nn.Sequential(
            *(AttentionBlock(coarse, n_heads, 3) for _ in range(depths[2]))
        )
        self.neck16 = nn.Sequential(ChannelNorm(coarse), nn.Conv2d(coarse, embed_dim, 1))
        self.neck8 = ConvNorm(middle, embed_dim, 1)
        self.neck = nn.Sequential(ChannelNorm(embed_dim), ConvBlock(embed_dim, 2))
        self.detail = ConvNorm(fine, detail_dim, 1)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embedding and the detail map of normalized windows."""
        windows = windows.contiguous(memory_format=torch.channels_last)
        fine = self.stage4(self.stem(windows))  # (B, 48, S/4, S/4)
        middle = self.stage8(self.to_stage8(fine))  # (B, 96, S/8, S/8)
        coarse = self.stage16(self.to_stage16(middle))  # (B, 192, S/16, S/16)
        upsampled = F.interpolate(self.neck16(coarse), scale_factor=2, mode="bilinear")
        return self.neck(self.neck8(middle) + upsampled), self.detail(fine)
