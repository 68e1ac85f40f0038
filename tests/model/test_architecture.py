"""Weights tell which network they belong to."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.model.architecture import (
    Architecture,
    build,
    infer_architecture,
    used_weights,
)
from napari_sam.model.checkpoint import fill
from napari_sam.model.nano import Nano
from napari_sam.model.sam import (
    TINY_VIT_5M,
    VIT_SIZES,
    TinyViTSize,
    ViTSize,
    build_mobile_sam,
    build_sam,
)

from .files import NAME, State, small_sam


def shapes(build_model: Any, *arguments: Any, **options: Any) -> State:
    """The state dict of a network, on a device that has no memory."""
    with torch.device("meta"):
        return build_model("any", *arguments, **options).state_dict()


@pytest.mark.parametrize("hq", [False, True])
@pytest.mark.parametrize("name", VIT_SIZES)
def test_published_vits(name: str, hq: bool) -> None:
    weights = shapes(build_sam, VIT_SIZES[name], hq=hq)
    found = infer_architecture(weights, "sam.pth")
    assert found.name == (f"hq_{name}" if hq else name)
    assert (found.encoder, found.is_hq) == (VIT_SIZES[name], hq)
    assert (found.image_size, found.channels, found.num_multimask) == (1024, 256, 3)


@pytest.mark.parametrize("hq", [False, True])
def test_published_tiny_vits(hq: bool) -> None:
    weights = shapes(build_mobile_sam, hq=hq)
    found = infer_architecture(weights, "mobile_sam.pt")
    assert found.name == ("hq_mobile" if hq else "mobile")
    assert found.encoder == TINY_VIT_5M


def test_nano() -> None:
    found = infer_architecture(Nano().state_dict(), "nano.safetensors")
    assert found.name == "nano"
    assert isinstance(build(found, "nano"), Nano)


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    is_hq, channels = draw(st.booleans()), draw(st.sampled_from([16, 32]))
    num_multimask = draw(st.integers(1, 5))
    if draw(st.booleans()):
        dims = draw(st.tuples(*[st.sampled_from([8, 16])] * 4))
        depths = draw(st.tuples(*[st.integers(1, 3)] * 4))
        a, b, c = draw(st.tuples(*[st.sampled_from([1, 2, 4])] * 3))
        u, v, w = draw(st.tuples(*[st.integers(2, 9)] * 3))
        heads = dims[0] * a // dims[1], a, b, c  # the first stage has no attention
        size: Any = TinyViTSize(dims, depths, heads, (u, u, v, w))
        return Architecture(
            "hq_mobile" if is_hq else "mobile", size, 1024, channels, num_multimask, is_hq
        )
    heads, depth, grid = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(3, 9))
    dim = 8 * heads
    global_blocks = tuple(draw(st.sets(st.integers(0, depth - 1))))
    window = 14
    if len(global_blocks) < depth:
        window = draw(st.integers(2, 14).filter(lambda side: side != grid))
    size = ViTSize(dim, depth, heads, tuple(sorted(global_blocks)), window)
    name = f"hq_vit_{dim}x{depth}" if is_hq else f"vit_{dim}x{depth}"
    return Architecture(name, size, 16 * grid, channels, num_multimask, is_hq)


@settings(max_examples=50)
@given(architectures())
def test_any_network_is_told_from_its_weights(architecture: Architecture) -> None:
    weights = build(architecture, "any").state_dict()
    assert infer_architecture(weights, "any.pt") == architecture


def test_a_network_is_built_without_memory_and_then_filled() -> None:
    weights = small_sam(hq=True).state_dict()
    model = build(infer_architecture(weights, "sam.pth"), "small")
    assert all(parameter.is_meta for parameter in model.parameters())
    fill(model, weights, "sam.pth")
    assert not any(tensor.is_meta for tensor in model.state_dict().values())


def test_mobile_sam_is_filled_without_what_it_does_not_use() -> None:
    torch.manual_seed(0)
    size = TinyViTSize((8, 8, 16, 16), (1, 1, 1, 1), (2, 2, 2, 2), (7, 7, 14, 7))
    published = build_mobile_sam("mobile", size, channels=16).eval()
    weights = published.state_dict() | {
        "image_encoder.norm_head.weight": torch.ones(16),
        "image_encoder.head.weight": torch.ones(1000, 16),
    }
    architecture = infer_architecture(weights, "mobile_sam.pt")
    model = build(architecture, "mobile")
    fill(model, used_weights(architecture, weights), "mobile_sam.pt")
    window = torch.rand(1, 1, 64, 1024)
    features = model.eval().encode(window).maps[0]
    assert torch.equal(features, published.encode(window).maps[0])


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "no Segment Anything model but tensors such as none at all; expected image_encoder"),
        (["layer1.0.conv1.weight", "fc.weight"], r"tensors such as layer1\.0\.conv1\.weight, fc"),
        (["downsample.0", "a", "b", "c"], r"tensors such as downsample\.0, a, b and 1 more"),
        (["image_encoder.trunk.pos_embed"], "is a SAM 2 model"),
        (["vision_encoder.pos_embed"], "in the form of Hugging Face's transformers"),
    ],
)
def test_weights_of_something_else(names: list[str], sentence: str) -> None:
    with pytest.raises(ValueError, match=rf"other\.pt .*{sentence}"):
        infer_architecture({name: torch.ones(1) for name in names}, "other.pt")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"image_encoder.pos_embed": None}, r"lacks the tensor image_encoder\.pos_embed"),
        ({"image_encoder.pos_embed": (4, 4)}, r"pos_embed in sam\.pt is \(4, 4\); expected 4 axes"),
        ({"image_encoder.pos_embed": (1, 4, 6, 16)}, r"on a grid of \[4, 6\]; expected"),
        ({"image_encoder.patch_embed.proj.weight": (16, 3, 8, 8)}, r"for patches of \[8, 8\]"),
        ({"image_encoder.blocks.0.attn.rel_pos_h": (9, 8)}, None),
        ({"image_encoder.blocks.1.attn.rel_pos_h": (9, 8)}, r"windows of \[5, 14\]"),
        ({"image_encoder.blocks.1.attn.rel_pos_h": (7, 4)}, r"head dimensions \[4, 8\]"),
        ({"image_encoder.blocks.0.attn.rel_pos_h": None}, r"lacks .*blocks\.0\.attn\.rel_pos_h"),
        ({"image_encoder.blocks.7.norm1.weight": (16,)}, r"lacks a part: .*there are 0, 1, 7"),
        ({"mask_decoder.mask_tokens.weight": None}, r"lacks .*mask_tokens"),
        ({"mask_decoder.mask_tokens.weight": (1, 32)}, "has one mask per prompt only"),
    ],
)
def test_networks_that_are_not_whole_or_not_known(changes: Any, sentence: str | None) -> None:
    weights = small_sam().state_dict()
    for name, shape in changes.items():
        if shape is None:
            del weights[name]
        else:
            weights[name] = torch.ones(shape)
    if sentence is None:
        assert infer_architecture(weights, "sam.pt").name == NAME
    else:
        with pytest.raises(ValueError, match=sentence):
            infer_architecture(weights, "sam.pt")


WEIGHTS = {True: small_sam(hq=True).state_dict(), False: Nano().state_dict()}


@given(st.booleans(), st.data())
def test_any_shape_is_built_or_refused(is_sam: bool, data: st.DataObject) -> None:
    weights = dict(WEIGHTS[is_sam])
    name = data.draw(st.sampled_from([n for n in weights if "encoder" in n]))
    weights[name] = torch.empty(data.draw(st.lists(st.integers(0, 40), max_size=5)), device="meta")
    try:
        infer_architecture(weights, "sam.pt")
    except ValueError as error:
        assert "sam.pt" in str(error)
