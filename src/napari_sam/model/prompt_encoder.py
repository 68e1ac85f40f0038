"""Points, boxes and masks as embeddings that the mask decoder attends to."""

from __future__ import annotations

import math

import torch
from torch import nn

from napari_sam.model.layer_norm_2d import LayerNorm2d

NEGATIVE, POSITIVE, TOP_LEFT, BOTTOM_RIGHT = range(4)
"""Which of the `point_embeddings` tells what a point is."""


class PromptEncoder(nn.Module):
    """Turn prompts into sparse tokens (points, boxes) and a dense embedding (masks).

    Parameters
    ----------
    embed_dim : int
        Channels of every embedding.
    image_size : int
        Side of the padded window, in samples.
    grid_size : int
        Side of the image embedding; a mask prompt has four times as many samples a side.
    mask_channels : int
        Channels of the last hidden layer for mask prompts.
    """

    def __init__(
        self, embed_dim: int, image_size: int, grid_size: int, mask_channels: int = 16
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.grid_size = grid_size
        self.pe_layer = FourierPositions(embed_dim)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, embed_dim) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, embed_dim)
        self.no_mask_embed = nn.Embedding(1, embed_dim)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            nn.Conv2d(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            nn.Conv2d(mask_channels, embed_dim, kernel_size=1),
        )

    def forward(
        self,
        points: torch.Tensor | None,
        labels: torch.Tensor | None,
        box: torch.Tensor | None,
        mask: torch.Tensor | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Embed the prompts of N objects; shapes as in `Model.decode`.

        Returns
        -------
        sparse : torch.Tensor
            (N, T, embed_dim), T tokens: the points, then padding or the corners of the box.
        dense : torch.Tensor
            (N, embed_dim, grid_size, grid_size), or (1, ...) when there is no mask.
        """
        n = next((len(p) for p in (points, box, mask) if p is not None), 1)
        sparse = [self.no_mask_embed.weight.new_zeros(n, 0, self.no_mask_embed.embedding_dim)]
        if points is not None and labels is not None:
            sparse.append(self.embed_points(points, labels))
            if box is None:  # SAM was trained with this token in the place of a box
                sparse.append(self.not_a_point_embed.weight.expand(n, 1, -1))
        if box is not None:
            sparse.append(self.embed_box(box))
        return torch.cat(sparse, dim=1), self.embed_mask(mask)

    def embed_points(self, points: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Embed (N, P, 2) points with (N, P) labels 1, 0 or -1 as (N, P, embed_dim)."""
        embedded = self.embed_positions(points) + self.kinds(NEGATIVE, POSITIVE)[labels.clamp(0)]
        return torch.where(labels[..., None] == -1, self.not_a_point_embed.weight, embedded)

    def embed_box(self, box: torch.Tensor) -> torch.Tensor:
        """Embed (N, 4) boxes by their two corners as (N, 2, embed_dim)."""
        corners = box.reshape(-1, 2, 2)
        return self.embed_positions(corners) + self.kinds(TOP_LEFT, BOTTOM_RIGHT)

    def kinds(self, *kinds: int) -> torch.Tensor:
        """Return the embeddings of kinds of points, (len(kinds), embed_dim)."""
        return torch.cat([self.point_embeddings[kind].get_parameter("weight") for kind in kinds])

    def embed_mask(self, mask: torch.Tensor | None) -> torch.Tensor:
        """Embed (N, 1, 4·grid, 4·grid) logits, or their absence, on the embedding's grid."""
        if mask is None:
            absent = self.no_mask_embed.weight.view(1, -1, 1, 1)
            return absent.expand(-1, -1, self.grid_size, self.grid_size)
        dense: torch.Tensor = self.mask_downscaling(mask)
        return dense

    def embed_positions(self, xy: torch.Tensor) -> torch.Tensor:
        """Encode (..., 2) window samples; sample centers are at integers, hence the half."""
        positions: torch.Tensor = self.pe_layer((xy + 0.5) / self.image_size)
        return positions

    def grid_positions(self) -> torch.Tensor:
        """Encode the centers of the embedding's cells as (1, embed_dim, grid_size, grid_size)."""
        return self.pe_layer.of_grid(self.grid_size)


class FourierPositions(nn.Module):
    """Encode positions by sines and cosines of random projections (Tancik et al. 2020)."""

    positional_encoding_gaussian_matrix: torch.Tensor

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        matrix = torch.randn(2, embed_dim // 2)
        self.register_buffer("positional_encoding_gaussian_matrix", matrix)
        self._grid, self._matrix_of_grid = torch.empty(0), torch.empty(0)

    def forward(self, xy: torch.Tensor) -> torch.Tensor:
        """Map (..., 2) positions, (x, y) as fractions of the window, to (..., embed_dim)."""
        phase = 2 * math.pi * ((2 * xy - 1) @ self.positional_encoding_gaussian_matrix)
        return torch.cat([phase.sin(), phase.cos()], dim=-1)

    @torch.inference_mode(False)
    @torch.no_grad()
    def of_grid(self, size: int) -> torch.Tensor:
        """Encode the centers of size by size cells over the window, (1, embed_dim, size, size).

        The same for every prompt, so the last result is kept while the matrix stays as it is.
        """
        matrix = self.positional_encoding_gaussian_matrix
        kept = self._matrix_of_grid
        is_current = kept.device == matrix.device and torch.equal(kept, matrix)
        if not is_current or self._grid.shape[-1] != size:
            centers = (torch.arange(size, device=matrix.device) + 0.5) / size
            x, y = torch.meshgrid(centers, centers, indexing="xy")
            self._grid = self(torch.stack([x, y], dim=-1)).permute(2, 0, 1)[None]
            self._matrix_of_grid = matrix.clone()
        return self._grid
