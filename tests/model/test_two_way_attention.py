"""Attention without a projection of the image gives the results of plain attention."""

from __future__ import annotations

import pytest
import torch

from napari_sam.model.two_way_attention import (
    Attention,
    ImageToTokenAttention,
    TokenToImageAttention,
)

DIM, HEADS, CELLS, OBJECTS = 32, 2, 50, 3
HEAD_DIM = DIM // 2 // HEADS

KINDS = {
    TokenToImageAttention: ("k_proj", "v_proj"),
    ImageToTokenAttention: ("q_proj", "out_proj"),
}
"""Kind of attention → its projections of the image."""


def build(kind: type[Attention]) -> Attention:
    torch.manual_seed(0)
    attention = kind(DIM, HEADS, downsample=2).double()
    for parameter in attention.parameters():  # biases that matter, scores that are far apart
        torch.nn.init.normal_(parameter)
    return attention


def vectors(*shape: int, seed: int) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, DIM, generator=random, dtype=torch.float64)


def inputs(kind: type[Attention], n_tokens: int, n_images: int) -> list[torch.Tensor]:
    """Queries, keys and values for some objects, which share an image or have one each."""
    tokens = [vectors(OBJECTS, n_tokens, seed=i) for i in range(2)]
    image = [vectors(n_images, CELLS, seed=2 + i) for i in range(2)]
    return [tokens[0], *image] if kind is TokenToImageAttention else [image[0], *tokens]


def each_alone(
    attention: Attention, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor
) -> torch.Tensor:
    """Plain attention, object by object, every one with its own copy of the image."""
    objects = zip(*(x.expand(OBJECTS, -1, -1).split(1) for x in (q, k, v)), strict=True)
    return torch.cat([Attention.forward(attention, *one) for one in objects])


@pytest.mark.parametrize("n_images", [1, OBJECTS])
@pytest.mark.parametrize("n_tokens", [1, 2, HEAD_DIM - 1, HEAD_DIM, 3 * HEAD_DIM])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_plain_attention(kind: type[Attention], n_tokens: int, n_images: int) -> None:
    """With few tokens and with many, which go different ways."""
    attention = build(kind)
    q, k, v = inputs(kind, n_tokens, n_images)
    torch.testing.assert_close(attention(q, k, v), each_alone(attention, q, k, v))


@pytest.mark.parametrize("kind", KINDS)
def test_learns_as_plain_attention_does(kind: type[Attention]) -> None:
    attention = build(kind)
    q, k, v = inputs(kind, HEAD_DIM - 1, n_images=OBJECTS)
    target = torch.randn_like(q)
    gradients = []
    for answer in (attention(q, k, v), each_alone(attention, q, k, v)):
        attention.zero_grad()
        (answer * target).sum().backward()
        gradients.append(
            [torch.zeros_like(p) if p.grad is None else p.grad for p in attention.parameters()]
        )
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize(("kind", "projections"), KINDS.items())
def test_few_tokens_leave_the_image_unprojected(
    kind: type[Attention], projections: tuple[str, str]
) -> None:
    attention = build(kind)
    called = []
    for name in projections:
        attention.get_submodule(name).register_forward_hook(lambda *_: called.append(True))
    attention(*inputs(kind, HEAD_DIM - 1, n_images=OBJECTS))
    assert not called
    attention(*inputs(kind, HEAD_DIM, n_images=OBJECTS))
    assert len(called) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision(kind: type[Attention]) -> None:
    """As in training: weights stay in float32."""
    attention = build(kind).float()
    torch.nn.init.normal_(attention.k_proj.weight, std=0.1)
    q, k, v = (x.float() for x in inputs(kind, HEAD_DIM - 1, n_images=OBJECTS))
    expected = attention(q, k, v)
    with torch.autocast("cpu", torch.bfloat16):
        found = attention(q, k, v)
    assert (found - expected).square().mean() < 1e-3 * expected.square().mean()
