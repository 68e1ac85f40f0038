"""Low-rank updates become part of the weights, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from napari_sam.model.checkpoint import read_checkpoint
from napari_sam.model.lora import merge_lora

from .files import State, small_sam

DIM, RANK = 16, 3
BLOCK = "image_encoder.blocks.1"


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.fixture
def weights() -> State:
    return small_sam().state_dict()


def with_attention_lora(weights: State, parts: str) -> State:
    """Rename and add what micro-sam's LoRA of an attention layer does."""
    tuned = {name.replace("attn.qkv.", "attn.qkv.qkv_proj."): t for name, t in weights.items()}
    for i, part in enumerate(parts):
        tuned[f"{BLOCK}.attn.qkv.w_a_linear_{part}.weight"] = draw(RANK, DIM) + i
        tuned[f"{BLOCK}.attn.qkv.w_b_linear_{part}.weight"] = draw(DIM, RANK) - i
    return tuned


@pytest.mark.parametrize("parts", ["qv", "q", "k", "qkv"])
def test_attention(parts: str, weights: State) -> None:
    tuned = with_attention_lora(weights, parts)
    merged = merge_lora(tuned, "lora.pt")
    assert merged.keys() == weights.keys()

    x = draw(5, DIM)
    layer = f"{BLOCK}.attn.qkv"
    expected = x @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"]
    for part in parts:
        a, b = (tuned[f"{layer}.w_{which}_linear_{part}.weight"] for which in "ab")
        first = DIM * "qkv".index(part)
        expected[:, first : first + DIM] += x @ a.T @ b.T
    found = x @ merged[f"{layer}.weight"].T + merged[f"{layer}.bias"]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    changed = {name for name in weights if not torch.equal(merged[name], weights[name])}
    assert changed == {f"{layer}.weight"}


def test_feed_forward(weights: State) -> None:
    tuned = {
        name.replace(f"{BLOCK}.mlp.", f"{BLOCK}.mlp.mlp_layer."): t for name, t in weights.items()
    }
    for part, (into, out) in {"1": (DIM, 4 * DIM), "2": (4 * DIM, DIM)}.items():
        tuned[f"{BLOCK}.mlp.w_a_linear_{part}.weight"] = draw(RANK, into)
        tuned[f"{BLOCK}.mlp.w_b_linear_{part}.weight"] = draw(out, RANK)
    merged = merge_lora(tuned, "lora.pt")
    assert merged.keys() == weights.keys()
    for part, into in {"1": DIM, "2": 4 * DIM}.items():
        x, layer = draw(5, into), f"{BLOCK}.mlp.lin{part}.weight"
        a, b = (tuned[f"{BLOCK}.mlp.w_{which}_linear_{part}.weight"] for which in "ab")
        expected = x @ weights[layer].T + x @ a.T @ b.T
        torch.testing.assert_close(x @ merged[layer].T, expected, atol=1e-4, rtol=1e-5)


def test_what_was_read_is_not_written_to(weights: State) -> None:
    """The tensors of the file may be shared with others."""
    before = {name: tensor.clone() for name, tensor in weights.items()}
    merge_lora(with_attention_lora(weights, "qv"), "lora.pt")
    assert all(torch.equal(weights[name], before[name]) for name in weights)


def test_a_training_checkpoint_with_lora(weights: State, tmp_path: Path) -> None:
    tuned = with_attention_lora(weights, "qv")
    torch.save({"model_state": {f"sam.{k}": v for k, v in tuned.items()}}, tmp_path / "best.pt")
    found = read_checkpoint(tmp_path / "best.pt").weights
    expected = merge_lora(tuned, "lora.pt")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        (f"{BLOCK}.attn.qkv.FacTu.weight", "FacT"),
        (f"{BLOCK}.attn.qkv.scale", "SSF"),
        (f"{BLOCK}.mlp.mlp_proj.lin1.weight", "AdaptFormer"),
        (f"{BLOCK}.mlp.lin1.weight.quant_state.bitsandbytes__nf4", "QLoRA"),
    ],
)
def test_other_methods_are_named(name: str, method: str, weights: State) -> None:
    with pytest.raises(ValueError, match=rf"tuned\.pt was tuned with {method}.* or with LoRA"):
        merge_lora(weights | {name: torch.ones(1)}, "tuned.pt")


@pytest.mark.parametrize("missing", ["w_b_linear_q.weight", "qkv_proj.weight"])
def test_half_an_update_is_refused(missing: str, weights: State) -> None:
    tuned = with_attention_lora(weights, "qv")
    del tuned[f"{BLOCK}.attn.qkv.{missing}"]
    with pytest.raises(ValueError, match=r"w_a_linear_q\.weight in lora\.pt fits no weights"):
        merge_lora(tuned, "lora.pt")


def test_an_update_of_another_size_is_refused(weights: State) -> None:
    tuned = with_attention_lora(weights, "q")
    tuned[f"{BLOCK}.attn.qkv.w_b_linear_q.weight"] = draw(DIM + 1, RANK)[:, :2]
    with pytest.raises(ValueError, match="fits no weights"):
        merge_lora(tuned, "lora.pt")
