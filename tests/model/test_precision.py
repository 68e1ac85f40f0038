from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pytest import MonkeyPatch
from torch import nn

from napari_sam.model import precision
from napari_sam.model.base import Model
from napari_sam.model.load import load_model
from napari_sam.model.nano import Nano
from napari_sam.model.precision import (
    VERDICTS,
    agreement,
    has_bfloat16_units,
    is_harmless,
    mean_iou,
    set_precision,
    upscaling_agreement,
    upscaling_dtype,
)
from napari_sam.model.sam import Sam, TinyViTSize, ViTSize, build_mobile_sam, build_sam

from .comparison import spread

SMALL_VIT = ViTSize(embed_dim=48, depth=4, num_heads=3, global_blocks=(1, 3))
SMALL_TINY_VIT = TinyViTSize((16, 32, 32, 64), (1, 1, 2, 1), (1, 1, 1, 2), (7, 7, 14, 7))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: MonkeyPatch) -> Path:
    monkeypatch.setenv("NAPARI_SAM_MODELS", str(tmp_path))
    return tmp_path


@pytest.fixture(params=[SMALL_VIT, SMALL_TINY_VIT], ids=["vit", "tiny_vit"])
def small(request: pytest.FixtureRequest) -> Sam:
    build = build_sam if isinstance(request.param, ViTSize) else build_mobile_sam
    model = build("small", request.param, image_size=320).eval().requires_grad_(False)
    spread(model)
    return model


def test_encoders_in_bfloat16_stay_close(small: Sam) -> None:
    window = torch.rand(2, 3, 200, 320)
    exact = small.encode(window)
    set_precision(small, "bfloat16")
    rounded = small.encode(window)
    for a, b in zip(rounded.maps, exact.maps, strict=True):
        assert a.dtype == torch.float32
        error = (a - b).norm() / b.norm()
        assert 1e-4 < error < 5e-2  # not the same, and as close as 8 bits allow


def test_only_matrices_of_the_encoder_are_rounded(small: Sam) -> None:
    set_precision(small, "bfloat16")
    for name, weights in small.named_parameters():
        is_matrix = name.startswith("image_encoder.") and weights.ndim >= 2
        if weights.dtype == torch.bfloat16:
            assert name.startswith("image_encoder."), name
        elif is_matrix:
            assert name.endswith(("pos_embed", "rel_pos_h", "rel_pos_w", "attention_biases")), name


def test_built_in_model_sees_the_same_in_bfloat16() -> None:
    nano = load_model("nano", device="cpu")
    before = {name: weights.clone() for name, weights in nano.state_dict().items()}
    assert 0.98 < agreement(nano) <= 1
    for name, weights in nano.state_dict().items():
        assert torch.equal(weights, before[name]), name  # as it was


class Unsteady(nn.Linear):
    """An encoder that sees something else in bfloat16."""

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sign = 1 if self.weight.dtype == torch.float32 else -1
        return torch.full((len(images), 256, 4, 4), float(sign)), images


class Blobs(Sam):
    """Finds the left or the right half of everything."""

    def decode(self, features, points, labels, *_):  # type: ignore[no-untyped-def, override]
        right = torch.arange(64) >= 32
        is_left = features.maps[0].mean() < 0
        logits = (2.0 * (right != is_left) - 1).expand(len(points), 3, 64, 64)
        return logits, torch.ones(len(points), 3)


def model_with(encoder: nn.Module) -> Model:
    model = build_sam("fake", ViTSize(24, 1, 2, (0,)), image_size=64)
    encoder.image_size = 64  # type: ignore[assignment]
    fake = Blobs("fake", encoder, model.prompt_encoder, model.mask_decoder)  # type: ignore[arg-type]
    fake.weights_hash = "0" * 64
    return fake.eval().requires_grad_(False)


class Steady(Unsteady):
    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.ones(len(images), 256, 4, 4), images


@pytest.mark.parametrize("units", [True, False])
@pytest.mark.parametrize(("encoder", "steady"), [(Unsteady, False), (Steady, True)])
def test_policy(
    encoder: type[nn.Linear], steady: bool, units: bool, monkeypatch: MonkeyPatch
) -> None:
    """bfloat16 where it is fast and harmless, and only there."""
    monkeypatch.setattr(precision, "has_bfloat16_units", lambda device: units)
    model = model_with(encoder(2, 2))
    set_precision(model, "auto")
    expected = torch.bfloat16 if units and steady else torch.float32
    assert {w.dtype for w in model.image_encoder.parameters()} == {expected}


def test_models_are_loaded_in_the_precision_asked_for() -> None:
    nano = load_model("nano", device="cpu", precision="bfloat16")
    assert {w.dtype for w in precision.matrices(nano.image_encoder)} == {torch.bfloat16}
    assert {w.dtype for w in nano.mask_decoder.parameters()} == {torch.float32}  # type: ignore[operator, union-attr]


def test_small_encoders_stay_float32(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bfloat16_units", lambda device: True)
    nano = Nano()
    set_precision(nano, "auto")
    assert {w.dtype for w in nano.parameters()} == {torch.float32}


@pytest.mark.parametrize("units", [True, False])
@pytest.mark.parametrize("agreement", [1.0, 0.9])
def test_policy_of_upscaling(agreement: float, units: bool, monkeypatch: MonkeyPatch) -> None:
    """Measured once for a model, even without a record, and only where it can be faster."""
    measured: list[Model] = []

    def measure(model: Model) -> float:
        measured.append(model)
        return agreement

    monkeypatch.setattr(precision, "has_bfloat16_units", lambda device: units)
    monkeypatch.setattr(precision, "upscaling_agreement", measure)
    model = model_with(Steady(2, 2))
    model.weights_hash = None
    expected = torch.bfloat16 if units and agreement == 1 else torch.float32
    assert [upscaling_dtype(model), upscaling_dtype(model)] == [expected] * 2
    assert len(measured) == units
    assert upscaling_dtype(Nano()) == torch.float32  # which upscales as it always does
    assert len(measured) == units


def test_agreement_of_upscaling(small: Sam) -> None:
    assert 0.9 < upscaling_agreement(small) <= 1


def test_what_was_found_is_kept(folder: Path, monkeypatch: MonkeyPatch) -> None:
    assert not is_harmless(model_with(Unsteady(2, 2)))
    (verdict,) = json.loads((folder / VERDICTS).read_text()).items()
    assert verdict[0].startswith("0" * 64)
    assert verdict[1] < 0.1
    with monkeypatch.context() as patch:
        patch.setattr(precision, "agreement", lambda model: pytest.fail("asked again"))
        assert not is_harmless(model_with(Unsteady(2, 2)))
    other = model_with(Steady(2, 2))
    other.weights_hash = "1" * 64
    assert is_harmless(other)
    assert len(json.loads((folder / VERDICTS).read_text())) == 2


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": "b"}', '{"a": null}'])
def test_a_damaged_record_is_replaced(folder: Path, content: str) -> None:
    (folder / VERDICTS).write_text(content)
    assert is_harmless(model_with(Steady(2, 2)))
    assert list(json.loads((folder / VERDICTS).read_text()).values()) == [1.0]


def test_an_unwritable_folder_does_not_hurt(folder: Path, monkeypatch: MonkeyPatch) -> None:
    (folder / "file").touch()
    monkeypatch.setenv("NAPARI_SAM_MODELS", str(folder / "file" / "models"))
    assert is_harmless(model_with(Steady(2, 2)))


def test_weights_from_nowhere_are_not_recorded(folder: Path) -> None:
    model = model_with(Steady(2, 2))
    model.weights_hash = None
    assert is_harmless(model)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("amx", "avx", "expected"), [(1, 1, True), (0, 1, True), (1, 0, True), (0, 0, False)]
)
def test_units_of_a_cpu(amx: int, avx: int, expected: bool, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: bool(amx), raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: bool(avx), raising=False)
    assert has_bfloat16_units(torch.device("cpu")) == expected
    assert not has_bfloat16_units(torch.device("mps"))


def test_queries_that_torch_does_not_have(monkeypatch: MonkeyPatch) -> None:
    for query in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.delattr(torch.cpu, query, raising=False)
    assert not has_bfloat16_units(torch.device("cpu"))


def test_an_encoder_that_torch_does_not_run_is_left_alone(monkeypatch: MonkeyPatch) -> None:
    model = Nano()
    model.image_encoder = nn.Identity()  # type: ignore[assignment]
    monkeypatch.setattr(precision, "agreement", lambda model: pytest.fail("asked"))
    for wanted in ("auto", "bfloat16", "float32"):
        set_precision(model, wanted)  # type: ignore[arg-type]
        assert {weights.dtype for weights in model.parameters()} == {torch.float32}


def test_unknown_precision() -> None:
    with pytest.raises(ValueError, match=r"precision is 'float16'; expected .auto., .float32."):
        set_precision(Nano(), "float16")  # type: ignore[arg-type]


def test_mean_iou_of_objects_only() -> None:
    masks = torch.zeros(4, 100, 100, dtype=torch.bool)
    masks[1] = True  # everything; 0 is nothing
    masks[2:, :50] = True
    found = masks.clone()
    found[:2] = ~found[:2]
    found[2, 25:] = False
    assert mean_iou(found, masks) == pytest.approx(0.75)
    assert mean_iou(found[:2], masks[:2]) == 0
