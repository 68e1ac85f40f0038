"""Sizes, recordings and empty tiles: what is shown to a model, and what is counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from napari_sam.model import Features, Model, load_model
from napari_sam.train import empty_tiles
from napari_sam.train.by_hand import TYPICAL, Part, mean_of
from napari_sam.train.empty_tiles import KINDS, SIDE, camera, evaluate_empty, look
from napari_sam.train.planes import LabeledPlane
from napari_sam.train.recordings import RECORDINGS, evaluate_recordings
from napari_sam.train.scales import evaluate_scales, variation
from napari_sam.train.synthetic import KINDS as SYNTHETIC


def nuclei(shape: tuple[int, int] = (300, 360)) -> LabeledPlane:
    image, labels = SYNTHETIC["nuclei"](np.random.default_rng(3), shape)
    return LabeledPlane(image.astype(np.float16)[..., None], (labels,))


def discs(diameter: float = 36) -> LabeledPlane:
    y, x = np.indices((200, 200))
    labels = np.zeros(y.shape, np.int32)
    for i, (cy, cx) in enumerate([(50, 50), (50, 150), (150, 50), (150, 150)]):
        labels[np.hypot(y - cy, x - cx) < diameter / 2] = i + 1
    return LabeledPlane(np.where(labels > 0, 0.8, 0.1).astype(np.float16)[..., None], (labels,))


class ThresholdModel(Model):
    """Selects a disc of 36 samples around a prompt, if the image is bright there."""

    name, image_size, low_res_size = "threshold", 512, 512

    def encode(self, windows: torch.Tensor) -> Features:
        return Features((windows[:, :1],))

    def decode(self, features, points=None, labels=None, box=None, mask=None, multimask=True):
        center = box.view(2, 2).mean(0) if points is None else points[0, 0]
        y, x = torch.meshgrid(torch.arange(512.0), torch.arange(512.0), indexing="ij")
        is_bright = features.maps[0][0, 0, int(center[1]), int(center[0])] > 0.5
        inside = 18.0 - torch.hypot(x - center[0], y - center[1])
        logits = (inside if is_bright else -torch.ones(512, 512))[None, None]
        return logits.repeat(1, 3, 1, 1), torch.tensor([[0.9, 0.8, 0.7]])


def test_a_part_holds_whole_typical_objects() -> None:
    plane = nuclei()
    part = Part.richest(plane, max_objects=4)
    assert 0 < len(part.objects) <= 4
    median = np.median(plane.areas)
    for mask in part.objects:
        assert mask.shape == part.image.shape[:2]
        assert median / TYPICAL <= mask.sum() <= median * TYPICAL
        assert not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


@pytest.mark.parametrize("diameter", [9, 36, 150])
def test_objects_are_scaled_and_the_image_fills_a_window(diameter: int) -> None:
    part = Part.richest(discs(), max_objects=4)
    scaled = part.scaled(diameter, least_side=256)
    assert len(scaled.objects) == 4
    assert min(scaled.image.shape[:2]) >= 256
    for mask in scaled.objects:
        assert mask.shape == scaled.image.shape[:2]
        assert np.sqrt(mask.sum() * 4 / np.pi) == pytest.approx(diameter, rel=0.06)
        assert scaled.image[mask].mean() > 0.65  # image and mask lie on each other


def test_a_model_that_knows_one_size() -> None:
    figures = evaluate_scales(ThresholdModel(), [discs()], sizes=(36,), max_objects=2)
    assert list(figures) == ["36 px"]
    assert figures["36 px"]["objects"] == 2
    assert min(figures["36 px"][key] for key in ("point", "box", "point alone")) > 0.9


def test_the_range_of_figures() -> None:
    assert variation([{"point": 0.5}, {"point": 0.9}, {"point": 0.6}], "point") == (
        pytest.approx(0.2)
    )
    assert mean_of([{"point": 0.5}, {"point": 1.0}]) == {"objects": 2, "point": 0.75}
    assert mean_of([]) == {}


def test_what_looks_at_brightness_minds_inversion_only() -> None:
    figures = evaluate_recordings(ThresholdModel(), [discs()], max_objects=2)
    assert list(figures) == list(RECORDINGS)
    inverted = figures.pop("inverted")
    assert inverted["point"] == 0
    assert min(row["box"] for row in figures.values()) > 0.9


def test_recordings_of_colors_are_left_out() -> None:
    colored = LabeledPlane(discs().image.repeat(3, axis=2), discs().labels)
    assert evaluate_recordings(ThresholdModel(), [colored]) == {}


def test_recordings_use_their_bits() -> None:
    gray = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE)
    raw = {name: record(gray) for name, record in RECORDINGS.items()}
    assert {name: image.dtype.itemsize for name, image in raw.items()} == {
        "8 bit": 1, "inverted": 1, "12 bit": 2, "16 bit": 2, "16 bit, hot pixel": 2,
    }  # fmt: skip
    assert raw["12 bit"].max() < 4096
    assert np.count_nonzero(raw["16 bit"] != raw["16 bit, hot pixel"]) == 1
    np.testing.assert_array_equal(raw["inverted"], 255 - raw["8 bit"])


@pytest.mark.parametrize(("bits", "expected"), [(8, 6.0 + 24.9), (12, 100 + 99.9), (16, 400 + 217)])
def test_a_camera_counts_electrons(bits: int, expected: float) -> None:
    raw = camera(np.random.default_rng(0), np.full((200, 200), 100.0), bits)
    assert raw.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert raw.mean() == pytest.approx(expected, rel=0.01)
    assert raw.std() == pytest.approx((expected - raw.min()) / 4, rel=0.9)  # it is not constant


@pytest.mark.parametrize("kind", KINDS)
def test_empty_tiles_come_again(kind: str) -> None:
    first, again, other = (KINDS[kind](np.random.default_rng(seed)) for seed in (0, 0, 1))
    assert first.shape == (SIDE, SIDE)
    assert first.dtype in (np.uint8, np.uint16)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_what_is_found_on_empty_tiles_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([(0, 0.3), (3, 0.8)])
    monkeypatch.setattr(empty_tiles, "KINDS", {"constant": KINDS["constant"]})
    monkeypatch.setattr(empty_tiles, "look", lambda *_: next(looks))
    assert evaluate_empty(ThresholdModel(), n_tiles=2) == {
        "constant": {"tiles": 2, "objects per tile": 1.5, "highest score": 0.8}
    }


def test_nano_finds_an_object_where_there_is_one() -> None:
    raw = camera(np.random.default_rng(0), np.full((SIDE, SIDE), 20.0), 12)
    y, x = np.indices(raw.shape)
    raw[np.hypot(y - 200, x - 300) < 20] += 400
    count, score = look(load_model(device="cpu"), raw)
    assert count >= 1
    assert score > 0.65


@pytest.mark.slow
def test_nano_finds_nothing_where_there_is_nothing() -> None:
    for kind, figures in evaluate_empty(load_model(device="cpu"), n_tiles=2).items():
        assert figures["objects per tile"] == 0, kind
