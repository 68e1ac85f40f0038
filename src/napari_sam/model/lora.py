"""Low-rank updates of weights (LoRA, Hu et al. 2021), added to the weights that they change.

Where training has left W alone and learned B and A instead, the layer computes x Wᵀ + (x Aᵀ) Bᵀ,
which is x (W + B A)ᵀ: the same network without the update, with other weights.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

RENAMED = {".attn.qkv.qkv_proj.": ".attn.qkv.", ".mlp.mlp_layer.": ".mlp."}
"""Where micro-sam's LoRA has put the weights that it left alone → where they belong."""

QKV_ROWS = {"q": 0, "k": 1, "v": 2}
"""Which third of the rows of the joint layer makes queries, keys and values."""

REFUSED = {
    "FacT": "FacTu.",
    "SSF (scale and shift)": ".qkv.scale",
    "AdaptFormer": ".mlp.mlp_proj.",
    "QLoRA (quantized weights)": ".quant_state.",
}
"""Other ways to tune few weights, which are not supported → what their tensors are called."""


def merge_lora(weights: Mapping[str, torch.Tensor], source: str) -> dict[str, torch.Tensor]:
    """Return the weights of the network without low-rank updates that computes the same.

    Raises
    ------
    ValueError
        If the updates are of another kind, or do not fit the weights.
    """
    for method, mark in REFUSED.items():
        if any(mark in name for name in weights):
            raise ValueError(
                f"{source} was tuned with {method}, whose additional layers are not supported; "
                "expected a model tuned as a whole, or with LoRA."
            )
    merged = {}
    for name, tensor in weights.items():
        if ".w_a_linear_" not in name and ".w_b_linear_" not in name:
            for added, published in RENAMED.items():
                name = name.replace(added, published)
            merged[name] = tensor
    for name, a in weights.items():
        if ".w_a_linear_" in name:
            try:
                add_update(merged, name, a, weights[name.replace(".w_a_", ".w_b_")])
            except (KeyError, RuntimeError) as error:
                raise ValueError(f"The LoRA update {name} in {source} fits no weights.") from error
    return merged


def add_update(
    weights: dict[str, torch.Tensor], name: str, a: torch.Tensor, b: torch.Tensor
) -> None:
    """Add one update to the layer that it is named after, in float32.

    Parameters
    ----------
    weights : dict of str to torch.Tensor
        Changed in place; the tensor of the layer is replaced, not written to.
    name : str
        ``….attn.qkv.w_a_linear_q.weight`` (or k, v) or ``….mlp.w_a_linear_1.weight`` (or 2).
    a, b : torch.Tensor
        (rank, in) and (out, rank).
    """
    layer, _, part = name.removesuffix(".weight").partition(".w_a_linear_")
    changed = f"{layer}.weight" if part in QKV_ROWS else f"{layer}.lin{part}.weight"
    weight = weights[changed].float().clone()
    first = QKV_ROWS.get(part, 0) * len(b)
    weight[first : first + len(b)] += b.float() @ a.float()
    weights[changed] = weight
