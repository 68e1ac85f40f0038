from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytest import MonkeyPatch

from napari_sam.model import image_encoder, working_memory
from napari_sam.model.image_encoder import (
    Attention,
    WindowedBlock,
    by_offset,
    partition,
    unpartition,
)

sides = st.integers(1, 9)


@given(batch=st.integers(1, 3), height=sides, width=sides, size=sides)
def test_windows_hold_every_token_once(batch: int, height: int, width: int, size: int) -> None:
    x = 1 + torch.arange(batch * height * width * 2.0).view(batch, height, width, 2)
    windows = partition(x, size)
    assert windows.shape == (batch * -(-height // size) * -(-width // size), size, size, 2)
    assert torch.equal(windows[windows > 0].sort().values, x.flatten())  # and zeros elsewhere
    assert torch.equal(windows[0, 0, 0], x[0, 0, 0])
    assert torch.equal(unpartition(windows, height, width), x)


@given(size=st.integers(1, 6))
def test_offsets(size: int) -> None:
    table = torch.arange(2 * size - 1.0)[:, None]
    spread = by_offset(table)
    assert spread.shape == (size, size, 1)
    for i in range(size):
        for k in range(size):
            assert spread[i, k] == i - k + size - 1


@pytest.mark.parametrize("with_gradient", [False, True], ids=["by rows", "fused"])
@pytest.mark.parametrize("limit", [1, 300, 1000, 1 << 40])
def test_attention_does_not_depend_on_the_rows_at_a_time(
    limit: int, with_gradient: bool, monkeypatch: MonkeyPatch
) -> None:
    """Compared with the definition, spelled out for all pairs of tokens."""
    monkeypatch.setattr(image_encoder, "MAX_BIAS_ELEMENTS", limit)
    monkeypatch.setattr(working_memory, "MAX_HIDDEN_ELEMENTS", limit)
    unused = image_encoder.mix_by_rows if with_gradient else image_encoder.mix_fused
    monkeypatch.setattr(image_encoder, unused.__name__, lambda *_: pytest.fail("the other way"))
    size, dim, heads = 5, 12, 2
    attention = Attention(dim, heads, size).double()
    torch.nn.init.normal_(attention.rel_pos_h)
    torch.nn.init.normal_(attention.rel_pos_w)
    x = torch.randn(3, size, size, dim, dtype=torch.float64)

    q, k, v = attention.qkv(x).view(3, size * size, 3, heads, -1).unbind(2)
    rows, columns = torch.arange(size * size) // size, torch.arange(size * size) % size
    positions = (
        attention.rel_pos_h[rows[:, None] - rows + size - 1]
        + attention.rel_pos_w[columns[:, None] - columns + size - 1]
    )
    scores = torch.einsum("bqnd,bknd->bnqk", q, k) / (dim // heads) ** 0.5
    scores = scores + torch.einsum("bqnd,qkd->bnqk", q, positions)
    expected = torch.einsum("bnqk,bknd->bqnd", scores.softmax(-1), v).flatten(2)

    with torch.set_grad_enabled(with_gradient):
        torch.testing.assert_close(attention(x).flatten(1, 2), attention.proj(expected))


@pytest.mark.parametrize("limit", [1, 1 << 40])
def test_tokens_that_fill_windows_are_zeros_before_the_projection(
    limit: int, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setattr(working_memory, "MAX_HIDDEN_ELEMENTS", limit)
    block = WindowedBlock(12, num_heads=2, window_size=3).double().requires_grad_(False)
    for table in (block.attn.rel_pos_h, block.attn.rel_pos_w):
        torch.nn.init.normal_(table)
    x = torch.randn(2, 7, 5, 12, dtype=torch.float64)
    with torch.no_grad():
        expected = unpartition(block.attn(partition(x, 3)), 7, 5)
        torch.testing.assert_close(block.attend(x), expected)


def test_gradients_pass_through_a_block() -> None:
    block = WindowedBlock(12, num_heads=2, window_size=3)
    block(torch.randn(1, 7, 5, 12)).sum().backward()
    for name, weights in block.named_parameters():
        assert weights.grad is not None and weights.grad.isfinite().all(), name
