"""Attention to parts, one after the other, is attention to all of them."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.model.running_attention import RunningAttention


def plain(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return (queries @ keys.mT).softmax(dim=2) @ values


@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_parts_of_any_size(sizes: list[int], seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    shapes = [(2, 3, 4), (2, sum(sizes), 4), (2, sum(sizes), 4)]
    queries, keys, values = (
        torch.randn(shape, generator=random, dtype=torch.float64) for shape in shapes
    )
    running = RunningAttention(queries)
    for k, v in zip(keys.split(sizes, 1), values.split(sizes, 1), strict=True):
        running.add(k, v)
    torch.testing.assert_close(running.result(), plain(queries, keys, values))


@pytest.mark.parametrize("order", [1, -1])
def test_scores_far_apart_overflow_nothing(order: int) -> None:
    """Whether the highest score comes first or last."""
    queries = torch.ones(1, 1, 1)
    keys = torch.tensor([-500.0, 0.0, 500.0])[None, :, None].flip(1 if order < 0 else 0)
    values = keys / 100
    running = RunningAttention(queries)
    for part in range(3):
        running.add(keys[:, part : part + 1], values[:, part : part + 1])
    torch.testing.assert_close(running.result(), torch.full((1, 1, 1), 5.0))
