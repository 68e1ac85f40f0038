"""Everything in an image, against the automatic mask generators of the reference packages."""

from __future__ import annotations

import copy
import importlib
import inspect
import tracemalloc
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from skimage.measure import label
from torch import nn

from napari_sam.masks.run_length import rle_to_mask
from napari_sam.model import load_model, point_decoder, sam
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.point_decoder import PointDecoder
from napari_sam.model.sam import (
    TINY_VIT_5M,
    TinyViTSize,
    ViTSize,
    build_mobile_sam,
    build_sam,
)
from napari_sam.segment.generate_masks import generate_masks, iter_official_masks, official_masks
from napari_sam.segment.generator_settings import GeneratorSettings
from napari_sam.segment.returned import Returning

from ..model import reference_standins
from ..model.comparison import calibrate, load, spread
from ..model.references import build_reference

VIT = ViTSize(embed_dim=24, depth=2, num_heads=2, global_blocks=(1,))
TINY_VIT = TinyViTSize((8, 16, 24, 320), (1, 1, 1, 1), (1, 2, 2, 5), (7, 7, 14, 7))
SIDE = 256
LOOSE = {
    "points_per_side": 5,
    "pred_iou_thresh": 0.7,
    "stability_score_thresh": 0.6,
    "box_nms_thresh": 1.0,
}
"""Thresholds that some masks of networks with random weights pass, and some do not."""
LOOSER = {"pred_iou_thresh": 0.5, "stability_score_thresh": 0.3}


class Pair(NamedTuple):
    """The generator of a reference package, made with settings, and our model."""

    generator: Any
    reference: Any
    model: Any

    def both(self, image: NDArray[np.uint8], **settings: Any) -> tuple[Any, Any]:
        rgb = image if image.ndim == 3 else image[..., None].repeat(3, axis=2)
        expected = self.generator(self.reference, **settings).generate(rgb)
        return generate_masks(self.model, image, **settings), expected


@pytest.fixture(scope="module")
def packages() -> dict[str, ModuleType]:
    with reference_standins.installed():
        names = ("segment_anything", "segment_anything_hq")
        return {name: importlib.import_module(name) for name in names}


def build_pair(package: ModuleType, size: Any, hq: bool = False, side: int = SIDE) -> Pair:
    reference = build_reference(package.modeling, size, side, hq=hq)
    spread(reference)
    calibrate(reference, torch.from_numpy(picture(3 * side // 4, side, 3)).permute(2, 0, 1)[None])
    build: Any = build_sam if isinstance(size, ViTSize) else build_mobile_sam
    ours = load(build("shared weights", size, side, hq=hq), copy.deepcopy(reference))
    return Pair(package.SamAutomaticMaskGenerator, reference, ours)


def picture(*shape: int) -> NDArray[np.uint8]:
    """Blocks of random color, which masks can follow."""
    random = np.random.default_rng(sum(shape))
    coarse = random.integers(0, 256, [-(-s // 40) for s in shape[:2]] + [*shape[2:]])
    return coarse.repeat(40, axis=0).repeat(40, axis=1)[: shape[0], : shape[1]].astype(np.uint8)


def as_array(segmentation: Any) -> NDArray[np.bool_]:
    if isinstance(segmentation, np.ndarray):
        return segmentation
    return rle_to_mask(segmentation).to_array(tuple(segmentation["size"]))


def assert_same(ours: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    """The same masks in the same order, but for pixels where a logit is almost 0.

    How many there are hangs by how a processor rounds: calibrating amplifies it (`calibrate`).
    """
    assert len(ours) == len(expected) > 1
    assert len({found["area"] for found in expected}) > 1
    for found, known in zip(ours, expected, strict=True):
        assert list(found) == list(known)
        a, b = as_array(found["segmentation"]), as_array(known["segmentation"])
        assert (a & b).sum() > 0.99 * (a | b).sum()
        assert found["area"] == a.sum() == pytest.approx(known["area"], rel=1e-3, abs=2)
        np.testing.assert_allclose(found["bbox"], known["bbox"], atol=1)
        assert found["predicted_iou"] == pytest.approx(known["predicted_iou"], abs=1e-4)
        assert found["stability_score"] == pytest.approx(known["stability_score"], abs=1e-3)
        np.testing.assert_allclose(found["point_coords"], known["point_coords"], rtol=1e-6)
        assert found["crop_box"] == known["crop_box"]


@pytest.mark.parametrize("name", ["SAM", "MobileSAM", "HQ-SAM", "Light HQ-SAM"])
def test_same_masks_of_every_network(packages: dict[str, ModuleType], name: str) -> None:
    package = packages["segment_anything" if name == "SAM" else "segment_anything_hq"]
    size = VIT if name in ("SAM", "HQ-SAM") else TINY_VIT
    pair = build_pair(package, size, hq="HQ" in name)
    assert_same(*pair.both(picture(192, 256, 3), **(LOOSE | LOOSER)))


@pytest.mark.parametrize("name", ["SAM", "HQ-SAM"])
def test_same_masks_of_a_network_in_crops_without_small_regions(
    packages: dict[str, ModuleType], cv2: None, name: str
) -> None:
    torch.manual_seed(2)  # of the encoding of positions, which is no weight
    settings = {
        "points_per_side": 4,
        "pred_iou_thresh": 0.0,
        "stability_score_thresh": 0.05,
        "box_nms_thresh": 1.0,
        "crop_nms_thresh": 1.0,
        "crop_n_layers": 1,
        "min_mask_region_area": 50,
    }
    package = packages["segment_anything" if name == "SAM" else "segment_anything_hq"]
    pair, image = build_pair(package, VIT, hq=name == "HQ-SAM"), picture(180, 260, 3)
    ours, expected = pair.both(image, **settings)
    assert_same(ours, expected)
    assert len({tuple(found["crop_box"]) for found in expected}) > 1
    raw = generate_masks(pair.model, image, **settings | {"min_mask_region_area": 0})
    assert [found["area"] for found in ours] != [found["area"] for found in raw]


@pytest.mark.slow
def test_same_masks_of_a_network_of_full_size(packages: dict[str, ModuleType]) -> None:
    pair = build_pair(packages["segment_anything_hq"], TINY_VIT_5M, side=1024)
    assert_same(*pair.both(picture(768, 1024, 3), **(LOOSE | LOOSER)))


class SimilarColor(nn.Module):
    """In the place of a reference's decoder: pixels that look like that at the point, and are near.

    Three radii; the prediction depends on the point. Sparse embeddings are the points themselves.
    """

    def forward(
        self, image_embeddings: torch.Tensor, sparse_prompt_embeddings: torch.Tensor, **_: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        image, points = image_embeddings[0, 0], sparse_prompt_embeddings / 4
        side = len(image)
        x, y = points[:, 0].round().long().clamp(0, side - 1).T
        rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
        far = torch.hypot((rows - y[:, None, None]).float(), (columns - x[:, None, None]).float())
        unlike = 20 * (image - image[y, x][:, None, None]).abs()
        radii = torch.tensor([4.0, 9.0, 20.0]).view(3, 1, 1)
        logits = torch.minimum(radii - far[:, None], 3 - unlike[:, None])
        return logits, torch.cos(points.sum(2) * torch.tensor([1.0, 2.0, 3.0]))


class SimilarColorModel(Model):
    """The same for ours."""

    name, image_size, low_res_size = "similar color", SIDE, SIDE // 4

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def encode(self, windows: torch.Tensor) -> Features:
        return Features((shrink(prepare(windows)),))

    def decode(self, features: Features, points: Any = None, *_: Any, **__: Any) -> Any:
        return SimilarColor()(features.maps[0], points)


def prepare(windows: torch.Tensor) -> torch.Tensor:
    """Normalized and padded as for SAM."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (sam.MEAN, sam.STD))
    height, width = windows.shape[2:]
    return F.pad((windows - mean) / std, (0, SIDE - width, 0, SIDE - height))


def shrink(images: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(images.mean(1, keepdim=True), 4)


@pytest.fixture(scope="module")
def similar(packages: dict[str, ModuleType]) -> Pair:
    package = packages["segment_anything"]
    reference = build_reference(package.modeling, VIT, SIDE)

    class Points(nn.Module):
        def forward(self, points: Any, **_: Any) -> Any:
            return points[0].float(), None

        def get_dense_pe(self) -> None:
            return None

    class Shrink(nn.Module):
        img_size = SIDE

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return shrink(images)

    reference.image_encoder, reference.prompt_encoder = Shrink(), Points()
    reference.mask_decoder = SimilarColor()
    reference.register_parameter("weight", nn.Parameter(torch.zeros(1)))
    return Pair(package.SamAutomaticMaskGenerator, reference, SimilarColorModel())


@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((256, 256, 3), {"box_nms_thresh": 0.7}),
        ((310, 497, 3), {"box_nms_thresh": 0.3}),
        ((150, 61, 3), {"points_per_batch": 5, "stability_score_offset": 0.5}),
        ((200, 130), {"pred_iou_thresh": 0.0}),
        ((300, 400, 3), {"crop_n_layers": 1, "crop_overlap_ratio": 0.5}),
        (
            (400, 500, 3),
            {"crop_n_layers": 2, "crop_n_points_downscale_factor": 2, "crop_nms_thresh": 0.4},
        ),
    ],
)
def test_same_masks(similar: Pair, shape: tuple[int, ...], settings: dict[str, Any]) -> None:
    assert_same(*similar.both(picture(*shape), **(LOOSE | {"points_per_side": 9} | settings)))


def test_points_of_the_users_own(similar: Pair) -> None:
    grids = [np.random.default_rng(layer).random((20, 2)) for layer in range(2)]
    settings = {"points_per_side": None, "point_grids": grids, "crop_n_layers": 1}
    assert_same(*similar.both(picture(180, 260, 3), **(LOOSE | settings)))


@pytest.mark.parametrize("mode", ["uncompressed_rle", "coco_rle"])
def test_runs(similar: Pair, mode: str) -> None:
    ours, expected = similar.both(picture(256, 256, 3), output_mode=mode, **LOOSE)
    assert_same(ours, expected)
    same = [a["segmentation"] == b["segmentation"] for a, b in zip(ours, expected, strict=True)]
    assert np.mean(same) > 0.5  # one pixel whose logit is almost 0 may change a whole string


@pytest.mark.parametrize("min_area", [3, 100, 2000])
def test_small_regions_are_removed(similar: Pair, cv2: None, min_area: int) -> None:
    settings = LOOSE | {"min_mask_region_area": min_area, "crop_n_layers": 1}
    assert_same(*similar.both(picture(180, 260, 3), **settings))


@pytest.fixture
def cv2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one function of OpenCV that the reference calls."""

    def components(image: NDArray[np.uint8], connectivity: int) -> tuple[int, Any, Any, None]:
        assert connectivity == 8
        parts, n = label(image, connectivity=2, return_num=True)
        return n + 1, parts, np.bincount(parts.ravel(), minlength=n + 1)[:, None], None

    module = ModuleType("cv2")
    module.connectedComponentsWithStats = components  # type: ignore[attr-defined]
    monkeypatch.setitem(importlib.import_module("sys").modules, "cv2", module)


def test_nothing_found_is_an_empty_list(similar: Pair) -> None:
    """Also in crops, where the reference fails."""
    image = picture(100, 120, 3)
    for layers in (0, 1):
        settings = {"pred_iou_thresh": 99.0, "crop_n_layers": layers}
        assert generate_masks(similar.model, image, **settings) == []


def test_thresholds_are_the_official_ones_of_sam_and_those_that_suit_other_models(
    similar: Pair,
) -> None:
    official = inspect.signature(similar.generator).parameters
    settings, nano = GeneratorSettings(), load_model("nano", device="cpu")
    assert settings.accepted_iou(similar.model) == official["pred_iou_thresh"].default
    assert settings.accepted_stability(similar.model) == official["stability_score_thresh"].default
    assert settings.accepted_iou(nano) == nano.accepted_iou < 0.88
    assert settings.accepted_stability(nano) == nano.accepted_stability < 0.95
    assert GeneratorSettings(pred_iou_thresh=0).accepted_iou(nano) == 0


def test_the_built_in_model_finds_a_disk() -> None:
    y, x = np.mgrid[:400, :500]
    disk = np.hypot(y - 195, x - 245) < 45
    image = np.where(disk, 200, 30).astype(np.uint8)
    model = load_model("nano", device="cpu")
    found = generate_masks(model, image, points_per_side=5)
    masks = [one["segmentation"] for one in found]
    assert max((disk & mask).sum() / (disk | mask).sum() for mask in masks) > 0.8


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"point_grids": [[[0.5, 0.5]]]}, "either points_per_side or point_grids"),
        ({"points_per_side": None}, "either points_per_side or point_grids"),
        (
            {"points_per_side": None, "point_grids": [[[0.5, 0.5]]], "crop_n_layers": 1},
            "There are 1 point_grids; expected 2",
        ),
        ({"points_per_side": None, "point_grids": [[0.5, 0.5]]}, r"has shape \(2,\)"),
        ({"points_per_side": 0}, "leaves no point in layer 0"),
        ({"output_mode": "png"}, "output_mode is 'png'; expected one of binary_mask"),
        ({"box_nms_thresh": 1.5}, "box_nms_thresh is 1.5; expected from 0 to 1"),
        ({"crop_n_layers": -1}, "crop_n_layers is -1; expected 0 or more"),
    ],
)
def test_settings_that_are_refused(similar: Pair, settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        generate_masks(similar.model, picture(30, 40), **settings)


def test_an_unknown_setting_is_refused(similar: Pair) -> None:
    with pytest.raises(TypeError, match=r"points_per_row.*GeneratorSettings"):
        generate_masks(similar.model, picture(30, 40), points_per_row=3)


def test_few_masks_are_in_memory_at_a_time(similar: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch of points is packed before the next one is asked."""
    sizes, answer = [], PointDecoder.answer

    def watched(self: PointDecoder, points: torch.Tensor, *args: Any) -> Any:
        sizes.append(len(points))
        return answer(self, points, *args)

    monkeypatch.setattr(PointDecoder, "answer", watched)
    generate_masks(similar.model, picture(100, 100, 3), **LOOSE)
    assert sum(sizes) == 25
    assert max(sizes) <= 2


def test_it_tells_how_many_points_it_has_asked_and_can_be_left(
    similar: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In crops, too: 25 points of the image, and 4 in each of four crops."""
    answer, asked = PointDecoder.answer, []

    def watched(self: PointDecoder, points: torch.Tensor, *args: Any) -> Any:
        asked.append(len(points))
        return answer(self, points, *args)

    monkeypatch.setattr(PointDecoder, "answer", watched)
    settings = GeneratorSettings(
        points_per_side=5, crop_n_layers=1, crop_n_points_downscale_factor=2, **LOOSER
    )
    pixels = picture(100, 100, 3)
    told = Returning(iter_official_masks(similar.model, pixels, settings))
    counts = list(told)
    assert sum(counts) == sum(asked) == 25 + 4 * 4
    assert counts == asked
    assert len(told.value) == len(official_masks(similar.model, pixels, settings)) > 0
    asked.clear()
    left = iter_official_masks(similar.model, pixels, settings)
    next(left)
    left.close()
    assert len(asked) == 1


def test_masks_of_many_points_are_packed_one_by_one(
    similar: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GPU answers hundreds of points at a time."""
    monkeypatch.setattr(point_decoder, "CPU_BATCH", 64)
    everything = GeneratorSettings(
        points_per_side=8, pred_iou_thresh=0, stability_score_thresh=0, box_nms_thresh=1.0
    )
    tracemalloc.start()
    try:
        found = official_masks(similar.model, np.full((512, 512), 120, np.uint8), everything)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found) > 150
    assert peak < 4 * found.nbytes
