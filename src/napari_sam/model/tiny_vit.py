"""TinyViT, the small image encoder of MobileSAM and Light HQ-SAM.

Wu et al. 2022, "TinyViT: fast pretraining distillation for small vision transformers": one stage of
convolutions, then three of attention within small windows, where a depthwise convolution in every
block carries across the borders of the windows.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from napari_sam.model.bottleneck import ConvNorm, MBConv, PatchMerging
from napari_sam.model.image_encoder import partition, unpartition
from napari_sam.model.interrupt import give_way
from napari_sam.model.layer_norm_2d import LayerNorm2d
from napari_sam.model.working_memory import at_a_time

UNUSED_PREFIXES = ("norm_head.", "head.")
"""How names of tensors begin that published files hold for this encoder, but that SAM never uses.

They classified images, before the encoder became part of SAM.
"""

STRIDES = (2, 2, 1)
"""How much coarser a stage hands its map over to the next."""


class TinyViT(nn.Module):
    """Turn images into embeddings with one vector per 16 by 16 samples.

    Parameters
    ----------
    image_size : int
        Side of the square input, in samples; a multiple of 16.
    embed_dims, depths, num_heads, window_sizes : sequence of int
        Channels, number of blocks, attention heads and side of the windows of the four stages. The
        first has no attention and ignores the last two.
    out_channels : int
        Channels of the embedding.
    """

    def __init__(
        self,
        image_size: int,
        embed_dims: Sequence[int],
        depths: Sequence[int],
        num_heads: Sequence[int],
        window_sizes: Sequence[int],
        out_channels: int,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.patch_embed = PatchEmbed(embed_dims[0])
        self.layers = nn.ModuleList()
        for i, (dim, depth) in enumerate(zip(embed_dims, depths, strict=True)):
            blocks = [
                MBConv(dim) if i == 0 else TinyViTBlock(dim, num_heads[i], window_sizes[i])
                for _ in range(depth)
            ]
            is_last = i == len(embed_dims) - 1
            downsample = None if is_last else PatchMerging(dim, embed_dims[i + 1], STRIDES[i])
            self.layers.append(Stage(blocks, downsample))
        self.neck = nn.Sequential(
            nn.Conv2d(embed_dims[-1], out_channels, kernel_size=1, bias=False),
            LayerNorm2d(out_channels),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(out_channels),
        )

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed (B, 3, image_size, image_size) normalized images.

        Returns
        -------
        embedding : torch.Tensor
            (B, out_channels, h, w) float32.
        early : torch.Tensor
            (B, embed_dims[2], h, w) float32, what the second stage hands over: finer detail, which
            HQ-SAM's mask decoder uses.
        """
        # Channels last: maps (B, C, h, w) and tokens (B, h, w, C) are then the same memory.
        x = self.patch_embed(images.contiguous(memory_format=torch.channels_last))
        first, second, *others = self.layers
        early = x = second(first(x))
        for stage in others:
            x = stage(x)
        return self.neck(x).float(), early.float()


class PatchEmbed(nn.Module):
    """Turn each 4 by 4 samples into a token."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            ConvNorm(3, dim // 2, kernel_size=3, stride=2, padding=1),
            nn.GELU(),
            ConvNorm(dim // 2, dim, kernel_size=3, stride=2, padding=1),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (B, 3, H, W) to (B, C, H / 4, W / 4)."""
        x: torch.Tensor = self.seq(images)
        return x


class Stage(nn.Module):
    """Blocks that keep the shape of their map, then the change to the shape of the next stage."""

    def __init__(self, blocks: Sequence[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.n_stops = len(self.blocks)
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, h, w) to (B, C', h', w')."""
        for block in self.blocks:
            give_way()
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class TinyViTBlock(nn.Module):
    """Attention within windows, a convolution across their borders, and an MLP."""

    def __init__(self, dim: int, num_heads: int, window_size: int) -> None:
        super().__init__()
        self.window_size = window_size
        self.attn = Attention(dim, num_heads, window_size)
        self.local_conv = ConvNorm(dim, dim, kernel_size=3, padding=1, groups=dim)
        self.mlp = Mlp(dim, 4 * dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, h, w) to (B, C, h, w)."""
        tokens = x.permute(0, 2, 3, 1)
        tokens = tokens + self.attend(tokens)
        tokens = self.local_conv(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        tokens = tokens + self.mlp(tokens)
        return tokens.permute(0, 3, 1, 2)

    def attend(self, tokens: torch.Tensor) -> torch.Tensor:
        """Mix tokens (B, h, w, C) within windows.

        The zeros that fill up the last windows come *before* the attention's norm, and are not
        masked: TinyViT was trained with them as keys.
        """
        windows = partition(tokens, self.window_size)
        mixed = self.attn(windows.flatten(1, 2)).view(windows.shape)
        return unpartition(mixed, *tokens.shape[1:3])


class Attention(nn.Module):
    """Multi-head self-attention in square windows, with a bias for each distance of two tokens."""

    def __init__(self, dim: int, num_heads: int, window_size: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.window_size = window_size
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.attention_biases = nn.Parameter(torch.zeros(num_heads, window_size**2))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Map the tokens of n windows, (n, L·L, C), to (n, L·L, C)."""
        biases = self.biases()
        n, length, dim = windows.shape
        groups = windows.split(at_a_time(windows, n, 3 * length * dim))
        return torch.cat([self.attend(group, biases) for group in groups])

    def attend(self, windows: torch.Tensor, biases: torch.Tensor) -> torch.Tensor:
        """Map (n, L·L, C) tokens, given the (1, heads, L·L, L·L) biases of their pairs."""
        qkv = self.qkv(self.norm(windows))  # query, key, value of a head stand side by side
        qkv = qkv.view(*qkv.shape[:2], self.num_heads, 3, -1)
        q, k, v = qkv.permute(3, 0, 2, 1, 4)  # each (n, heads, L·L, head dim)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=biases.to(q.dtype))
        tokens: torch.Tensor = self.proj(y.transpose(1, 2).flatten(2))
        return tokens

    def biases(self) -> torch.Tensor:
        """Spread the learned biases to all pairs of tokens, (1, heads, L·L, L·L)."""
        number = distances(self.window_size, self.attention_biases.device)
        return self.attention_biases[None, :, number]


def distances(size: int, device: torch.device) -> torch.Tensor:
    """Give equal distances of two cells equal numbers, rows first.

    Returns
    -------
    torch.Tensor
        (size², size²), ``size * |Δrow| + |Δcolumn|``, the cells in the order of rows.
    """
    index = torch.arange(size, device=device)
    distance = (index[:, None] - index).abs()
    number = size * distance[:, None, :, None] + distance[None, :, None, :]
    return number.view(size**2, size**2)


class Mlp(nn.Module):
    """Normalize, widen, activate, narrow."""

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.hidden_dim = hidden_dim
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, hidden_dim)
        self.fc2 = nn.Linear(hidden_dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map tokens (B, h, w, C) to (B, h, w, C)."""
        tokens = x.flatten(0, 2)
        groups = tokens.split(at_a_time(tokens, len(tokens), self.hidden_dim))
        mixed = [self.fc2(F.gelu(self.fc1(self.norm(group)))) for group in groups]
        return torch.cat(mixed).view(x.shape)
