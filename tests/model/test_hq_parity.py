"""Our HQ-SAM, with either image encoder, gives the numbers of `segment-anything-hq`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
from pytest import FixtureRequest, MonkeyPatch
from torch import nn

from napari_sam.model.hq_mask_decoder import HQMaskDecoder
from napari_sam.model.mask_decoder import MaskDecoder
from napari_sam.model.sam import (
    TINY_VIT_5M,
    VIT_SIZES,
    Sam,
    TinyViTSize,
    ViTSize,
    build_mobile_sam,
    build_sam,
)
from napari_sam.model.tiny_vit import UNUSED_PREFIXES, TinyViT

from .comparison import Answers, ask_ours, ask_reference, differences, epsilons, load, spread
from .references import build_reference

SMALL = {
    "vit": ViTSize(embed_dim=48, depth=4, num_heads=3, global_blocks=(1, 3)),
    "tiny": TinyViTSize((16, 24, 32, 320), (1, 1, 1, 1), (1, 3, 2, 5), (7, 7, 14, 7)),
}
SMALL_IMAGE = 256


def build_ours(size: ViTSize | TinyViTSize, image_size: int) -> Sam:
    build: Any = build_sam if isinstance(size, ViTSize) else build_mobile_sam
    model: Sam = build("small", size, image_size, hq=True)
    return model


@pytest.fixture(scope="module", params=SMALL)
def size(request: FixtureRequest) -> ViTSize | TinyViTSize:
    return SMALL[request.param]


@pytest.fixture(scope="module")
def reference(segment_anything_hq: ModuleType, size: ViTSize | TinyViTSize) -> Any:
    model = build_reference(segment_anything_hq.modeling, size, SMALL_IMAGE, hq=True)
    spread(model)
    return model


@pytest.fixture(scope="module")
def expected(reference: Any) -> Answers:
    return ask_reference(reference)


@pytest.fixture
def ours(reference: Any, size: ViTSize | TinyViTSize) -> Sam:
    return load(build_ours(size, SMALL_IMAGE), copy.deepcopy(reference))


def test_small_model_agrees(ours: Sam, expected: Answers) -> None:
    """Each of the three masks of an ambiguous prompt, and the one that the reference selects."""
    found = differences(ask_ours(ours), expected)
    assert max(found.values()) < 1e-4, found


@pytest.mark.slow
def test_light_hq_sam_agrees(segment_anything_hq: ModuleType) -> None:
    reference = segment_anything_hq.sam_model_registry["vit_tiny"]()
    spread(reference)
    with torch.device("meta"):
        ours = build_mobile_sam("hq_mobile", hq=True)
    found = differences(ask_ours(load(ours, reference)), ask_reference(reference))
    assert max(found.values()) < 1e-4, found


@pytest.mark.parametrize(
    ("name", "n_tensors", "n_elements"),
    [
        ("vit_b", 339, 94_806_832),
        ("vit_l", 507, 313_676_336),
        ("vit_h", 619, 642_686_256),
        ("vit_tiny", 464, 10_588_743),
    ],
)
def test_keys_and_shapes_are_the_official_ones(
    segment_anything_hq: ModuleType, name: str, n_tensors: int, n_elements: int
) -> None:
    is_tiny = name == "vit_tiny"
    with torch.device("cpu" if is_tiny else "meta"):  # their TinyViT cannot be built without memory
        official = segment_anything_hq.sam_model_registry[name]().state_dict()
    with torch.device("meta"):
        ours = build_ours(TINY_VIT_5M if is_tiny else VIT_SIZES[name], 1024).state_dict()
    assert len(official) == n_tensors
    assert sum(tensor.numel() for tensor in official.values()) == n_elements
    unused = tuple(f"image_encoder.{prefix}" for prefix in UNUSED_PREFIXES)
    used = {k: v.shape for k, v in official.items() if not k.startswith(unused)}
    assert {k: v.shape for k, v in ours.items()} == used


def test_norms_add_the_same_epsilon(ours: Sam, reference: Any) -> None:
    assert epsilons(ours).items() <= epsilons(reference).items()


# Each of these changes our model in one way; the comparison above must notice.

Mistake = Callable[[MonkeyPatch, Sam], None]


def change_feature_maps(
    patch: MonkeyPatch, change: Callable[..., tuple[torch.Tensor, ...]]
) -> None:
    """Hand other maps to the function that makes the HQ features."""
    feature_maps = HQMaskDecoder.feature_maps
    patch.setattr(
        HQMaskDecoder,
        "feature_maps",
        lambda self, embedding, early: (
            embedding,
            feature_maps(self, *change(embedding, early))[1],
        ),
    )


def take_early_features_too_late(patch: MonkeyPatch, model: Sam) -> None:
    """Those of the last attention over the whole image; TinyViT's after one more convolution."""
    if isinstance(model.image_encoder, TinyViT):
        _, second, *_ = model.image_encoder.layers
        again = second.downsample.conv3
        change_feature_maps(patch, lambda embedding, early: (embedding, again(early)))
    else:
        model.image_encoder.early_block = 3


def forget_the_early_features(patch: MonkeyPatch, model: Sam) -> None:
    change_feature_maps(patch, lambda embedding, early: (embedding, torch.zeros_like(early)))


def transpose_the_early_features(patch: MonkeyPatch, model: Sam) -> None:
    change_feature_maps(patch, lambda embedding, early: (embedding, early.mT))


def forget_the_embedding_in_the_fine_features(patch: MonkeyPatch, model: Sam) -> None:
    change_feature_maps(patch, lambda embedding, early: (torch.zeros_like(embedding), early))


def activate_the_fine_features(patch: MonkeyPatch, model: Sam) -> None:
    model.mask_decoder.compress_vit_feat.append(nn.GELU())


def forget_the_pixels_of_sam(patch: MonkeyPatch, model: Sam) -> None:
    model.mask_decoder.embedding_maskfeature[-1].weight.data.zero_()


def replace_the_masks_of_sam(patch: MonkeyPatch, model: Sam) -> None:
    """As the reference does when asked for the HQ token only."""
    forward = MaskDecoder.weights
    patch.setattr(MaskDecoder, "weights", lambda *inputs: torch.zeros_like(forward(*inputs)))


def put_the_hq_token_before_the_others(patch: MonkeyPatch, model: Sam) -> None:
    output_tokens = HQMaskDecoder.output_tokens

    def reordered(self: HQMaskDecoder) -> torch.Tensor:
        iou, *masks, hq = output_tokens(self)
        return torch.stack([iou, hq, *masks])

    patch.setattr(HQMaskDecoder, "output_tokens", reordered)


def read_the_hq_token_as_the_first_mask_token(patch: MonkeyPatch, model: Sam) -> None:
    model.mask_decoder.hf_mlp = model.mask_decoder.output_hypernetworks_mlps[0]


def choose_among_the_first_three(patch: MonkeyPatch, model: Sam) -> None:
    forward = HQMaskDecoder.forward

    def first_three(self: HQMaskDecoder, *inputs: Any) -> Any:
        *inputs, multimask = inputs
        answers = zip(forward(self, *inputs, False), forward(self, *inputs, True), strict=True)
        count = 3 if multimask else 1
        return tuple(torch.cat(pair, dim=1)[:, :count] for pair in answers)

    patch.setattr(HQMaskDecoder, "forward", first_three)


def choose_the_worst(patch: MonkeyPatch, model: Sam) -> None:
    """Only the choice among the masks is wrong, no mask."""
    patch.setattr(torch.Tensor, "argmax", torch.Tensor.argmin)


MISTAKES: list[Mistake] = [
    take_early_features_too_late,
    forget_the_early_features,
    transpose_the_early_features,
    forget_the_embedding_in_the_fine_features,
    activate_the_fine_features,
    forget_the_pixels_of_sam,
    replace_the_masks_of_sam,
    put_the_hq_token_before_the_others,
    read_the_hq_token_as_the_first_mask_token,
    choose_among_the_first_three,
    choose_the_worst,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_would_be_noticed(
    mistake: Mistake, ours: Sam, expected: Answers, monkeypatch: MonkeyPatch
) -> None:
    mistake(monkeypatch, ours)
    assert max(differences(ask_ours(ours), expected).values()) > 1e-3
