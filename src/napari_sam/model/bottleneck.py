"""Blocks of convolutions that mix pixels and channels by turns, as in MobileNet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from napari_sam.model.working_memory import at_a_time


class ConvNorm(nn.Module):
    """A convolution and its batch normalization.

    For inference the normalization, then the same for every image, becomes part of the weights.
    """

    def __init__(
        self,
        in_dim: int,
        out_dim: int,
        kernel_size: int = 1,
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.c = nn.Conv2d(in_dim, out_dim, kernel_size, stride, padding, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out_dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, h, w) to (B, C', h', w')."""
        if self.training:
            y: torch.Tensor = self.bn(self.c(x))
            return y
        weight, bias = self.folded()
        if weight.shape[2:] == (1, 1):  # a product of matrices, which is not always noticed
            return F.linear(x.permute(0, 2, 3, 1), weight.flatten(1), bias).permute(0, 3, 1, 2)
        return F.conv2d(x, weight, bias, self.c.stride, self.c.padding, groups=self.c.groups)

    def folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return weights and bias of one convolution that does what the two layers do."""
        mean, variance = self.bn.get_buffer("running_mean"), self.bn.get_buffer("running_var")
        scale = self.bn.weight * (variance + self.bn.eps).rsqrt()
        return self.c.weight * scale[:, None, None, None], self.bn.bias - mean * scale


class Bottleneck(nn.Module):
    """Change the channels, mix neighboring pixels within each channel, change the channels again.

    Parameters
    ----------
    in_dim, hidden_dim, out_dim : int
        Channels before, between and after.
    stride : int
        1, or 2 to halve height and width.
    """

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int, stride: int = 1) -> None:
        super().__init__()
        self.hidden_dim = hidden_dim
        self.stride = stride
        self.conv1 = ConvNorm(in_dim, hidden_dim)
        self.conv2 = ConvNorm(  # `strip` pads the rows
            hidden_dim, hidden_dim, 3, stride, padding=(0, 1), groups=hidden_dim
        )
        self.conv3 = ConvNorm(hidden_dim, out_dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, h, w) to (B, C', h / stride, w / stride)."""
        batch, _, height, width = x.shape
        n_rows = rows = height // self.stride
        if not self.training:
            rows = at_a_time(x, n_rows, self.stride * batch * width * self.hidden_dim)
        strips = [self.strip(x, top, min(top + rows, n_rows)) for top in range(0, n_rows, rows)]
        return torch.cat(strips, dim=2)

    def strip(self, x: torch.Tensor, top: int, bottom: int) -> torch.Tensor:
        """Compute the rows from `top` to before `bottom` of what `forward` returns."""
        height = x.shape[2]
        first, last = self.stride * top - 1, self.stride * (bottom - 1) + 1
        y = F.gelu(self.conv1(x[:, :, max(first, 0) : last + 1]))
        if first < 0 or last == height:
            y = F.pad(y, (0, 0, int(first < 0), int(last == height)))
        y = self.conv3(F.gelu(self.conv2(y)))
        return y


class MBConv(Bottleneck):
    """Widen, mix, narrow, add to the input, and only then activate."""

    def __init__(self, dim: int, expansion: int = 4) -> None:
        super().__init__(dim, expansion * dim, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, h, w) to (B, C, h, w)."""
        return F.gelu(x + super().forward(x))


class PatchMerging(Bottleneck):
    """Hand a map over to the next stage, which has more channels and may be coarser."""

    def __init__(self, dim: int, out_dim: int, stride: int) -> None:
        super().__init__(dim, out_dim, out_dim, stride)
