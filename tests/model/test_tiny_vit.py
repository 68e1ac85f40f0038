from __future__ import annotations

from types import ModuleType

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytest import MonkeyPatch
from torch import Tensor

from napari_sam.model import working_memory
from napari_sam.model.bottleneck import Bottleneck, ConvNorm
from napari_sam.model.tiny_vit import Attention, TinyViT, distances
from napari_sam.model.working_memory import at_a_time

from .comparison import spread
from .references import build_reference
from .test_tiny_vit_parity import SMALL, SMALL_IMAGE

SIZE = 64


@pytest.fixture(scope="module")
def encoder() -> TinyViT:
    encoder = TinyViT(
        SIZE, (8, 8, 12, 16), (1, 1, 1, 1), (1, 2, 2, 2), (7, 7, 14, 7), out_channels=10
    )
    spread(encoder)
    return encoder.requires_grad_(False)


@pytest.fixture(scope="module")
def images() -> Tensor:
    return torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def test_maps(encoder: TinyViT, images: Tensor) -> None:
    embedding, early = encoder(images)
    assert embedding.shape == (3, 10, 4, 4)
    assert early.shape == (3, 12, 4, 4)


def test_images_of_a_batch_do_not_meet(encoder: TinyViT, images: Tensor) -> None:
    batch = encoder(images)
    for i in range(3):
        alone = encoder(images[i : i + 1])
        torch.testing.assert_close(tuple(maps[i : i + 1] for maps in batch), alone)


@pytest.mark.parametrize("limit", [1, 3000, 1 << 40])
def test_maps_do_not_depend_on_how_much_is_done_at_a_time(
    limit: int, encoder: TinyViT, images: Tensor, monkeypatch: MonkeyPatch
) -> None:
    expected = encoder(images)
    monkeypatch.setattr(working_memory, "MAX_HIDDEN_ELEMENTS", limit)
    torch.testing.assert_close(encoder(images), expected)


def test_bfloat16_stays_inside(encoder: TinyViT, images: Tensor) -> None:
    expected, _ = encoder(images)
    with torch.autocast("cpu", torch.bfloat16):
        embedding, early = encoder(images)
    assert (embedding.dtype, early.dtype) == (torch.float32, torch.float32)
    error = (embedding - expected).std() / expected.std()
    assert 1e-4 < error < 0.1


def test_early_features_are_those_of_the_reference(segment_anything_hq: ModuleType) -> None:
    """They decide about few digits of a mask, so they are compared here, at full strength."""
    reference = build_reference(segment_anything_hq.modeling, SMALL, SMALL_IMAGE).image_encoder
    spread(reference)
    encoder = TinyViT(SMALL_IMAGE, *SMALL, out_channels=256).eval()
    encoder.load_state_dict(reference.state_dict(), strict=False)
    images = torch.randn(1, 3, SMALL_IMAGE, SMALL_IMAGE)
    with torch.inference_mode():
        _, early = encoder(images)
        _, (expected,) = reference(images)
    torch.testing.assert_close(early, expected.permute(0, 3, 1, 2), atol=1e-5, rtol=1e-5)


@given(size=st.integers(1, 8))
def test_distances(size: int) -> None:
    """Numbered in the order in which they first appear, cell by cell."""
    cells = [(row, column) for row in range(size) for column in range(size)]
    numbers: dict[tuple[int, int], int] = {}
    expected = [
        [
            numbers.setdefault((abs(row - other_row), abs(column - other_column)), len(numbers))
            for other_row, other_column in cells
        ]
        for row, column in cells
    ]
    assert distances(size, torch.device("cpu")).tolist() == expected
    assert len(numbers) == size**2


def test_attention_is_as_defined() -> None:
    """Spelled out for all pairs of tokens."""
    size, dim, heads = 3, 8, 2
    attention = Attention(dim, heads, size).double()
    torch.nn.init.normal_(attention.attention_biases)
    x = torch.randn(5, size**2, dim, dtype=torch.float64)

    mixed = []
    qkv = attention.qkv(attention.norm(x))
    for head, of_head in enumerate(qkv.chunk(heads, dim=2)):
        q, k, v = of_head.chunk(3, dim=2)
        scores = q @ k.mT / (dim // heads) ** 0.5
        for i in range(size**2):
            for j in range(size**2):
                rows, columns = abs(i // size - j // size), abs(i % size - j % size)
                scores[:, i, j] += attention.attention_biases[head, size * rows + columns]
        mixed.append(scores.softmax(dim=2) @ v)
    torch.testing.assert_close(attention(x), attention.proj(torch.cat(mixed, dim=2)))


@pytest.mark.parametrize(
    "conv",
    [
        ConvNorm(6, 10),
        ConvNorm(6, 10, kernel_size=3, stride=2, padding=1),
        ConvNorm(6, 6, kernel_size=3, padding=(0, 1), groups=6),
    ],
    ids=["1 by 1", "3 by 3", "depthwise"],
)
def test_norms_become_part_of_the_weights(conv: ConvNorm) -> None:
    spread(conv)
    x = torch.randn(2, 6, 9, 8)
    torch.testing.assert_close(conv(x), conv.bn(conv.c(x)))


def test_norms_follow_the_weights() -> None:
    """Nothing is kept from before other weights are loaded."""
    conv = ConvNorm(4, 4).eval()
    x = torch.randn(1, 4, 5, 5)
    before = conv(x)
    spread(conv)
    assert not torch.allclose(conv(x), before)
    torch.testing.assert_close(conv(x), conv.bn(conv.c(x)))


def test_training_uses_the_statistics_of_the_batch() -> None:
    block = Bottleneck(4, 8, 6, stride=2)
    spread(block)
    block.train()
    x = torch.randn(2, 4, 10, 10)
    assert block.conv3.bn.num_batches_tracked == 0
    y = block(x)
    assert y.shape == (2, 6, 5, 5)
    assert block.conv3.bn.num_batches_tracked == 1
    y.sum().backward()
    assert all(weights.grad is not None for weights in block.parameters())


@given(
    height=st.integers(1, 12),
    stride=st.sampled_from([1, 2]),
    hidden_elements=st.integers(1, 200),
)
def test_strips_join_without_seams(height: int, stride: int, hidden_elements: int) -> None:
    """Compared with the three convolutions one after the other."""
    height *= stride
    torch.manual_seed(height)
    block = Bottleneck(3, 5, 4, stride)
    spread(block)
    x = torch.randn(2, 3, height, 6)
    y = torch.nn.functional.gelu(block.conv1(x))
    weight, bias = block.conv2.folded()
    y = torch.nn.functional.conv2d(y, weight, bias, stride, padding=1, groups=5)
    expected = block.conv3(torch.nn.functional.gelu(y))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(working_memory, "MAX_HIDDEN_ELEMENTS", hidden_elements)
        torch.testing.assert_close(block(x), expected)


@given(n_parts=st.integers(1, 10**4), hidden_elements=st.integers(1, 1 << 22))
def test_at_a_time(n_parts: int, hidden_elements: int) -> None:
    n = at_a_time(torch.empty(0), n_parts, hidden_elements)
    assert 1 <= n <= n_parts
    assert n == 1 or n * hidden_elements <= working_memory.MAX_HIDDEN_ELEMENTS
    assert at_a_time(torch.empty(0, device="meta"), n_parts, hidden_elements) == n_parts
