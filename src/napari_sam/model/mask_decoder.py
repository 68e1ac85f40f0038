"""Masks and their predicted quality, from an image embedding and embedded prompts."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from napari_sam.model.mlp import MLP
from napari_sam.model.transformer import TwoWayTransformer
from napari_sam.model.upscaling import in_rows, upscaling
from napari_sam.model.working_memory import at_a_time


class MaskDecoder(nn.Module):
    """Predict masks at four times the resolution of the image embedding.

    Parameters
    ----------
    embed_dim : int
        Channels of the image embedding and of the prompts.
    num_multimask : int
        Masks for an ambiguous prompt; one more token answers prompts that are not.
    """

    def __init__(self, embed_dim: int, num_multimask: int = 3) -> None:
        super().__init__()
        n_masks = num_multimask + 1
        self.transformer = TwoWayTransformer(2, embed_dim, num_heads=8, mlp_dim=2048)
        self.iou_token = nn.Embedding(1, embed_dim)
        self.mask_tokens = nn.Embedding(n_masks, embed_dim)
        self.output_upscaling = nn.Sequential(
            *upscaling(embed_dim, embed_dim // 4, embed_dim // 8), nn.GELU()
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(embed_dim, embed_dim, embed_dim // 8, n_layers=3) for _ in range(n_masks)
        )
        self.iou_prediction_head = MLP(embed_dim, 256, n_masks, n_layers=3)

    def feature_maps(
        self, embedding: torch.Tensor, early: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Choose from the image encoder's two maps what `forward` needs of an image."""
        return (embedding,)

    def forward(
        self,
        maps: tuple[torch.Tensor, ...],
        image_positions: torch.Tensor,
        sparse: torch.Tensor,
        dense: torch.Tensor,
        multimask: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Predict the masks of N objects in one image.

        Parameters
        ----------
        maps : tuple of torch.Tensor
            Those of `feature_maps`; the first is the image embedding, (1, C, h, w).
        image_positions : torch.Tensor
            (1, C, h, w).
        sparse : torch.Tensor
            (N, T, C) embedded points and boxes.
        dense : torch.Tensor
            (N or 1, C, h, w) embedded masks.
        multimask : bool
            Whether to return the masks for an ambiguous prompt, or the single one.

        Returns
        -------
        logits : torch.Tensor
            (N, M, 4h, 4w).
        predicted_iou : torch.Tensor
            (N, M).
        """
        image, positions = to_sequence(maps[0] + dense), to_sequence(image_positions)
        tokens, image = self.transformer(self.tokens(sparse), image, positions)
        chosen = range(1, len(self.mask_tokens.weight)) if multimask else range(1)
        logits = self.masks(tokens, self.parts(image), maps, chosen)
        return logits, self.predicted_iou(tokens)[:, chosen]

    def tokens(self, sparse: torch.Tensor) -> torch.Tensor:
        """Return the output tokens and (N, T, C) prompts of N objects."""
        return torch.cat([self.output_tokens().expand(len(sparse), -1, -1), sparse], dim=1)

    def parts(self, image: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Cut (N, h · w, C) cells into parts of which the pixels stay in a CPU's cache."""
        n, n_cells, channels = image.shape
        return image.split(at_a_time(image, n_cells, 2 * max(1, n) * channels), dim=1)

    def predicted_iou(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the predicted IoU of all masks, (N, 1 + M), before any of them is made."""
        predicted: torch.Tensor = self.iou_prediction_head(tokens[:, 0])
        return predicted

    def masks(
        self,
        tokens: torch.Tensor,
        image: Iterable[torch.Tensor],
        maps: tuple[torch.Tensor, ...],
        chosen: range,
    ) -> torch.Tensor:
        """Return the chosen masks: the products of their tokens with every pixel.

        Cells are upscaled some at a time, for pixels need much memory, and their logits little.

        Parameters
        ----------
        tokens : torch.Tensor
            (N, T, C), as the transformer returns them; the output tokens are enough.
        image : iterable of torch.Tensor
            Parts (N, c, C), together the h · w cells that the transformer returns.
        maps : tuple of torch.Tensor
            As for `forward`.
        chosen : range
            Of the mask tokens.

        Returns
        -------
        torch.Tensor
            (N, len(chosen), 4h, 4w) logits, float32.
        """
        weights = self.weights(tokens, chosen)
        logits = [products(self.output_upscaling(x[:, :, None]), weights) for x in image]
        return in_rows(torch.cat(logits, dim=1), *maps[0].shape[2:]).float().contiguous()

    def weights(self, tokens: torch.Tensor, chosen: range) -> torch.Tensor:
        """Return by what the chosen masks multiply pixels, (N, len(chosen), C / 8)."""
        mlps = self.output_hypernetworks_mlps
        return torch.stack([mlps[i](tokens[:, 1 + i]) for i in chosen], dim=1)

    def output_tokens(self) -> torch.Tensor:
        """Return the tokens that precede the prompts: of the predicted IoU, then of the masks."""
        return torch.cat([self.iou_token.weight, self.mask_tokens.weight])


def products(pixels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return the logits (N, L, P, M) of pixels (N, L, P, C') in patches, by weights (N, M, C')."""
    return torch.einsum("nlpc,nmc->nlpm", pixels, weights.to(pixels.dtype))


def to_sequence(maps: torch.Tensor) -> torch.Tensor:
    """Rearrange (N, C, h, w) to (N, h · w, C)."""
    return maps.flatten(2).mT.contiguous()
