"""Several processes that train together, each on its share of the crops of a step.

They are started by ``torchrun``. On two cores, two of one thread each are faster than one of two
threads (``benchmarks/training.py``).
"""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn

STATISTICS = ("running_mean", "running_var")
"""Buffers of a batch normalization."""


def join_processes() -> tuple[int, int]:
    """Return the number of this process, and how many train together; alone: 0 and 1."""
    if not distributed.is_torchelastic_launched():
        return 0, 1
    if not distributed.is_initialized():
        distributed.init_process_group("gloo")
    return distributed.get_rank(), distributed.get_world_size()


@torch.no_grad()
def average_over_processes(net: nn.Module) -> None:
    """Give all processes the mean gradients and the mean statistics of the normalizations."""
    gradients = [param.grad for param in net.parameters() if param.grad is not None]
    statistics = [b for name, b in net.named_buffers() if name.rpartition(".")[2] in STATISTICS]
    parts: list[Tensor] = [*gradients, *statistics]
    whole = torch.cat([part.flatten() for part in parts])
    distributed.all_reduce(whole)
    means = (whole / distributed.get_world_size()).split([part.numel() for part in parts])
    for part, mean in zip(parts, means, strict=True):
        part.copy_(mean.view_as(part))
