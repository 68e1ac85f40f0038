from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_sam.model.features import Features
from napari_sam.model.sam import Sam, ViTSize, build_sam

from .comparison import prompts, spread

SIZE = 256


@pytest.fixture(scope="module")
def model() -> Sam:
    model = build_sam("small", ViTSize(16, 2, 2, global_blocks=(1,)), SIZE, channels=32).eval()
    spread(model)
    return model


@pytest.fixture(scope="module")
def features(model: Sam) -> Features:
    return model.encode(torch.rand(1, 1, SIZE, SIZE))


def test_gray_is_three_equal_channels(model: Sam) -> None:
    gray = torch.rand(2, 1, 100, SIZE)
    rgb = gray.repeat(1, 3, 1, 1)
    assert torch.equal(model.encode(gray).maps[0], model.encode(rgb).maps[0])


def test_windows_of_a_batch_do_not_meet(model: Sam) -> None:
    windows = torch.rand(3, 3, 90, 70)
    batch = model.encode(windows)
    assert batch.maps[0].shape == (3, 32, 16, 16)
    for i in range(3):
        torch.testing.assert_close(batch[i].maps, model.encode(windows[i : i + 1]).maps)


def test_objects_of_a_call_do_not_meet(model: Sam, features: Features) -> None:
    for prompt in prompts(SIZE).values():
        logits, predicted_iou = model.decode(features, **prompt)
        assert logits.shape == (2, 3, model.low_res_size, model.low_res_size)
        assert predicted_iou.shape == (2, 3)
        second = {name: value[1:] for name, value in prompt.items()}
        expected = model.decode(features, **second)
        torch.testing.assert_close((logits[1:], predicted_iou[1:]), expected)


def test_gradients_are_not_kept(model: Sam, features: Features) -> None:
    logits, predicted_iou = model.decode(features, box=torch.tensor([[0, 0, 50, 50]]))
    assert not any(t.requires_grad for t in (*features.maps, logits, predicted_iou))


def test_grid_positions_follow_the_weights(model: Sam) -> None:
    """They are kept between calls, but not when other weights are loaded."""
    encoder = build_sam("other", ViTSize(16, 1, 2, ()), SIZE, channels=32).prompt_encoder
    before = encoder.grid_positions()
    assert encoder.grid_positions() is before
    encoder.load_state_dict(model.prompt_encoder.state_dict())
    after = encoder.grid_positions()
    assert torch.equal(after, model.prompt_encoder.grid_positions())
    assert not torch.equal(after, before)
    # The center of a cell of the grid is a point of the image between four samples.
    x, y = 16 * 5 + 7.5, 16 * 2 + 7.5
    torch.testing.assert_close(after[0, :, 2, 5], encoder.embed_positions(torch.tensor([x, y])))


def test_decoder_can_be_trained_after_inference(model: Sam, features: Features) -> None:
    """What inference keeps between calls is of use to training, too."""
    model.decode(features, box=torch.zeros(1, 4))
    tokens, dense = model.prompt_encoder(None, None, torch.zeros(1, 4), None)
    positions = model.prompt_encoder.grid_positions()
    embedding = features.maps[0].clone()
    logits, _ = model.mask_decoder((embedding,), positions, tokens, dense, False)
    logits.sum().backward()
    assert model.mask_decoder.iou_token.weight.grad is not None
    model.zero_grad(set_to_none=True)


@pytest.mark.parametrize(
    ("windows", "error", "sentence"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, r"type torch\.uint8; .*float32"),
        (torch.zeros(3, 8, 8), ValueError, r"shape \(3, 8, 8\); expected \(batch, channels"),
        (torch.zeros(1, 2, 8, 8), ValueError, r"1 channel \(gray\) or 3"),
        (torch.zeros(1, 3, 0, 8), ValueError, r"shape \(1, 3, 0, 8\)"),
        (torch.zeros(1, 3, 8, SIZE + 1), ValueError, r"at most 256 samples"),
        (torch.full((1, 1, 8, 8), 255.0), ValueError, r"from 255 to 255; .*Normalize"),
        (torch.full((1, 1, 8, 8), torch.nan), ValueError, r"from nan"),
    ],
)
def test_windows_that_are_refused(
    model: Sam, windows: Tensor, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        model.encode(windows)


POINT, LABEL, BOX = torch.zeros(1, 1, 2), torch.ones(1, 1), torch.zeros(1, 4)


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ({}, "no prompt"),
        ({"points": POINT}, "points without labels"),
        ({"labels": LABEL}, "labels without points"),
        ({"points": POINT[0], "labels": LABEL}, r"points has shape \(1, 2\); .*\(any, any, 2\)"),
        ({"points": POINT, "labels": LABEL[0]}, r"labels has shape \(1,\); expected \(1, 1\)"),
        ({"points": POINT, "labels": 2 * LABEL}, r"labels hold \[2\.0\]; expected 1"),
        ({"points": POINT, "labels": 0.5 * LABEL}, r"labels hold \[0\.5\]"),
        ({"points": POINT * torch.inf, "labels": LABEL}, "points holds NaN or infinite"),
        ({"box": BOX[0]}, r"box has shape \(4,\); expected \(any, 4\)"),
        ({"box": BOX.repeat(2, 1), "points": POINT, "labels": LABEL}, r"'points': 1, 'box': 2"),
        ({"box": BOX[:0]}, r"box has shape \(0, 4\); expected at least one object"),
        ({"points": POINT[:, :0], "labels": LABEL[:, :0]}, r"points has shape \(1, 0, 2\); .*one"),
        ({"mask": torch.zeros(1, 64, 64)}, r"mask has shape \(1, 64, 64\); .*\(any, 1, 64, 64\)"),
    ],
)
def test_prompts_that_are_refused(
    model: Sam, features: Features, prompt: dict[str, Tensor], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        model.decode(features, **prompt)


def test_features_that_are_refused(model: Sam) -> None:
    for shape in [(2, 32, 16, 16), (1, 256, 16, 16), (1, 32, 64, 64)]:
        with pytest.raises(ValueError, match=r"embedding has shape .* expected \(1, 32, 16, 16\)"):
            model.decode(Features((torch.zeros(shape),)), box=BOX)
