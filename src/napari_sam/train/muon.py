"""Muon: an optimizer whose steps change a matrix by as much in every direction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the odd polynomial that drives all singular values towards 1 (Jordan et al. 2024)."""

N_ITERATIONS = 5

MOMENTUM = 0.95


def orthogonalized(matrices: Tensor) -> Tensor:
    """Return (B, n, m) matrices with singular values near 1 and the same singular vectors.

    Newton-Schulz iterations, which need nothing but products, in bfloat16.
    """
    is_tall = matrices.shape[1] > matrices.shape[2]
    x = (matrices.mT if is_tall else matrices).bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(N_ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return (x.mT if is_tall else x).float()


class Muon(Optimizer):
    """Momentum that is orthogonalized before each step (Jordan et al. 2024).

    The gradient of a matrix mostly points in few directions; made orthogonal, it teaches the rare
    ones as fast. Steps are as large as those of AdamW usually are, 0.2 √max(n, m) of an orthogonal
    matrix, so that both share a learning rate (Liu et al. 2025). Kernels of convolutions count as
    matrices of their outputs, which torch's own Muon does not take.

    Parameters
    ----------
    params : iterable of parameters
        Of two dimensions or more.
    lr, weight_decay : float
    """

    def __init__(
        self, params: Iterable[nn.Parameter], lr: float = 1e-3, weight_decay: float = 0.05
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Change all parameters that have a gradient; matrices of one shape together."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[nn.Parameter]] = defaultdict(list)
            for param in group["params"]:
                if param.grad is not None:
                    alike[param.flatten(1).shape].append(param)
            for shape, params in alike.items():
                directions = torch.stack([self._look_ahead(param).flatten(1) for param in params])
                rate = group["lr"] * 0.2 * max(shape) ** 0.5
                for param, step in zip(params, orthogonalized(directions), strict=True):
                    param.mul_(1 - group["lr"] * group["weight_decay"])
                    param.sub_(step.view_as(param), alpha=rate)

    def _look_ahead(self, param: nn.Parameter) -> Tensor:
        """Add the gradient to the momentum, and return what that will be (Nesterov)."""
        state = self.state[param]
        if not state:
            state["momentum"] = torch.zeros_like(param)
        grad: Any = param.grad
        momentum: Tensor = state["momentum"].mul_(MOMENTUM).add_(grad)
        return grad + MOMENTUM * momentum


def is_matrix(name: str, param: nn.Parameter) -> bool:
    """Whether `Muon` suits a parameter: neither a vector, nor tokens, nor a depthwise kernel."""
    is_token = "prompt_embed" in name or "mask_tokens" in name
    return param.ndim >= 2 and min(param.flatten(1).shape) >= 16 and not is_token


def make_optimizers(net: nn.Module) -> tuple[Optimizer, ...]:
    """Return `Muon` for the matrices of a network, and AdamW for all else."""
    params = dict(net.named_parameters())
    matrices = [param for name, param in params.items() if is_matrix(name, param)]
    rest = [param for name, param in params.items() if not is_matrix(name, param)]
    decayed, others = [p for p in rest if p.ndim > 1], [p for p in rest if p.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}]
    return Muon(matrices), torch.optim.AdamW(groups, betas=(0.9, 0.98), fused=True)
