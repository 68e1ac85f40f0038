"""Training: the simulated user, targets, crops, and a run that is interrupted."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam.model import Features, Model
from napari_sam.train.crops import Crops, instance_targets
from napari_sam.train.evaluate import evaluate_planes, largest_error, scaled_crop
from napari_sam.train.export import export_weights
from napari_sam.train.losses import mask_iou, mask_loss
from napari_sam.train.planes import LabeledPlane, read_folder, scale_intensity
from napari_sam.train.simulate import corrections, first_prompts, jittered_boxes, random_points
from napari_sam.train.trainer import Stage, Trainer


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
    drawn = torch.stack([random_points(masks) for _ in range(300)])  # (300, N, 2)
    x, y = drawn.long().unbind(-1)
    assert masks[torch.arange(6), y, x].all()
    spread = drawn[:, 0].amax(0) - drawn[:, 0].amin(0)
    assert (spread >= 15).all()  # of a diameter of 19


def test_boxes_are_x_first_and_jitter_around_the_truth(masks: torch.Tensor) -> None:
    boxes = torch.stack([jittered_boxes(masks) for _ in range(400)]).mean(0)
    expected = torch.tensor([25 - 9, 30 - 9, 25 + 9, 30 + 9.0])
    assert (boxes[0] - expected).abs().max() < 0.5


def test_first_prompts_are_a_point_or_a_box(masks: torch.Tensor) -> None:
    _, labels, boxes = first_prompts(masks.repeat(20, 1, 1))
    by_box = ~boxes.isnan().any(1)
    assert torch.equal(by_box, labels[:, 0] == -1)
    assert 0.1 < by_box.float().mean() < 0.6


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


def test_crops_keep_image_and_masks_aligned() -> None:
    crops = Crops({"discs": [discs()]}, size=128, n_objects=4, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(10):
        crop = crops.draw(rng)
        assert crop["image"].shape == (3, 128, 128)
        assert crop["masks"].shape == (4, 128, 128)
        assert crop["masks"].flatten(1).sum(1).min() >= 30
        any_object = crop["instances"][0] > 0.99
        gray = torch.nn.functional.avg_pool2d(crop["image"].mean(0)[None], 4)[0]
        inside, outside = gray[any_object], gray[crop["instances"][0] == 0]
        assert (inside.median() - outside.median()).abs() > 0.1


def test_crops_are_reproducible() -> None:
    crops = Crops({"discs": [discs()]}, size=64, n_objects=2, seed=3)
    first, again = next(iter(crops)), next(iter(crops))
    assert all(torch.equal(first[k], again[k]) for k in first)


def test_reading_planes(tmp_path: Path) -> None:
    plane = discs()
    image = (plane.image[..., 0] * 200).astype(np.uint8)
    volume = np.repeat(image[None], 70, axis=0)
    labels = np.repeat(plane.labels[0][None], 70, axis=0)
    np.savez(tmp_path / "flat.npz", image_000=image, label_000=plane.labels[0])
    np.savez(tmp_path / "volume.npz", image_000=volume, label_000=labels)
    sources = read_folder(tmp_path)
    assert sources["flat"][0].n_objects == 6
    assert sources["flat"][0].diameter == pytest.approx(18, abs=1)
    assert len(sources["volume"]) > 20
    np.savez(tmp_path / "wrong.npz", image_000=image, label_000=plane.labels[0][:-1])
    with pytest.raises(ValueError, match="must agree"):
        read_folder(tmp_path)
    with pytest.raises(ValueError, match=r"no \.npz"):
        read_folder(tmp_path / "nothing")


def test_color_passes_and_gray_is_stretched() -> None:
    color = np.full((4, 4, 3), 51, np.uint8)
    assert scale_intensity(color).max() == pytest.approx(0.2, abs=1e-3)
    assert scale_intensity(np.arange(4096).reshape(64, 64)).max() == 1


def test_evaluation_finds_the_largest_error(masks: torch.Tensor) -> None:
    truth = masks[0].numpy()
    (x, y), sign = largest_error(truth, np.zeros_like(truth))
    assert (round(y), round(x), sign) == (30, 25, 1)
    (x, y), sign = largest_error(truth, truth | masks[1].numpy())
    assert (round(y), round(x), sign) == (30, 75, 0)


def test_evaluation_scales_the_median_object(masks: torch.Tensor) -> None:
    crop = scaled_crop(discs(), size=512, diameter=36)
    areas = np.bincount(crop.labels.ravel())[1:]
    assert np.sqrt(np.median(areas) * 4 / np.pi) == pytest.approx(36, abs=1)
    assert crop.image.shape[1:] == crop.labels.shape


class DiscModel(Model):
    """Knows that objects are discs 36 samples wide: right where prompted at the center."""

    name, image_size, low_res_size = "disc", 512, 512

    def encode(self, windows: torch.Tensor) -> Features:
        return Features((torch.zeros(1, 1, 1, 1),))

    def decode(
        self,
        features: Features,
        points: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        box: torch.Tensor | None = None,
        mask: torch.Tensor | None = None,
        multimask: bool = True,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        center = box.view(2, 2).mean(0) if points is None else points[0, 0]  # type: ignore
        y, x = torch.meshgrid(torch.arange(512.0), torch.arange(512.0), indexing="ij")
        distance = torch.hypot(x - center[0], y - center[1])
        radii = torch.tensor([18.0, 36.0, 9.0] if multimask else [18.0])
        logits = (radii[:, None, None] - distance)[None]
        return logits, torch.tensor([[0.2, 0.9, 0.1]] if multimask else [[0.9]])


def test_evaluation_tells_the_choice_of_the_model_from_the_best_one() -> None:
    figures = evaluate_planes(DiscModel(), [discs()], max_objects=4)
    assert figures["objects"] == 4
    assert figures["oracle"] > 0.9
    assert figures["point"] == pytest.approx(0.25, abs=0.05)  # it prefers the double radius
    assert figures["clicks3"] > 0.9  # the single mask is right


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    sources = {"discs": [discs()]}
    stages = (Stage(2, 64, 1, 2), Stage(2, 96, 1, 2))
    whole = Trainer(sources, tmp_path / "run", stages[:1])
    whole.run(save_every=1)
    resumed = Trainer(sources, tmp_path / "run", stages)
    assert resumed.step == 2
    pairs = zip(resumed.net.parameters(), whole.net.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    resumed.run(save_every=1)
    assert resumed.step == 4
    with (tmp_path / "run" / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3", "4"]

    size = export_weights(resumed.checkpoint, tmp_path / "nano.safetensors")
    assert size <= 10_000_000
