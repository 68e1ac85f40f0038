"""Layer normalization of numbers that may have fewer bits than the weights."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class LayerNorm(nn.LayerNorm):
    """Normalize (..., C) over the channels, in the precision of what is normalized."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the normalized (..., C)."""
        weight, bias = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return F.layer_norm(x, self.normalized_shape, weight, bias, self.eps)
