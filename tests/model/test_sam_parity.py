"""Our SAM gives the numbers of the `segment-anything` package."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pytest import MonkeyPatch
from torch import nn

from napari_sam.model import image_encoder, prompt_encoder, sam
from napari_sam.model.mask_decoder import MaskDecoder
from napari_sam.model.sam import VIT_SIZES, Sam, ViTSize, build_sam
from napari_sam.model.transformer import TwoWayBlock

from .comparison import Answers, ask_ours, ask_reference, differences, epsilons, load, spread
from .references import build_reference

SMALL = ViTSize(embed_dim=48, depth=4, num_heads=3, global_blocks=(1, 3))
SMALL_IMAGE = 320
"""A grid of 20 tokens a side, so that windows of 14 are padded."""


@pytest.fixture(scope="module")
def reference(segment_anything: ModuleType) -> Any:
    model = build_reference(segment_anything.modeling, SMALL, SMALL_IMAGE)
    spread(model)
    return model


@pytest.fixture(scope="module")
def expected(reference: Any) -> Answers:
    return ask_reference(reference)


@pytest.fixture
def ours(reference: Any) -> Sam:
    return load(build_sam("small", SMALL, SMALL_IMAGE), copy.deepcopy(reference))


def test_small_model_agrees(ours: Sam, expected: Answers) -> None:
    found = differences(ask_ours(ours), expected)
    assert max(found.values()) < 1e-4, found


@pytest.mark.slow
def test_vit_b_agrees(segment_anything: ModuleType) -> None:
    reference = build_reference(segment_anything.modeling, VIT_SIZES["vit_b"], 1024)
    spread(reference)
    with torch.device("meta"):
        ours = build_sam("vit_b", VIT_SIZES["vit_b"])
    found = differences(ask_ours(load(ours, reference)), ask_reference(reference))
    assert max(found.values()) < 1e-4, found


def test_agrees_with_the_predictor(segment_anything: ModuleType, reference: Any, ours: Sam) -> None:
    """The whole way from an 8-bit image and prompts in its pixels, the reference's own."""
    image = np.random.default_rng(3).integers(0, 256, (211, SMALL_IMAGE, 3), dtype=np.uint8)
    points, labels = np.array([[30.0, 200.5], [310, 4]]), np.array([1, 0])
    predictor = segment_anything.SamPredictor(reference)
    predictor.set_image(image)
    _, expected_iou, expected_logits = predictor.predict(points, labels)

    window = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    logits, predicted_iou = ours.decode(
        ours.encode(window), torch.from_numpy(points)[None], torch.from_numpy(labels)[None]
    )
    np.testing.assert_allclose(logits[0], expected_logits, atol=1e-4)
    np.testing.assert_allclose(predicted_iou[0], expected_iou, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "n_tensors", "n_elements"),
    [("vit_b", 314, 93_735_728), ("vit_l", 482, 312_343_088), ("vit_h", 594, 641_090_864)],
)
def test_keys_and_shapes_are_the_official_ones(
    segment_anything: ModuleType, name: str, n_tensors: int, n_elements: int
) -> None:
    with torch.device("meta"):
        ours = build_sam(name, VIT_SIZES[name]).state_dict()
        official = segment_anything.sam_model_registry[name]().state_dict()
    assert len(official) == n_tensors
    assert sum(tensor.numel() for tensor in official.values()) == n_elements
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in official.items()}


def test_norms_add_the_same_epsilon(ours: Sam, reference: Any) -> None:
    """Too small to show in the numbers above."""
    assert epsilons(ours) == epsilons(reference)


# Each of these changes our model in one way; the comparison above must notice.

Mistake = Callable[[MonkeyPatch, Sam], None]


def scale_the_query_of_relative_positions(patch: MonkeyPatch, model: Sam) -> None:
    by_offset = image_encoder.by_offset
    patch.setattr(image_encoder, "by_offset", lambda table: by_offset(table) / 4)


def mirror_relative_positions(patch: MonkeyPatch, model: Sam) -> None:
    by_offset = image_encoder.by_offset
    patch.setattr(image_encoder, "by_offset", lambda table: by_offset(table).transpose(0, 1))


def swap_relative_positions(patch: MonkeyPatch, model: Sam) -> None:
    for block in model.image_encoder.blocks:
        block.attn.rel_pos_h, block.attn.rel_pos_w = block.attn.rel_pos_w, block.attn.rel_pos_h


def pad_windows_before_the_norm(patch: MonkeyPatch, model: Sam) -> None:
    def attend(block: image_encoder.WindowedBlock, x: torch.Tensor) -> torch.Tensor:
        bias = block.norm1.bias  # the norm of a zero
        padded = image_encoder.partition(x - bias, block.window_size) + bias
        return image_encoder.unpartition(block.attn(padded), *x.shape[1:3])

    patch.setattr(image_encoder.WindowedBlock, "attend", attend)


def attend_globally_everywhere_but_in_the_last_block(patch: MonkeyPatch, model: Sam) -> None:
    blocks = model.image_encoder.blocks
    blocks[1], blocks[0] = blocks[0], blocks[1]


def pad_before_normalizing(patch: MonkeyPatch, model: Sam) -> None:
    prepare = Sam.prepare

    def pad_and_prepare(model: Sam, windows: torch.Tensor) -> torch.Tensor:
        height, width = windows.shape[2:]
        size = model.image_size
        return prepare(model, F.pad(windows, (0, size - width, 0, size - height)))

    patch.setattr(Sam, "prepare", pad_and_prepare)


def normalize_as_bgr(patch: MonkeyPatch, model: Sam) -> None:
    patch.setattr(sam, "MEAN", sam.MEAN[::-1])


def approximate_gelu(patch: MonkeyPatch, model: Sam) -> None:
    for module in model.modules():
        if isinstance(module, nn.GELU):
            module.approximate = "tanh"


def forget_that_centers_are_at_halves(patch: MonkeyPatch, model: Sam) -> None:
    embed = prompt_encoder.PromptEncoder.embed_positions
    patch.setattr(
        prompt_encoder.PromptEncoder, "embed_positions", lambda self, xy: embed(self, xy - 0.5)
    )


def swap_x_and_y(patch: MonkeyPatch, model: Sam) -> None:
    embed = prompt_encoder.PromptEncoder.embed_positions
    patch.setattr(
        prompt_encoder.PromptEncoder, "embed_positions", lambda self, xy: embed(self, xy.flip(-1))
    )


def transpose_the_grid_of_positions(patch: MonkeyPatch, model: Sam) -> None:
    of_grid = prompt_encoder.FourierPositions.of_grid
    patch.setattr(
        prompt_encoder.FourierPositions, "of_grid", lambda self, size: of_grid(self, size).mT
    )


def swap_positive_and_negative(patch: MonkeyPatch, model: Sam) -> None:
    kinds = model.prompt_encoder.point_embeddings
    kinds[0], kinds[1] = kinds[1], kinds[0]


def give_padding_a_position(patch: MonkeyPatch, model: Sam) -> None:
    embed = prompt_encoder.PromptEncoder.embed_points

    def embed_and_add(
        self: prompt_encoder.PromptEncoder, points: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        is_padding = (labels == -1)[..., None]
        return embed(self, points, labels) + is_padding * self.embed_positions(points)

    patch.setattr(prompt_encoder.PromptEncoder, "embed_points", embed_and_add)


def forget_the_padding_point(patch: MonkeyPatch, model: Sam) -> None:
    forward = prompt_encoder.PromptEncoder.forward

    def without(self: prompt_encoder.PromptEncoder, *prompts: Any) -> Any:
        sparse, dense = forward(self, *prompts)
        points, _, box, _ = prompts
        return (sparse[:, :-1] if points is not None and box is None else sparse), dense

    patch.setattr(prompt_encoder.PromptEncoder, "forward", without)


def forget_that_there_is_no_mask(patch: MonkeyPatch, model: Sam) -> None:
    model.prompt_encoder.no_mask_embed.weight.data.zero_()


def answer_ambiguity_with_the_single_mask(patch: MonkeyPatch, model: Sam) -> None:
    forward = MaskDecoder.forward

    def first_three(self: MaskDecoder, *inputs: Any) -> Any:
        *inputs, multimask = inputs
        answers = zip(forward(self, *inputs, False), forward(self, *inputs, True), strict=True)
        count = 3 if multimask else 1
        return tuple(torch.cat(pair, dim=1)[:, :count] for pair in answers)

    patch.setattr(MaskDecoder, "forward", first_three)


def give_the_first_self_attention_positions(patch: MonkeyPatch, model: Sam) -> None:
    model.mask_decoder.transformer.layers[0].is_first = False


def renew_the_positions_of_tokens_in_every_layer(patch: MonkeyPatch, model: Sam) -> None:
    forward = TwoWayBlock.forward
    patch.setattr(
        TwoWayBlock,
        "forward",
        lambda self, tokens, image, _, positions: forward(self, tokens, image, tokens, positions),
    )


MISTAKES: list[Mistake] = [
    scale_the_query_of_relative_positions,
    mirror_relative_positions,
    swap_relative_positions,
    pad_windows_before_the_norm,
    attend_globally_everywhere_but_in_the_last_block,
    pad_before_normalizing,
    normalize_as_bgr,
    approximate_gelu,
    forget_that_centers_are_at_halves,
    swap_x_and_y,
    transpose_the_grid_of_positions,
    swap_positive_and_negative,
    give_padding_a_position,
    forget_the_padding_point,
    forget_that_there_is_no_mask,
    answer_ambiguity_with_the_single_mask,
    give_the_first_self_attention_positions,
    renew_the_positions_of_tokens_in_every_layer,
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_mistake_would_be_noticed(
    mistake: Mistake, ours: Sam, expected: Answers, monkeypatch: MonkeyPatch
) -> None:
    mistake(monkeypatch, ours)
    assert max(differences(ask_ours(ours), expected).values()) > 1e-3
