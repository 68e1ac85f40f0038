from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytest import MonkeyPatch

from napari_sam.model import image_encoder
from napari_sam.model.image_encoder import Attention, by_offset, partition, unpartition

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


@pytest.mark.parametrize("limit", [1, 1000, 1 << 40])
def test_attention_does_not_depend_on_the_rows_at_a_time(
    limit: int, monkeypatch: MonkeyPatch
) -> None:
    """Compared with the definition, spelled out for all pairs of tokens."""
    monkeypatch.setattr(image_encoder, "MAX_BIAS_ELEMENTS", limit)
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

    torch.testing.assert_close(attention(x).flatten(1, 2), attention.proj(expected))
