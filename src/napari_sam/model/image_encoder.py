"""The vision transformer that embeds an image for the Segment Anything Model.

Li et al. 2022, "Exploring plain vision transformer backbones for object detection": most blocks
attend within small square windows, a few over the whole image, and every attention knows where its
tokens stand relative to each other.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import nn

from napari_sam.model.layer_norm_2d import LayerNorm2d
from napari_sam.model.mlp import MLPBlock

MAX_BIAS_ELEMENTS = 1 << 22
"""Attention takes as many rows of queries at a time as keep their position bias below this."""


class ImageEncoderViT(nn.Module):
    """Turn images into embeddings with one vector per patch.

    Parameters
    ----------
    image_size, patch_size : int
        Sides of the square input and of a patch, in samples; the embedding has
        image_size / patch_size vectors a side.
    embed_dim, depth, num_heads : int
        Channels of a token, number of blocks, attention heads per block.
    global_blocks : collection of int
        Indices of the blocks that attend over the whole image.
    window_size : int
        Side of the windows of all other blocks, in patches.
    out_channels : int
        Channels of the embedding.
    """

    def __init__(
        self,
        image_size: int,
        patch_size: int,
        embed_dim: int,
        depth: int,
        num_heads: int,
        global_blocks: Collection[int],
        window_size: int,
        out_channels: int,
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.early_block = min(global_blocks, default=0)
        grid_size = image_size // patch_size
        self.patch_embed = PatchEmbed(patch_size, embed_dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid_size, grid_size, embed_dim))
        self.blocks = nn.ModuleList(
            Block(embed_dim, num_heads, grid_size)
            if i in global_blocks
            else WindowedBlock(embed_dim, num_heads, window_size)
            for i in range(depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(embed_dim, out_channels, kernel_size=1, bias=False),
            LayerNorm2d(out_channels),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(out_channels),
        )

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed (B, 3, image_size, image_size) normalized images.

        Returns
        -------
        embedding : torch.Tensor
            (B, out_channels, h, w).
        early : torch.Tensor
            (B, embed_dim, h, w), what the first block that attends over the whole image has made:
            finer detail, which HQ-SAM's mask decoder uses.
        """
        x = self.patch_embed(images) + self.pos_embed  # (B, h, w, C)
        early = x
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i == self.early_block:
                early = x
        return self.neck(x.permute(0, 3, 1, 2)), early.permute(0, 3, 1, 2)


class PatchEmbed(nn.Module):
    """Cut images into square patches and turn each into a token."""

    def __init__(self, patch_size: int, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (B, 3, H, W) to (B, H / patch, W / patch, C)."""
        tokens: torch.Tensor = self.proj(images)
        return tokens.permute(0, 2, 3, 1)


class Block(nn.Module):
    """A transformer block that attends over its whole grid of tokens."""

    def __init__(self, dim: int, num_heads: int, attention_size: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, num_heads, attention_size)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLPBlock(dim, 4 * dim, nn.GELU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map tokens (B, h, w, C) to (B, h, w, C)."""
        x = x + self.attend(self.norm1(x))
        y: torch.Tensor = x + self.mlp(self.norm2(x))
        return y

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        """Mix normalized tokens (B, h, w, C) by attention."""
        y: torch.Tensor = self.attn(x)
        return y


class WindowedBlock(Block):
    """A transformer block that attends within each square window of `window_size` tokens a side."""

    def __init__(self, dim: int, num_heads: int, window_size: int) -> None:
        super().__init__(dim, num_heads, attention_size=window_size)
        self.window_size = window_size

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        """Mix normalized tokens (B, h, w, C) by attention within windows."""
        height, width = x.shape[1:3]
        windows = partition(x, self.window_size)
        return unpartition(super().attend(windows), height, width)


def partition(x: torch.Tensor, size: int) -> torch.Tensor:
    """Cut tokens (B, h, w, C) into windows (B·n, size, size, C).

    The grid is padded with zeros at the bottom and the right to whole windows. The added tokens are
    not masked: SAM was trained with them as keys.
    """
    batch, height, width, dim = x.shape
    x = F.pad(x, (0, 0, 0, -width % size, 0, -height % size))
    rows, columns = x.shape[1] // size, x.shape[2] // size
    x = x.view(batch, rows, size, columns, size, dim).transpose(2, 3)
    return x.reshape(-1, size, size, dim)


def unpartition(windows: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Undo `partition`: join windows (B·n, size, size, C) to (B, height, width, C) tokens."""
    size, dim = windows.shape[2:]
    rows, columns = -(-height // size), -(-width // size)
    x = windows.view(-1, rows, columns, size, size, dim).transpose(2, 3)
    x = x.reshape(-1, rows * size, columns * size, dim)
    return x[:, :height, :width]


class Attention(nn.Module):
    """Multi-head self-attention on a square grid, with decomposed relative positions.

    The score of a query at (i, j) and a key at (i', j') is their scaled product plus
    ``q · rel_pos_h[i - i'] + q · rel_pos_w[j - j']`` with the query *not* scaled. The two tables
    are shared by all heads.
    """

    def __init__(self, dim: int, num_heads: int, size: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * size - 1, dim // num_heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * size - 1, dim // num_heads))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map tokens (B, L, L, C) to (B, L, L, C), L the grid's side."""
        batch, size, _, dim = x.shape
        qkv = self.qkv(x).view(batch, size, size, 3, self.num_heads, -1)
        q, k, v = qkv.permute(3, 0, 4, 1, 2, 5)  # each (B, heads, L, L, head dim)
        bias_h = torch.einsum("bnijd,ikd->bnijk", q, by_offset(self.rel_pos_h))
        bias_w = torch.einsum("bnijd,jkd->bnijk", q, by_offset(self.rel_pos_w))
        k, v = k.flatten(2, 3), v.flatten(2, 3)

        # A few rows of queries at a time, so that the bias of all against all is never in memory.
        n_rows = max(1, MAX_BIAS_ELEMENTS // (batch * self.num_heads * size**3))
        mixed = []
        for rows in (slice(i, i + n_rows) for i in range(0, size, n_rows)):
            bias = bias_h[:, :, rows, :, :, None] + bias_w[:, :, rows, :, None, :]
            bias = bias.flatten(4).flatten(2, 3)  # (B, heads, queries, L·L)
            queries = q[:, :, rows].flatten(2, 3)
            mixed.append(F.scaled_dot_product_attention(queries, k, v, attn_mask=bias))
        y = torch.cat(mixed, dim=2)  # (B, heads, L·L, head dim)
        tokens: torch.Tensor = self.proj(y.transpose(1, 2).reshape(batch, size, size, dim))
        return tokens


def by_offset(table: torch.Tensor) -> torch.Tensor:
    """Spread a (2L - 1, d) table to (L, L, d): its row i - k + L - 1 stands at [i, k]."""
    size = (len(table) + 1) // 2
    index = torch.arange(size, device=table.device)
    return table[index[:, None] - index[None, :] + size - 1]
