"""The two-way transformer: prompt tokens and image exchange what they know."""

from __future__ import annotations

import torch
from torch import nn

from napari_sam.model.mlp import MLPBlock
from napari_sam.model.two_way_attention import (
    Attention,
    ImageToTokenAttention,
    TokenToImageAttention,
)


class TwoWayTransformer(nn.Module):
    """Alternate attention from tokens to image and from image to tokens.

    Parameters
    ----------
    depth, embed_dim, num_heads, mlp_dim : int
        Number of blocks, channels of tokens and image, attention heads, hidden channels of the
        MLPs.
    """

    def __init__(self, depth: int, embed_dim: int, num_heads: int, mlp_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(embed_dim, num_heads, mlp_dim, is_first=i == 0) for i in range(depth)
        )
        self.final_attn_token_to_image = TokenToImageAttention(embed_dim, num_heads, downsample=2)
        self.norm_final_attn = nn.LayerNorm(embed_dim)

    @property
    def blocks(self) -> list[TwoWayBlock]:
        """The blocks, in order."""
        return list(self.layers)  # type: ignore[arg-type]

    def forward(
        self, tokens: torch.Tensor, image: torch.Tensor, image_positions: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Update the tokens of N objects and each object's view of the image.

        Parameters
        ----------
        tokens : torch.Tensor
            (N, T, C); their initial values also serve as their positions at every attention.
        image : torch.Tensor
            (N, L, C), a vector per cell of the image embedding; (1, L, C) if all objects share it.
        image_positions : torch.Tensor
            (1, L, C).

        Returns
        -------
        tokens, image : torch.Tensor
            (N, T, C) and (N, L, C).
        """
        token_positions = tokens
        for block in self.blocks:
            tokens, image = block(tokens, image, token_positions, image_positions)
        tokens = tokens + self.final_attn_token_to_image(
            q=tokens + token_positions, k=image + image_positions, v=image
        )
        return self.norm_final_attn(tokens), image


class TwoWayBlock(nn.Module):
    """Tokens attend to themselves, then to the image, pass an MLP; then the image attends to them.

    In the first block the self-attention has neither positions, for the tokens are nothing else
    yet, nor a residual connection.
    """

    def __init__(self, dim: int, num_heads: int, mlp_dim: int, is_first: bool) -> None:
        super().__init__()
        self.is_first = is_first
        self.self_attn = Attention(dim, num_heads)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn_token_to_image = TokenToImageAttention(dim, num_heads, downsample=2)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLPBlock(dim, mlp_dim, nn.ReLU())
        self.norm3 = nn.LayerNorm(dim)
        self.cross_attn_image_to_token = ImageToTokenAttention(dim, num_heads, downsample=2)
        self.norm4 = nn.LayerNorm(dim)

    def forward(
        self,
        tokens: torch.Tensor,
        image: torch.Tensor,
        token_positions: torch.Tensor,
        image_positions: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Update (N, T, C) tokens and (N or 1, L, C) image, given their positions."""
        look, show = self.cross_attn_token_to_image, self.cross_attn_image_to_token
        keys = image + image_positions
        tokens = self.exchange(tokens, token_positions)
        tokens = self.take_in(tokens, look(q=tokens + token_positions, k=keys, v=image))
        image = image + show(q=keys, k=tokens + token_positions, v=tokens)
        return tokens, self.norm4(image)

    def exchange(self, tokens: torch.Tensor, token_positions: torch.Tensor) -> torch.Tensor:
        """Let the (N, T, C) tokens of each object attend to one another."""
        if self.is_first:
            tokens = self.self_attn(q=tokens, k=tokens, v=tokens)
        else:
            q = tokens + token_positions
            tokens = tokens + self.self_attn(q=q, k=q, v=tokens)
        return self.norm1(tokens)

    def take_in(self, tokens: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        """Add to (N, T, C) tokens what they have seen in the image, and let each think it over."""
        tokens = self.norm2(tokens + seen)
        return self.norm3(tokens + self.mlp(tokens))
