"""Attention to a sequence that comes a part at a time."""

from __future__ import annotations

import torch


class RunningAttention:
    """Average of values, weighted by the softmax of their scores, without all scores at once.

    Exponentials are taken relative to the highest score so far; when a higher one comes, what has
    been summed up is scaled down (Milakov & Gimelshein 2018, arXiv 1805.02867).

    Parameters
    ----------
    queries : torch.Tensor
        (N, R, C), scaled.
    """

    def __init__(self, queries: torch.Tensor) -> None:
        self.queries = queries
        self._highest = torch.full_like(queries[..., :1], -torch.inf)
        self._weight = torch.zeros_like(queries[..., :1])
        self._sum = torch.zeros_like(queries)

    def add(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Attend to (N, c, C) more keys and values too."""
        scores = self.queries @ keys.mT
        highest = torch.maximum(self._highest, scores.amax(dim=2, keepdim=True))
        weights = (scores - highest).exp()
        scale = (self._highest - highest).exp()
        self._weight = self._weight * scale + weights.sum(dim=2, keepdim=True)
        self._sum = torch.baddbmm(self._sum * scale, weights, values)
        self._highest = highest

    def result(self) -> torch.Tensor:
        """Return the averages over all that was added, (N, R, C)."""
        return self._sum / self._weight
