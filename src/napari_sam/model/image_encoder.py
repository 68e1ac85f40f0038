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

from napari_sam.model.interrupt import give_way
from napari_sam.model.layer_norm_2d import LayerNorm2d
from napari_sam.model.mlp import MLPBlock
from napari_sam.model.working_memory import at_a_time

MAX_BIAS_ELEMENTS = 1 << 27
"""On a GPU, attention takes as many rows of queries at a time as keep their biases below this."""


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
        return self.neck(x.permute(0, 3, 1, 2)).float(), early.permute(0, 3, 1, 2).float()


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

    n_stops = 2

    def __init__(self, dim: int, num_heads: int, attention_size: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, num_heads, attention_size)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MLPBlock(dim, 4 * dim, nn.GELU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map tokens (B, h, w, C) to (B, h, w, C)."""
        give_way()
        x = x + self.attend(self.norm1(x))
        give_way()
        tokens = x.flatten(0, 2)
        groups = tokens.split(at_a_time(tokens, len(tokens), self.mlp.lin1.out_features))
        return torch.cat([group + self.mlp(self.norm2(group)) for group in groups]).view(x.shape)

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
        batch, height, width, dim = x.shape
        window_row = batch * self.window_size * width * 3 * dim  # elements of its q, k and v
        n_window_rows = at_a_time(x, -(-height // self.window_size), window_row)
        strips = x.split(n_window_rows * self.window_size, dim=1)
        return torch.cat([self.attend_strip(strip) for strip in strips], dim=1)

    def attend_strip(self, x: torch.Tensor) -> torch.Tensor:
        """Mix some rows of windows, (B, h, w, C).

        The tokens that fill up the last windows are zeros before the projection to q, k and v, and
        hence its bias after it: there they cost nothing. They are not masked: SAM was trained with
        them as keys.
        """
        windows = partition(self.attn.qkv(x), self.window_size, self.attn.qkv.bias)
        mixed = unpartition(self.attn.mix(windows), *x.shape[1:3]).contiguous()
        tokens: torch.Tensor = self.attn.proj(mixed)
        return tokens


def partition(x: torch.Tensor, size: int, filling: torch.Tensor | None = None) -> torch.Tensor:
    """Cut tokens (B, h, w, C) into windows (B·n, size, size, C).

    The last windows are filled up at the bottom and the right with a token (C,), zeros by default.
    """
    batch, height, width, dim = x.shape
    filling = x.new_zeros(dim) if filling is None else filling.to(x.dtype)
    x = torch.cat([x, filling.expand(batch, height, -width % size, dim)], dim=2)
    x = torch.cat([x, filling.expand(batch, -height % size, x.shape[2], dim)], dim=1)
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
        tokens: torch.Tensor = self.proj(self.mix(self.qkv(x)))
        return tokens

    def mix(self, qkv: torch.Tensor) -> torch.Tensor:
        """Average values (B, L, L, C), given queries, keys and values (B, L, L, 3·C)."""
        batch, size = qkv.shape[:2]
        qkv = qkv.view(batch, size, size, 3, self.num_heads, -1).permute(3, 0, 4, 1, 2, 5)
        q, k, v = (x.contiguous() for x in qkv.flatten(1, 2))  # (B·heads, L, L, head dim)
        bias_h = torch.einsum("nijd,ikd->nijk", q, by_offset(self.rel_pos_h))
        bias_w = torch.einsum("nijd,jkd->nijk", q, by_offset(self.rel_pos_w))
        mix_heads = mix_by_rows if is_plain_cpu(qkv.device) else mix_fused
        y = mix_heads(q, k.flatten(1, 2), v.flatten(1, 2), bias_h, bias_w)
        y = y.view(batch, self.num_heads, size, size, -1)
        return y.permute(0, 2, 3, 1, 4).flatten(3)


def is_plain_cpu(device: torch.device) -> bool:
    """Tell whether to work step by step in memory of our own: no GPU, gradient or compiler."""
    is_planned = torch.is_grad_enabled() or torch.compiler.is_compiling()
    return device.type == "cpu" and not is_planned


def mix_by_rows(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias_h: torch.Tensor, bias_w: torch.Tensor
) -> torch.Tensor:
    """Attend head by head, a few rows of queries at a time, so that scores stay in a CPU's cache.

    Parameters
    ----------
    q : torch.Tensor
        (N, L, L, head dim); N is batch times heads.
    k, v : torch.Tensor
        (N, L·L, head dim).
    bias_h, bias_w : torch.Tensor
        (N, L, L, L): what each query adds to the scores of each row, and of each column, of keys.

    Returns
    -------
    torch.Tensor
        (N, L, L, head dim).
    """
    size, head_dim = q.shape[2:]
    n_rows = at_a_time(q, size, size**3)
    buffer = q.new_empty(n_rows, size, size, size)
    mixed = torch.empty_like(q)
    for i in range(len(q)):
        for rows in (slice(j, j + n_rows) for j in range(0, size, n_rows)):
            row_bias, column_bias = bias_h[i, rows, :, :, None], bias_w[i, rows, :, None, :]
            scores = torch.add(row_bias, column_bias, out=buffer[: len(row_bias)]).flatten(2)
            scores = scores.flatten(0, 1)  # (queries, L·L), still in the buffer
            scores.addmm_(q[i, rows].flatten(0, 1), k[i].mT, alpha=head_dim**-0.5)
            torch.softmax(scores, dim=-1, out=scores)
            torch.mm(scores, v[i], out=mixed[i, rows].flatten(0, 1))
    return mixed


def mix_fused(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, bias_h: torch.Tensor, bias_w: torch.Tensor
) -> torch.Tensor:
    """Attend with torch's fused kernel, as `mix_by_rows`, which is faster on a CPU."""
    size = q.shape[2]
    n_rows = max(1, MAX_BIAS_ELEMENTS // (len(q) * size**3))
    if torch.compiler.is_compiling():  # plans the use of memory itself
        n_rows = size
    mixed = []
    for rows in (slice(i, i + n_rows) for i in range(0, size, n_rows)):
        bias = bias_h[:, rows, :, :, None] + bias_w[:, rows, :, None, :]
        bias = bias.flatten(3).flatten(1, 2)  # (N, queries, L·L)
        queries = q[:, rows].flatten(1, 2)
        mixed.append(F.scaled_dot_product_attention(queries, k, v, attn_mask=bias))
    return torch.cat(mixed, dim=1).view(q.shape)


def by_offset(table: torch.Tensor) -> torch.Tensor:
    """Spread a (2L - 1, d) table to (L, L, d): its row i - k + L - 1 stands at [i, k]."""
    size = (len(table) + 1) // 2
    index = torch.arange(size, device=table.device)
    return table[index[:, None] - index[None, :] + size - 1]
