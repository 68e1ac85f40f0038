"""Our MobileSAM gives the numbers of TinyViT of `segment-anything-hq`, attention biases in use."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pytest import MonkeyPatch
from torch import nn

from napari_sam.model import bottleneck, tiny_vit
from napari_sam.model.sam import Sam, TinyViTSize, build_mobile_sam

from .comparison import Answers, ask_ours, ask_reference, differences, epsilons, load, spread
from .references import build_reference

SMALL = TinyViTSize((16, 24, 32, 320), (1, 1, 2, 1), (1, 3, 2, 5), (7, 7, 14, 7))
SMALL_IMAGE = 256
"""Grids of 32 and 16 cells a side, so that windows of 7 and 14 are padded."""


@pytest.fixture(scope="module")
def reference(segment_anything_hq: ModuleType) -> Any:
    model = build_reference(segment_anything_hq.modeling, SMALL, SMALL_IMAGE)
    spread(model)
    return model


@pytest.fixture(scope="module")
def expected(reference: Any) -> Answers:
    return ask_reference(reference)


@pytest.fixture
def ours(reference: Any) -> Sam:
    return load(build_mobile_sam("small", SMALL, SMALL_IMAGE), copy.deepcopy(reference))


def test_small_model_agrees(ours: Sam, expected: Answers) -> None:
    found = differences(ask_ours(ours), expected)
    assert max(found.values()) < 1e-4, found


@pytest.mark.slow
def test_mobile_sam_agrees(segment_anything_hq: ModuleType) -> None:
    reference = segment_anything_hq.sam_model_registry_baseline["vit_tiny"]()
    spread(reference)
    with torch.device("meta"):
        ours = build_mobile_sam("mobile")
    found = differences(ask_ours(load(ours, reference)), ask_reference(reference))
    assert max(found.values()) < 1e-4, found


def test_keys_and_shapes_are_the_official_ones(segment_anything_hq: ModuleType) -> None:
    official = segment_anything_hq.sam_model_registry_baseline["vit_tiny"]().state_dict()
    with torch.device("meta"):
        ours = build_mobile_sam("mobile").state_dict()
    assert len(official) == 439
    assert sum(tensor.numel() for tensor in official.values()) == 10_140_231
    unused = tuple(f"image_encoder.{prefix}" for prefix in tiny_vit.UNUSED_PREFIXES)
    used = {k: v.shape for k, v in official.items() if not k.startswith(unused)}
    assert {k: v.shape for k, v in ours.items()} == used


def test_norms_add_the_same_epsilon(ours: Sam, reference: Any) -> None:
    """Too small to show in the numbers above."""
    assert epsilons(ours).items() <= epsilons(reference).items()


# Each of these changes our model in one way; the comparison above must notice.

Mistake = Callable[[MonkeyPatch, Sam], None]


def blocks(model: Sam) -> list[tiny_vit.TinyViTBlock]:
    return [m for m in model.image_encoder.modules() if isinstance(m, tiny_vit.TinyViTBlock)]


def pad_windows_after_the_norm(patch: MonkeyPatch, model: Sam) -> None:
    attend = tiny_vit.TinyViTBlock.attend
    for block in blocks(model):
        block.early_norm, block.attn.norm = block.attn.norm, nn.Identity()
    patch.setattr(tiny_vit.TinyViTBlock, "attend", lambda b, x: attend(b, b.early_norm(x)))


def read_queries_keys_and_values_as_the_vit_does(patch: MonkeyPatch, model: Sam) -> None:
    for block in blocks(model):
        for weights in block.attn.qkv.parameters():
            by_kind = weights.data.unflatten(0, (3, block.attn.num_heads, -1))
            weights.data = by_kind.transpose(0, 1).flatten(0, 2)


def forget_the_attention_biases(patch: MonkeyPatch, model: Sam) -> None:
    """As the builder of MobileSAM does, if nobody calls `eval` after it."""
    for block in blocks(model):
        block.attn.attention_biases.data.zero_()


def number_the_distances_by_columns(patch: MonkeyPatch, model: Sam) -> None:
    distances = tiny_vit.distances

    def transposed(size: int, device: torch.device) -> torch.Tensor:
        number = distances(size, device)
        return size * (number % size) + number // size

    patch.setattr(tiny_vit, "distances", transposed)


def forget_the_norm_of_the_mlp(patch: MonkeyPatch, model: Sam) -> None:
    for block in blocks(model):
        block.mlp.norm = nn.Identity()


def add_the_local_convolution_to_its_input(patch: MonkeyPatch, model: Sam) -> None:
    for block in blocks(model):
        convolve = block.local_conv.forward
        block.local_conv.forward = lambda x, convolve=convolve: x + convolve(x)


def activate_before_adding(patch: MonkeyPatch, model: Sam) -> None:
    convolve = bottleneck.Bottleneck.forward
    patch.setattr(bottleneck.MBConv, "forward", lambda b, x: x + F.gelu(convolve(b, x)))


def halve_at_the_last_merging_instead_of_the_second(patch: MonkeyPatch, model: Sam) -> None:
    for stage, stride in [(1, 1), (2, 2)]:
        merging = model.image_encoder.layers[stage].downsample
        merging.stride, merging.conv2.c.stride = stride, (stride, stride)


def normalize_by_the_statistics_of_the_image(patch: MonkeyPatch, model: Sam) -> None:
    model.image_encoder.train()


def add_the_epsilon_of_other_libraries(patch: MonkeyPatch, model: Sam) -> None:
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3


def approximate_gelu(patch: MonkeyPatch, model: Sam) -> None:
    gelu = F.gelu
    patch.setattr(F, "gelu", lambda x, approximate="none": gelu(x, approximate="tanh"))


MISTAKES: list[Mistake] = [
    pad_windows_after_the_norm,
    read_queries_keys_and_values_as_the_vit_does,
    forget_the_attention_biases,
    number_the_distances_by_columns,
    forget_the_norm_of_the_mlp,
    add_the_local_convolution_to_its_input,
    activate_before_adding,
    halve_at_the_last_merging_instead_of_the_second,
    normalize_by_the_statistics_of_the_image,
    add_the_epsilon_of_other_libraries,
    approximate_gelu,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_would_be_noticed(
    mistake: Mistake, ours: Sam, expected: Answers, monkeypatch: MonkeyPatch
) -> None:
    mistake(monkeypatch, ours)
    assert max(differences(ask_ours(ours), expected).values()) > 1e-3
