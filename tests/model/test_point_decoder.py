"""Many single points in one window have the answers that each has alone."""

from __future__ import annotations

import pytest
import torch

from napari_sam.model import load_model, point_decoder
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.sam import TinyViTSize, build_mobile_sam

from .comparison import spread

TINY_VIT = TinyViTSize((8, 16, 24, 320), (1, 1, 1, 1), (1, 2, 2, 5), (7, 7, 14, 7))
NAMES = ["SAM", "HQ-SAM", "nano"]


def build(name: str) -> Model:
    if name == "nano":
        return load_model("nano", device="cpu")
    model = build_mobile_sam(name, TINY_VIT, image_size=128, hq=name == "HQ-SAM")
    spread(model)
    return model


@pytest.fixture(scope="module", params=NAMES)
def seen(request: pytest.FixtureRequest) -> tuple[Model, Features]:
    model = build(request.param)
    random = torch.Generator().manual_seed(0)
    return model, model.encode(torch.rand(1, 3, 128, 128, generator=random))


def some_points(n: int) -> torch.Tensor:
    return 128 * torch.rand(n, 2, generator=torch.Generator().manual_seed(1))


def each_alone(model: Model, features: Features, points: torch.Tensor) -> list[torch.Tensor]:
    label = torch.ones(1, 1, dtype=torch.int64)
    answers = [model.decode(features, point[None, None], label) for point in points]
    return [torch.cat(parts) for parts in zip(*answers, strict=True)]


def test_same_answers_as_one_by_one(seen: tuple[Model, Features]) -> None:
    model, features = seen
    points = some_points(5)
    logits, predicted_iou = each_alone(model, features, points)
    found = model.point_decoder(features)(points)
    torch.testing.assert_close(found.logits, logits.flatten(0, 1), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.predicted_iou, predicted_iou.flatten(), atol=1e-5, rtol=1e-5)
    assert found.indices.tolist() == [i for i in range(5) for _ in range(3)]


@pytest.mark.parametrize("best_only", [False, True])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_only_masks_that_are_wanted(
    seen: tuple[Model, Features], share: float, best_only: bool
) -> None:
    model, features = seen
    points = some_points(6)
    logits, predicted_iou = each_alone(model, features, points)
    limit = predicted_iou.quantile(share).item() - 1e-4 * (share < 1) + 1e-4 * (share == 1)
    is_wanted = predicted_iou > limit
    if best_only:
        is_wanted &= predicted_iou == predicted_iou.amax(1, keepdim=True)
    found = model.point_decoder(features)(points, limit, best_only=best_only)
    assert found.indices.tolist() == is_wanted.nonzero()[:, 0].tolist()
    torch.testing.assert_close(found.logits, logits[is_wanted], atol=1e-4, rtol=1e-4)
    assert (len(found.logits) == 0) == (share == 1)


def test_points_are_answered_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer when memory runs out."""
    model = build("SAM")
    features = model.encode(torch.rand(1, 1, 128, 128))
    decoder = model.point_decoder(features)
    expected = decoder(some_points(7))
    answer, sizes = decoder.answer, []

    def short_of_memory(points: torch.Tensor, *settings: object) -> object:
        sizes.append(len(points))
        if len(points) > 2:
            raise torch.OutOfMemoryError
        return answer(points, *settings)

    monkeypatch.setattr(decoder, "answer", short_of_memory)
    monkeypatch.setattr(point_decoder, "CPU_BATCH", 4)
    found = decoder(some_points(7))
    assert sizes == [4, 2, 2, 2, 1]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_masks_upscaled_in_bfloat16_are_nearly_the_same(seen: tuple[Model, Features]) -> None:
    """And it is decided in float32 which are made."""
    model, features = seen
    exact = model.point_decoder(features)(some_points(4))
    rounded = model.point_decoder(features, torch.bfloat16)(some_points(4))
    assert rounded.logits.dtype == torch.float32
    torch.testing.assert_close(rounded.predicted_iou, exact.predicted_iou)
    error = (rounded.logits - exact.logits).norm() / exact.logits.norm()
    assert error < 2e-2
    assert (error == 0) == (model.name == "nano")
