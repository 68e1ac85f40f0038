"""Masks and their predicted quality, from an image embedding and embedded prompts."""

from __future__ import annotations

import torch
from torch import nn

from napari_sam.model.layer_norm_2d import LayerNorm2d
from napari_sam.model.mlp import MLP
from napari_sam.model.transformer import TwoWayTransformer


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
            nn.ConvTranspose2d(embed_dim, embed_dim // 4, kernel_size=2, stride=2),
            LayerNorm2d(embed_dim // 4),
            nn.GELU(),
            nn.ConvTranspose2d(embed_dim // 4, embed_dim // 8, kernel_size=2, stride=2),
            nn.GELU(),
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
        (image_embedding,) = maps
        n, (height, width) = len(sparse), image_embedding.shape[2:]
        output_tokens = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([output_tokens.expand(n, -1, -1), sparse], dim=1)  # (N, 5 + T, C)
        image = (image_embedding + dense).expand(n, -1, -1, -1)
        tokens, image = self.transformer(tokens, to_sequence(image), to_sequence(image_positions))

        image = image.transpose(1, 2).unflatten(2, (height, width))  # (N, C, h, w)
        upscaled = self.output_upscaling(image)  # (N, C / 8, 4h, 4w)
        chosen = slice(1, None) if multimask else slice(0, 1)
        weights = torch.stack(
            [
                mlp(tokens[:, 1 + i])
                for i, mlp in list(enumerate(self.output_hypernetworks_mlps))[chosen]
            ],
            dim=1,
        )  # (N, M, C / 8)
        logits = torch.einsum("nmc,nchw->nmhw", weights, upscaled)
        return logits, self.iou_prediction_head(tokens[:, 0])[:, chosen]


def to_sequence(maps: torch.Tensor) -> torch.Tensor:
    """Rearrange (N, C, h, w) to (N, h·w, C)."""
    return maps.flatten(2).transpose(1, 2)
