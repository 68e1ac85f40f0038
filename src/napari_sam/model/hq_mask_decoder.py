"""The mask decoder of HQ-SAM (Ke et al. 2023, arXiv 2306.01567)."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import nn

from napari_sam.model.layer_norm_2d import LayerNorm2d
from napari_sam.model.mask_decoder import MaskDecoder, products, to_sequence
from napari_sam.model.mlp import MLP
from napari_sam.model.upscaling import in_rows, upscaling


class HQMaskDecoder(MaskDecoder):
    """SAM's mask decoder, corrected by one more mask that also sees early features.

    The image encoder's early features still show thin and sharp structures that the embedding has
    lost. A token of its own reads them, and its logits are added to those of every mask of SAM.

    Parameters
    ----------
    embed_dim : int
        Channels of the image embedding and of the prompts.
    early_dim : int
        Channels of the early features.
    num_multimask : int
        As in `MaskDecoder`.
    """

    def __init__(self, embed_dim: int, early_dim: int, num_multimask: int = 3) -> None:
        super().__init__(embed_dim, num_multimask)
        pixel_dim = embed_dim // 8
        self.hf_token = nn.Embedding(1, embed_dim)
        self.hf_mlp = MLP(embed_dim, embed_dim, pixel_dim, n_layers=3)
        self.compress_vit_feat = upscaling(early_dim, embed_dim, pixel_dim)
        self.embedding_encoder = upscaling(embed_dim, embed_dim // 4, pixel_dim)
        self.embedding_maskfeature = nn.Sequential(
            nn.Conv2d(pixel_dim, 2 * pixel_dim, kernel_size=3, padding=1),
            LayerNorm2d(2 * pixel_dim),
            nn.GELU(),
            nn.Conv2d(2 * pixel_dim, pixel_dim, kernel_size=3, padding=1),
        )

    def feature_maps(
        self, embedding: torch.Tensor, early: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """Return the embedding and what both maps say of fine detail, which no prompt changes.

        Parameters
        ----------
        embedding : torch.Tensor
            (B, C, h, w).
        early : torch.Tensor
            (B, early_dim, h, w).

        Returns
        -------
        embedding : torch.Tensor
            The same.
        hq_features : torch.Tensor
            (B, C / 8, 4h, 4w).
        """
        fine = self.embedding_encoder(to_sequence(embedding)[:, :, None])
        fine = fine + self.compress_vit_feat(to_sequence(early)[:, :, None])
        return embedding, in_rows(fine, *embedding.shape[2:])

    def output_tokens(self) -> torch.Tensor:
        """Return the tokens that precede the prompts: SAM's, then that of the HQ mask."""
        return torch.cat([super().output_tokens(), self.hf_token.weight])

    def masks(
        self,
        tokens: torch.Tensor,
        image: Iterable[torch.Tensor],
        maps: tuple[torch.Tensor, ...],
        chosen: range,
    ) -> torch.Tensor:
        """Return the sums of the chosen masks of SAM and the HQ mask, (N, M, 4h, 4w)."""
        grid = maps[0].shape[2:]
        pixels = self.output_upscaling(torch.cat([*image], dim=1)[:, :, None])
        logits = in_rows(products(pixels, self.weights(tokens, chosen)), *grid)
        hq_token = tokens[:, 1 + len(self.mask_tokens.weight)]
        pixels_in_rows = in_rows(pixels, *grid).float()
        return logits + self.hq_logits(self.hf_mlp(hq_token), pixels_in_rows, maps[1])

    def hq_logits(
        self, weights: torch.Tensor, pixels: torch.Tensor, hq_features: torch.Tensor
    ) -> torch.Tensor:
        """Return the products of (N, C / 8) weights with every pixel, (N, 1, 4h, 4w).

        A pixel is what the last convolution of `embedding_maskfeature` makes of its neighborhood,
        plus its `hq_features`. Both are linear, so the weights are multiplied with the kernel
        instead: one number, not C / 8, for each of the nine places it reads from, which `fold`
        shifts to where they belong and sums up.
        """
        widen, norm, gelu, narrow = self.embedding_maskfeature
        hidden = gelu(norm(widen(pixels)))  # (N, C / 4, 4h, 4w)
        weight, bias = narrow.get_parameter("weight"), narrow.get_parameter("bias")
        kernel = torch.einsum("nc,cdyx->nyxd", weights, weight).flatten(1, 2)
        # What a pixel reads from its first neighbor is what that neighbor gives to its last.
        shares = torch.einsum("npd,ndhw->nphw", kernel.flip(1), hidden).flatten(2)
        summed = F.fold(shares, pixels.shape[2:], kernel_size=3, padding=1)
        rest = torch.einsum("nc,chw->nhw", weights, hq_features[0] + bias[:, None, None])
        return summed + rest[:, None]
