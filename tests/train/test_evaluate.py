"""Evaluation: the user who knows the truth, the baselines, and what is written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from napari_sam import cli
from napari_sam.model import Features, Model, load_model
from napari_sam.train import empty_tiles, recordings, scales
from napari_sam.train.automatic import fitting_step, richest_square
from napari_sam.train.baselines import GradientWatershed, otsu_watershed
from napari_sam.train.clicks import Answer, click_object, iou, largest_error
from napari_sam.train.contact_sheet import COLUMNS, TILE, ZOOM, Example, contact_sheet
from napari_sam.train.evaluate import (
    MEASURES,
    evaluate_automatic,
    evaluate_planes,
    parse_modes,
    scaled_crop,
    spread,
)
from napari_sam.train.planes import LabeledPlane
from napari_sam.train.report import PROMPTS, Report, worse_after
from napari_sam.train.scores import instance_scores
from napari_sam.train.tables import markdown_table


def discs(shape: tuple[int, int] = (120, 150), radius: int = 9) -> LabeledPlane:
    """Make a plane of bright discs on a grid."""
    y, x = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    for i, (cy, cx) in enumerate((cy, cx) for cy in (30, 70) for cx in (25, 75, 125)):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = i + 1
    image = np.where(labels > 0, 0.8, 0.1).astype(np.float16)[..., None]
    return LabeledPlane(image, (labels,))


class DiscModel(Model):
    """Knows that objects are discs 36 samples wide: right where prompted at the center."""

    name, image_size, low_res_size = "disc", 512, 512

    def encode(self, windows: torch.Tensor) -> Features:
        return Features((torch.zeros(1, 1, 1, 1),))

    def decode(self, features, points=None, labels=None, box=None, mask=None, multimask=True):
        center = box.view(2, 2).mean(0) if points is None else points[0, 0]
        y, x = torch.meshgrid(torch.arange(512.0), torch.arange(512.0), indexing="ij")
        distance = torch.hypot(x - center[0], y - center[1])
        radii = torch.tensor([18.0, 36.0, 9.0] if multimask else [18.0])
        logits = (radii[:, None, None] - distance)[None]
        return logits, torch.tensor([[0.2, 0.9, 0.1]] if multimask else [[0.9]])


def test_the_choice_of_the_model_is_told_from_the_best_one() -> None:
    figures = evaluate_planes(DiscModel(), [discs()], max_objects=4)
    assert figures["objects"] == 4
    assert figures["oracle"] > 0.9
    assert figures["point"] == pytest.approx(0.25, abs=0.05)  # it prefers the double radius
    assert figures["clicks3"] > 0.9  # the single mask is right
    assert figures["clicks8"] > 0.9


def test_clicks_correct_what_is_wrong() -> None:
    truth = discs().labels[0] == 2
    asked = []

    def ask(points=None, labels=None, box=None, previous=None) -> Answer:
        """Draw small discs around all positive clicks so far."""
        y, x = np.indices(truth.shape)
        mask = np.zeros(truth.shape, bool)
        for (px, py), sign in zip(points or [], labels or [], strict=True):
            mask |= (np.hypot(y - py, x - px) <= 5) & (sign == 1)
        if box is None:
            asked.append((list(points), list(labels), previous))
        return Answer(mask[None], np.ones(1, np.float32), torch.full((1, 2, 2), len(asked)))

    result = click_object(ask, truth)
    assert len(asked) == 8
    assert [len(points) for points, _, _ in asked] == list(range(1, 9))
    assert [None if p is None else int(p[0, 0]) for _, _, p in asked] == [None, *range(1, 8)]
    assert result.point == asked[0][0][0] == (75, 30)
    assert result.figures["point"] < result.figures["clicks3"] < result.figures["clicks8"]
    assert result.figures["box"] == 0
    signs = asked[-1][1]
    for (px, py), sign in zip(asked[-1][0][:2], signs[:2], strict=True):
        assert truth[int(py), int(px)] == (sign == 1)


def test_the_largest_error_is_found() -> None:
    truth = discs().labels[0] == 1
    (x, y), sign = largest_error(truth, np.zeros_like(truth))
    assert (round(y), round(x), sign) == (30, 25, 1)
    (x, y), sign = largest_error(truth, truth | (discs().labels[0] == 2))
    assert (round(y), round(x), sign) == (30, 75, 0)


def test_the_median_object_is_scaled() -> None:
    crop = scaled_crop(discs(), size=512, diameter=36)
    areas = np.bincount(crop.labels.ravel())[1:]
    assert np.sqrt(np.median(areas) * 4 / np.pi) == pytest.approx(36, abs=1)
    assert crop.image.shape[1:] == crop.labels.shape


def test_the_square_with_most_objects() -> None:
    labels = np.zeros((100, 200), np.int32)
    for i, (y, x) in enumerate([(5, 5), (80, 150), (90, 160), (70, 170)]):
        labels[y : y + 3, x : x + 3] = i + 1
    cut = richest_square(labels, 40)
    assert labels[cut].shape == (40, 40)
    assert set(np.unique(labels[cut])) == {0, 2, 3, 4}
    assert labels[richest_square(labels, 500)].shape == labels.shape


@pytest.mark.parametrize(("diameter", "step"), [(45, 1), (10, 1 / 4), (30, 0.5), (200, 4)])
def test_the_step_fits_the_objects(diameter: float, step: float) -> None:
    assert fitting_step(diameter) == step


def test_otsu_and_watershed_find_bright_or_dark_discs() -> None:
    plane = discs()
    rng = np.random.default_rng(0)
    noisy = plane.image.astype(float) + rng.normal(0, 0.05, plane.image.shape)
    for image in (noisy, 1 - noisy):
        found = otsu_watershed(image, plane.diameter)
        assert instance_scores(plane.labels[0], found).ap50 == 1
    assert not otsu_watershed(np.ones((40, 40, 1)), 10).any()


def test_gradient_watershed_answers_prompts() -> None:
    plane = discs()
    truth = plane.labels[0] == 5
    figures = click_object(GradientWatershed(plane.image.transpose(2, 0, 1), 36), truth).figures
    assert min(figures[key] for key in ("point", "box", "clicks8")) > 0.85


@pytest.mark.slow
def test_nano_finds_most_discs() -> None:
    plane = discs(radius=12)
    blurred = LabeledPlane(plane.image + np.float16(0.02), plane.labels)
    found = evaluate_automatic(load_model(device="cpu"), [blurred], ("seeds", "watershed"))
    assert list(found) == ["seeds", "watershed", "otsu"]
    assert found["otsu"]["ap50"] == 1
    assert min(found["seeds"]["ap50"], found["watershed"]["ap50"]) > 0.6


def test_contact_sheet_shows_best_median_and_worst() -> None:
    truth = discs().labels[0] == 1
    image = np.zeros((1, *truth.shape))

    def example(shift: int) -> Example:
        found = np.roll(truth, shift, axis=1)
        return Example.around((25, 30), image, truth, found, iou(truth, found))

    examples = [example(shift) for shift in range(19)]
    sheet = contact_sheet(examples[::-1])
    side = TILE * ZOOM + 4
    assert sheet.size == (side * COLUMNS, side * 3)
    tiles = np.asarray(sheet).reshape(3, side, COLUMNS, side, 3).swapaxes(1, 2)
    magenta = (tiles == (255, 0, 220)).all(-1).sum((2, 3))
    assert magenta[0, 0] == 0  # the best one agrees with the truth
    assert magenta[2, -1] > 0
    assert contact_sheet(examples[:1]).size == sheet.size
    with pytest.raises(ValueError, match="no objects"):
        contact_sheet([])


def test_an_example_at_the_border_keeps_the_click_in_place() -> None:
    truth = np.zeros((40, 60), bool)
    truth[0:5, 55:60] = True
    shown = Example.around((57, 2), np.zeros((3, 40, 60)), truth, truth, 1.0)
    assert shown.truth.sum() == truth.sum()
    x, y = shown.click
    assert shown.truth[round(y), round(x)]


def test_in_domain_means_leave_out_what_is_unknown(tmp_path: Path) -> None:
    def row(n: float, value: float) -> dict[str, float]:
        return {"objects": n, **dict.fromkeys((*MEASURES, "correlation"), value)}

    results = {"a": {"nano": row(3, 0.5)}, "b": {"nano": row(1, 0.7)}, "c": {"nano": row(9, 0)}}
    results["b"]["nano"]["correlation"] = float("nan")
    table = markdown_table(results, PROMPTS, {"a", "b"}).splitlines()
    assert table[4] == "| **in-domain mean** | nano | 4 |" + " 0.600 |" * 5 + " 0.500 |"
    assert table[5].startswith("| c (out of domain) | nano | 9 |")

    results["a"]["nano"]["clicks4"] = 0.25
    Report({"a"}, results).save(tmp_path / "new" / "folder")
    saved = json.loads((tmp_path / "new" / "folder" / "figures.json").read_text())
    assert saved["prompts"]["b"]["nano"]["correlation"] is None
    assert saved["prompts"]["a"]["nano"]["point"] == 0.5
    assert "| click 4: -0.250 |" in (tmp_path / "new" / "folder" / "figures.md").read_text()


def test_whether_more_clicks_help() -> None:
    better = {"point": 0.5, **{f"clicks{n}": 0.5 + n / 100 for n in range(2, 9)}}
    assert worse_after(better) == "never"
    assert worse_after(better | {"clicks8": 0.4}) == "click 8: -0.170"


def test_modes() -> None:
    model = DiscModel()
    assert parse_modes(None, model) == ("grid",)
    with pytest.raises(ValueError, match="no mode 'all'"):
        parse_modes("grid, all", model)
    with pytest.raises(ValueError, match="instance"):
        parse_modes("watershed", model)


def test_items_are_spread() -> None:
    assert spread([1, 2, 3, 4, 5], 3) == [1, 3, 5]
    assert spread([1, 2], 5) == [1, 2]
    assert spread([], 5) == []


def test_the_command_writes_tables_figures_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = {"objects": 1, "point": 0.5, "box": 0.75, "point alone": 0.25}
    monkeypatch.setattr(scales, "evaluate_scales", lambda *_: {"8 px": one, "16 px": one})
    monkeypatch.setattr(recordings, "evaluate_recordings", lambda *_: {})
    monkeypatch.setattr(empty_tiles, "KINDS", {"constant": empty_tiles.draw_constant})
    plane = discs((64, 160))
    image = (plane.image[..., 0] * 200).astype(np.uint8)
    (tmp_path / "images").mkdir()
    np.savez(tmp_path / "images" / "discs.npz", image_000=image, label_000=plane.labels[0])
    arguments = ["evaluate", tmp_path / "images", "--limit", 1, "--objects", 1]
    arguments += ["--modes", "watershed", "--save", tmp_path / "out"]
    arguments += ["--scales", "--recordings", "--empty"]
    result = CliRunner().invoke(cli.app, [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert set(figures["prompts"]["discs"]) == {"nano", "gradient watershed"}
    assert set(figures["automatic"]["discs"]) == {"watershed", "otsu"}
    assert figures["prompts"]["discs"]["nano"]["objects"] == 1
    assert figures["scales"]["discs"]["16 px"] == one
    assert "recordings" not in figures
    assert figures["empty"]["constant"]["objects per tile"] == 0
    assert "± 0.000 (point)" in result.output
    assert (tmp_path / "out" / "figures.md").read_text().strip() in result.output
    with Image.open(tmp_path / "out" / "discs.png") as sheet:
        assert sheet.width > 1000
