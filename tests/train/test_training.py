"""Training: the simulated user, targets, crops, and a run that is interrupted."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam.train.crops import Crops
from napari_sam.train.curves import draw_curves
from napari_sam.train.export import export_weights
from napari_sam.train.losses import mask_iou, mask_loss, prompt_loss, quality_loss
from napari_sam.train.planes import LabeledPlane, scale_intensity
from napari_sam.train.schedule import Stage
from napari_sam.train.simulate import (
    corrections,
    first_prompts,
    jittered_boxes,
    most_central,
    random_points,
)
from napari_sam.train.targets import instance_targets
from napari_sam.train.trainer import Trainer


def discs(shape: tuple[int, int] = (120, 150), radius: int = 9) -> LabeledPlane:
    """Make a plane of bright discs on a grid."""
    y, x = np.indices(shape)
    labels = np.zeros(shape, np.int32)
    for i, (cy, cx) in enumerate((cy, cx) for cy in (30, 70) for cx in (25, 75, 125)):
        labels[(y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = i + 1
    image = np.where(labels > 0, 0.8, 0.1).astype(np.float16)[..., None]
    return LabeledPlane(image, (labels,))


@pytest.fixture
def masks() -> torch.Tensor:
    labels = discs().labels[0]
    return torch.from_numpy(labels == np.arange(1, 7)[:, None, None])


def test_points_are_drawn_inside_and_everywhere(masks: torch.Tensor) -> None:
    drawn = random_points(masks, n=300)  # (N, 300, 2)
    x, y = drawn.long().unbind(-1)
    assert masks[torch.arange(6)[:, None], y, x].all()
    spread = drawn[0].amax(0) - drawn[0].amin(0)
    assert (spread >= 15).all()  # of a diameter of 19


def test_the_most_central_point_is_one_of_them(masks: torch.Tensor) -> None:
    points = torch.tensor([[[0.0, 0.0], [4.0, 5.0], [10.0, 10.0]]])
    assert torch.equal(most_central(points), torch.tensor([[[4.0, 5.0]]]))


def test_boxes_are_x_first_and_jitter_around_the_truth(masks: torch.Tensor) -> None:
    boxes = torch.stack([jittered_boxes(masks) for _ in range(400)])
    expected = torch.tensor([25 - 9, 30 - 9, 25 + 9, 30 + 9.0])
    assert (boxes.mean(0)[0] - expected).abs().max() < 0.5
    assert boxes[:, 0].std(0).min() > 0.3


def test_first_prompts_are_a_point_or_a_box(masks: torch.Tensor) -> None:
    masks = masks.repeat(20, 1, 1)
    _, labels, boxes = first_prompts(masks, torch.zeros_like(masks))
    by_box = ~boxes.isnan().any(1)
    assert torch.equal(by_box, labels[:, 0] == -1)
    assert 0.1 < by_box.float().mean() < 0.6


def test_where_there_is_no_object_the_click_is_in_the_background(masks: torch.Tensor) -> None:
    background = ~masks.any(0).expand(20, -1, -1)
    points, labels, boxes = first_prompts(torch.zeros_like(background), background)
    x, y = points[:, 0].long().unbind(-1)
    assert background[torch.arange(20), y, x].all()
    assert (labels == 1).all()
    assert boxes.isnan().all()


def test_corrections_add_what_is_missing_and_remove_what_is_too_much(masks: torch.Tensor) -> None:
    missed, sign = corrections(masks, torch.zeros_like(masks))
    assert (sign == 1).all()
    too_much, sign = corrections(masks, torch.ones_like(masks))
    assert (sign == 0).all()
    x, y = too_much[:, 0].long().unbind(-1)
    assert not masks[torch.arange(6), y, x].any()
    assert missed.shape == (6, 1, 2)


def test_instance_targets() -> None:
    labels = discs((120, 152)).labels[0]
    foreground, center, boundary = instance_targets(labels, stride=1)
    assert np.array_equal(foreground, labels > 0)
    assert center[30, 25] == pytest.approx(0, abs=1e-6)
    assert center[labels > 0].max() == pytest.approx(1)
    assert boundary[30, 25] == pytest.approx(1)
    assert boundary[30, 25 + 9] == 0
    assert not center[labels == 0].any()


def test_losses_prefer_the_truth(masks: torch.Tensor) -> None:
    target = masks.float()
    right, wrong = (target * 2 - 1) * 8, (1 - target * 2) * 8
    losses = mask_loss(torch.stack([right, wrong], 1), target)
    assert (losses[:, 0] < 0.1).all()
    assert (losses[:, 1] > 1).all()
    assert torch.equal(mask_iou(right[:, None], target), torch.ones(6, 1))


def test_without_an_object_only_the_predicted_quality_learns(masks: torch.Tensor) -> None:
    logits = torch.zeros(6, 4, 120, 150, requires_grad=True)
    predicted = torch.full((6, 4), 0.5, requires_grad=True)
    loss = prompt_loss(logits, predicted, torch.zeros(6, 120, 150), ambiguous=True)
    loss.backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None and not logits.grad.any()
    assert predicted.grad is not None and (predicted.grad > 0).all()


def test_the_quality_is_best_where_it_is_right() -> None:
    real = torch.tensor([[0.3]])
    losses = [quality_loss(torch.tensor([[p]]), real) for p in (0.1, 0.3, 0.6)]
    assert losses[1] == min(losses)


def test_crops_keep_image_and_masks_aligned() -> None:
    crops = Crops({"discs": [discs()]}, size=128, n_objects=4, seed=0, synthetic_share=0)
    for i in range(10):
        crop = crops[0, i]
        assert crop["image"].shape == (3, 128, 128)
        assert crop["masks"].shape == (4, 128, 128)
        assert crop["masks"].flatten(1).sum(1).min() >= 30
        any_object = crop["instances"][0] > 0.99
        gray = torch.nn.functional.avg_pool2d(crop["image"].mean(0)[None], 4)[0]
        inside, outside = gray[any_object], gray[crop["instances"][0] == 0]
        assert (inside.median() - outside.median()).abs() > 0.1


def test_crops_depend_on_their_key_alone() -> None:
    one, other = (Crops({"discs": [discs()]}, size=64, n_objects=2, seed=3) for _ in range(2))
    for key in [(0, 0), (5, 1)]:
        _ = other[9, 9]
        assert all(torch.equal(one[key][k], other[key][k]) for k in one[key])
    assert not torch.equal(one[0, 0]["image"], one[0, 1]["image"])


def test_a_share_of_the_crops_is_synthetic() -> None:
    crops = Crops({"discs": [discs()]}, size=64, n_objects=3, seed=0, synthetic_share=1)
    some = [crops[0, i] for i in range(24)]
    without = [not crop["masks"].flatten(1).any(1).all() for crop in some]
    assert 0 < sum(without) < 24  # clicks at nothing
    for crop in some:
        empty = ~crop["masks"].flatten(1).any(1)
        assert not (empty.any() and not crop["background"].any())


def test_color_passes_and_gray_is_stretched() -> None:
    color = np.full((4, 4, 3), 51, np.uint8)
    assert scale_intensity(color).max() == pytest.approx(0.2, abs=1e-3)
    assert scale_intensity(np.arange(4096).reshape(64, 64)).max() == 1


def test_an_interrupted_run_is_the_same_run(tmp_path: Path) -> None:
    sources = {"discs": [discs()]}
    stages = (Stage(1, 64, 1, 0), Stage(2, 64, 2, 2), Stage(1, 96, 1, 2, cools=True))
    whole = Trainer(sources, tmp_path / "whole", stages, n_workers=0)
    whole.run(save_every=1)
    first = Trainer(sources, tmp_path / "run", (*stages[:1], Stage(1, 64, 2, 2)), n_workers=0)
    first.run(save_every=1)
    with (tmp_path / "run" / "log.csv").open("a") as file:
        file.write("3,0,1,1,,,\n")  # what was not saved
    resumed = Trainer(sources, tmp_path / "run", stages, n_workers=0)
    assert resumed.step == 2
    resumed.run(save_every=1)
    assert resumed.step == 4
    for name in ("net", "average"):
        pairs = zip(
            getattr(whole, name).state_dict().items(),
            getattr(resumed, name).state_dict().values(),
            strict=True,
        )
        for (key, a), b in pairs:
            torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-4, msg=key)
    with (tmp_path / "run" / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]
    draw_curves(tmp_path / "run" / "log.csv", tmp_path / "again.png")
    again = (tmp_path / "again.png").read_bytes()
    assert again == (tmp_path / "run" / "curves.png").read_bytes()

    size = export_weights(resumed.checkpoint, tmp_path / "nano.safetensors")
    assert size <= 10_000_000


def test_the_rate_rises_stays_and_cools() -> None:
    stays, cools = Stage(1000, 64, 1, 1, rate=1.0), Stage(1000, 64, 1, 1, rate=1.0, cools=True)
    assert stays.learning_rate(0) < 0.01
    assert stays.learning_rate(500) == stays.learning_rate(999) == 1
    assert cools.learning_rate(500) == pytest.approx(0.5)
    assert cools.learning_rate(999) == pytest.approx(0.01)
