"""Attention between the few tokens of an object and the many cells of an image.

Projecting the cells costs most of the time of a plain attention. Matrix products may be taken in
any order, so the projections move to the tokens: the score of token ``t`` and cell ``x`` is
``(W_q t) · (W_k x) = (W_kᵀ W_q t) · x``, and a weighted sum of values ``Σ p (W_v x)`` is
``W_v (Σ p x)``. The results are equal; what a token is multiplied with, though, now has all
channels of the image in every head, so this pays while there are fewer tokens than channels in a
head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    """Multi-head attention whose inner dimension may be smaller than that of its tokens."""

    def __init__(self, dim: int, num_heads: int, downsample: int = 1) -> None:
        super().__init__()
        inner_dim = dim // downsample
        self.num_heads = num_heads
        self.head_dim = inner_dim // num_heads
        self.q_proj = nn.Linear(dim, inner_dim)
        self.k_proj = nn.Linear(dim, inner_dim)
        self.v_proj = nn.Linear(dim, inner_dim)
        self.out_proj = nn.Linear(inner_dim, dim)

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Attend from queries (N, T, C) to keys (N, S, C) with values (N, S, C): (N, T, C).

        Queries, or keys and values, of batch size 1 are shared by all N.
        """
        n = max(len(q), len(k))
        q = self.project(self.q_proj, q).expand(n, -1, -1, -1)
        k = self.project(self.k_proj, k).expand(n, -1, -1, -1)
        v = self.project(self.v_proj, v).expand(n, -1, -1, -1)
        y = F.scaled_dot_product_attention(q, k, v)  # (N, heads, T, inner / heads)
        mixed: torch.Tensor = self.out_proj(y.transpose(1, 2).flatten(2))
        return mixed

    def project(self, projection: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        """Return the (N, heads, T, inner / heads) queries, keys or values of (N, T, C)."""
        return self.split_heads(projection(x)).transpose(1, 2)

    def split_heads(self, x: torch.Tensor) -> torch.Tensor:
        """View (N, T, inner) as (N, T, heads, inner / heads)."""
        return x.unflatten(2, (self.num_heads, self.head_dim))

    def weight_of_heads(self, projection: nn.Linear) -> torch.Tensor:
        """View the weight of a projection to q, k or v as (heads, inner / heads, C)."""
        return projection.weight.unflatten(0, (self.num_heads, self.head_dim))


class TokenToImageAttention(Attention):
    """Attention from tokens to an image."""

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Attend from (N, T, C) tokens to (N or 1, L, C) cells: (N, T, C)."""
        tokens = in_one_row(q, image=k)
        is_few = tokens.shape[1] < self.head_dim
        attend = self.attend_unprojected if is_few else super().forward
        return attend(tokens, k, v).reshape(q.shape)

    def attend_unprojected(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Attend without a projection of the image.

        The bias of the keys adds the same to every score of a query, which softmax ignores; that of
        the values is added in the end, for the weights of a query sum to 1.
        """
        seen = (self.unprojected_queries(q) @ k.mT).softmax(dim=2) @ v
        return self.mixed(seen)

    def unprojected_queries(self, q: torch.Tensor) -> torch.Tensor:
        """Return what of a cell each head looks for, for (N, T, C) tokens: (N, T · heads, C)."""
        q = self.split_heads(self.q_proj(q)) / self.head_dim**0.5
        return torch.einsum("nthd,hdc->nthc", q, self.weight_of_heads(self.k_proj)).flatten(1, 2)

    def mixed(self, seen: torch.Tensor) -> torch.Tensor:
        """Return the attention's (N, T, C) result of the (N, T · heads, C) that heads have seen."""
        seen = seen.unflatten(1, (-1, self.num_heads))
        y = torch.einsum("nthc,hdc->nthd", seen, self.weight_of_heads(self.v_proj)).flatten(2)
        mixed: torch.Tensor = self.out_proj(y + self.v_proj.bias)
        return mixed

    def attend_projected(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Attend from (N, T, C) tokens to keys and values that all share: (N, T, C).

        These are projected already, (1, heads, L, inner / heads).
        """
        all_tokens = self.project(self.q_proj, q.flatten(0, 1)[None]) / self.head_dim**0.5
        y = (all_tokens @ k.mT).softmax(dim=3) @ v  # (1, heads, N · T, inner / heads)
        mixed: torch.Tensor = self.out_proj(y.transpose(1, 2).flatten(2))
        return mixed.view(q.shape)


class ImageToTokenAttention(Attention):
    """Attention from an image to tokens."""

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Attend from (N or 1, L, C) cells to (N, T, C) tokens: (N, L, C)."""
        is_few = k.shape[1] < self.head_dim
        return self.attend_unprojected(q, k, v) if is_few else super().forward(q, k, v)

    def attend_unprojected(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """Attend without a projection of the image, neither on the way in nor out."""
        keys, bias = self.unprojected_keys(k)
        scores = (in_one_row(keys, image=q) @ q.mT).view(*keys.shape[:2], q.shape[1]) + bias
        weights = scores.unflatten(1, (self.num_heads, -1)).softmax(dim=2)
        return weights.flatten(1, 2).mT @ self.projected_out(v)

    def unprojected_keys(self, k: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return how (N, T, C) tokens score a cell in each head: by a product, and a bias.

        They are (N, heads · T, C) and (N, heads · T, 1).
        """
        k = self.split_heads(self.k_proj(k)) / self.head_dim**0.5
        bias = torch.einsum("nthd,hd->nht", k, self.q_proj.bias.view(self.num_heads, -1))
        k = torch.einsum("nthd,hdc->nhtc", k, self.weight_of_heads(self.q_proj))
        return k.flatten(1, 2), bias.flatten(1, 2)[..., None]

    def projected_out(self, v: torch.Tensor) -> torch.Tensor:
        """Return what each head would add for each of (N, T, C) tokens, (N, heads · T, C).

        The weights of a cell sum to 1 in every head, so each head's values carry their share of the
        bias of the output.
        """
        v = self.split_heads(self.v_proj(v))
        weight_out = self.out_proj.weight.unflatten(1, (self.num_heads, self.head_dim))
        v = torch.einsum("nthd,chd->nhtc", v, weight_out) + self.out_proj.bias / self.num_heads
        return v.flatten(1, 2)


def in_one_row(tokens: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Join the (N, T, C) tokens of objects that share a (1, L, C) image to (1, N · T, C)."""
    return tokens.flatten(0, 1)[None] if len(image) == 1 else tokens
