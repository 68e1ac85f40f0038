"""Mask decoder of ``nano``: SAM's two-way transformer at 128 channels, prompted by tokens and maps.

Tokens say what a prompt is; maps say where it is, on the grid on which the mask is decided. With
tokens alone a network of this size hardly learns to tell one cell from its neighbor.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.model.nano_encoder import ChannelNorm
from napari_sam.model.transformer import TwoWayTransformer

POINT_SIGMA = 6.0
"""Width of the blob that marks a point, in samples of the window."""


def fourier_features(xy: Tensor, frequencies: Tensor) -> Tensor:
    """Positional encoding (Tancik et al. 2020): (..., 2) positions → (..., 2 · n) features."""
    phase = 2 * math.pi * xy @ frequencies
    return torch.cat([phase.sin(), phase.cos()], dim=-1)


def cell_centers(height: int, width: int, stride: int, device: torch.device) -> Tensor:
    """(h, w, 2) positions (x, y) of the cell centers of a grid, in samples of the window."""
    y = torch.arange(height, device=device) * stride + (stride - 1) / 2
    x = torch.arange(width, device=device) * stride + (stride - 1) / 2
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


class PromptMaps(nn.Module):
    """Draw prompts on the grid of the detail map and reduce them to the grid of the embedding."""

    def __init__(self, embed_dim: int, hidden_dim: int = 32) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(5, hidden_dim, 3, stride=2, padding=1)
        self.conv2 = nn.Conv2d(hidden_dim, embed_dim, 3, padding=1)

    def draw(
        self, centers: Tensor, points: Tensor, labels: Tensor, box: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Positive points, negative points, inside of the box, previous mask, is there one."""
        offset = centers[None, None] - points[:, :, None, None]  # (N, P, h, w, 2)
        blobs = torch.exp(-offset.square().sum(-1) / (2 * POINT_SIGMA**2))
        shown = [
            (blobs * (labels == sign)[:, :, None, None]).amax(1, keepdim=True) for sign in (1, 0)
        ]
        corners = box[:, None, None]  # NaN compares as outside
        above, below = centers >= corners[..., :2], centers <= corners[..., 2:]
        shown.append((above & below).all(-1)[:, None].to(blobs.dtype))
        if mask is None:
            shown += [torch.zeros_like(shown[0])] * 2
        else:
            shown += [torch.tanh(F.avg_pool2d(mask, 2) / 2), torch.ones_like(shown[0])]
        return torch.cat(shown, dim=1)

    def forward(self, drawn: Tensor) -> Tensor:
        """(N, 5, 2h, 2w) drawn prompts → (N, C, h, w)."""
        drawn = drawn.contiguous(memory_format=torch.channels_last)
        return self.conv2(F.relu(self.conv1(drawn)))


class MaskQuality(nn.Module):
    """Predict the IoU of each mask from its token and from what the pixels show where it lies.

    Looking at the mask itself (Huang et al. 2019) ranks candidates better than the token alone: a
    good mask has one kind of pixel inside, another just outside, and a sharp edge between them.
    """

    def __init__(self, embed_dim: int, pixel_dim: int, hidden_dim: int = 192) -> None:
        super().__init__()
        self.lin1 = nn.Linear(embed_dim + 3 * pixel_dim + 4, hidden_dim)
        self.lin2 = nn.Linear(hidden_dim, hidden_dim)
        self.lin3 = nn.Linear(hidden_dim, 1)

    def forward(self, tokens: Tensor, logits: Tensor, pixels: Tensor) -> Tensor:
        """Tokens (N, M, C), logits (N, M, h, w), pixels (N, C', h, w) → logits of IoU (N, M)."""
        inside = torch.sigmoid(logits)
        edge = inside * (1 - inside)
        around = F.max_pool2d(inside, 3, stride=1, padding=1) - inside
        regions = torch.stack([inside, edge, around], 2).flatten(3)  # (N, M, 3, hw)
        area = regions.sum(-1)
        means = regions.flatten(1, 2) @ pixels.flatten(2).transpose(1, 2)  # (N, M · 3, C')
        means = means.view(*regions.shape[:3], -1) / (area[..., None] + 1.0)
        certainty = inside.square().sum((2, 3)) / (area[..., 0] + 1.0)
        stability = (logits > 1).sum((2, 3)) / (logits > -1).sum((2, 3)).clamp(min=1)
        size = area[..., 0].add(1.0)
        edge_share = area[..., 1] / size.sqrt()
        scalars = torch.stack([certainty, stability, edge_share, size.log() / 10], dim=-1)
        seen = torch.cat([tokens, means.flatten(2), scalars], dim=-1)
        hidden = F.relu(self.lin2(F.relu(self.lin1(seen))))
        return self.lin3(hidden).squeeze(-1)


class NanoMaskDecoder(nn.Module):
    """Prompts and features → four masks (one for a clear prompt, three for an ambiguous one).

    Logits have stride 2: each mask token yields four vectors, one for each quarter of a cell of
    the stride-4 map, so that no map at stride 2 is ever made.
    """

    N_MASKS = 4

    def __init__(
        self,
        embed_dim: int = 128,
        detail_dim: int = 32,
        n_heads: int = 4,
        mlp_dim: int = 512,
        pixel_dim: int = 32,
        position_scale: float = 512.0,
    ) -> None:
        super().__init__()
        self.position_scale = position_scale
        self.frequencies: Tensor
        self.register_buffer("frequencies", torch.randn(2, embed_dim // 2))
        self.prompt_embed = nn.Embedding(5, embed_dim)  # negative, positive, two corners, nothing
        self.prompt_maps = PromptMaps(embed_dim)
        self.mask_tokens = nn.Embedding(self.N_MASKS, embed_dim)
        self.transformer = TwoWayTransformer(2, embed_dim, n_heads, mlp_dim)
        self.upscale = nn.ConvTranspose2d(embed_dim, pixel_dim, 2, stride=2)
        self.skip = nn.Conv2d(detail_dim, pixel_dim, 1)
        self.norm = ChannelNorm(pixel_dim)
        self.mix = nn.Conv2d(pixel_dim, pixel_dim, 3, padding=1)
        self.hypernetworks = nn.ModuleList(
            nn.Sequential(
                nn.Linear(embed_dim, embed_dim),
                nn.ReLU(),
                nn.Linear(embed_dim, 4 * pixel_dim),
            )
            for _ in range(self.N_MASKS)
        )
        self.quality = MaskQuality(embed_dim, pixel_dim)

    def embed_position(self, xy: Tensor) -> Tensor:
        """(..., 2) samples → (..., C)."""
        return fourier_features((xy + 0.5) / self.position_scale * 2 - 1, self.frequencies)

    def embed_prompts(self, points: Tensor, labels: Tensor, box: Tensor) -> Tensor:
        """Tokens (N, P + 2, C): points, then the two corners of the box."""
        corners = box.view(-1, 2, 2)
        corner_kinds = torch.where(
            corners.isnan().any(-1), 4, torch.tensor([2, 3], device=box.device)
        )
        kinds = torch.cat([torch.where(labels < 0, 4, labels), corner_kinds], dim=1)
        positions = torch.cat([points, corners], dim=1).nan_to_num()
        located = self.embed_position(positions) * (kinds < 4)[..., None]
        return located + self.prompt_embed(kinds)

    def forward(
        self,
        embedding: Tensor,
        detail: Tensor,
        points: Tensor,
        labels: Tensor,
        box: Tensor,
        mask: Tensor | None,
        origin: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Decode N prompts, each with features of its own.

        Parameters
        ----------
        embedding, detail : (N, 128, h, w) and (N, 32, 2h, 2w) tensors
        points : (N, P, 2) tensor
            (x, y) in samples of the window.
        labels : (N, P) integer tensor
            1 positive, 0 negative, -1 nothing.
        box : (N, 4) tensor
            (x0, y0, x1, y1); NaN where an object has none.
        mask : (N, 1, 4h, 4w) tensor or None
            Logits of the previous round.
        origin : (2,) or (N, 2) tensor or None
            (x, y) of the features in a larger window. Training draws it, so that small crops teach
            the codes of all positions.

        Returns
        -------
        logits : (N, 4, 4h, 4w) tensor
        predicted_iou : (N, 4) tensor
        """
        n, _, height, width = embedding.shape
        device = embedding.device
        fine_centers = cell_centers(2 * height, 2 * width, 4, device)
        drawn = self.prompt_maps.draw(fine_centers, points, labels, box, mask)
        embedding = embedding + self.prompt_maps(drawn)
        origin = torch.zeros(1, 2, device=device) if origin is None else origin.view(-1, 2)
        centers = cell_centers(height, width, 8, device) + origin[:, None, None]
        position = self.embed_position(centers).flatten(1, 2)  # (1 or N, hw, C)

        tokens = self.mask_tokens.weight.expand(n, -1, -1)
        located = points + origin[:, None], labels, box + origin.repeat(1, 2)
        tokens = torch.cat([tokens, self.embed_prompts(*located)], dim=1)
        cells = embedding.flatten(2).transpose(1, 2)  # (N, hw, C)
        tokens, pixels = self.transformer(tokens, cells, position)
        tokens = tokens[:, : self.N_MASKS]

        pixels = pixels.view(n, height, width, -1).permute(0, 3, 1, 2)
        pixels = self.norm(self.upscale(pixels) + self.skip(detail))
        pixels = pixels + self.mix(F.relu(pixels))
        weights = torch.stack([net(tokens[:, i]) for i, net in enumerate(self.hypernetworks)], 1)
        quarters = weights.view(n, 4 * self.N_MASKS, -1) @ pixels.flatten(2)
        quarters = quarters.view(n, 4 * self.N_MASKS, 2 * height, 2 * width).float()
        logits = F.pixel_shuffle(quarters, 2)  # (N, 4, 4h, 4w)

        coarse = quarters.view(n, self.N_MASKS, 4, 2 * height, 2 * width).mean(2)
        return logits, self.quality(tokens, coarse.detach(), pixels).sigmoid()
