"""The built-in model as a network: shapes, prompts, sizes."""

from __future__ import annotations

import pytest
import torch

from napari_sam.model import Features
from napari_sam.model.nano import MEAN, Nano
from napari_sam.model.nano_encoder import ConvNorm


@pytest.fixture(scope="module")
def nano() -> Nano:
    torch.manual_seed(0)
    return Nano().eval()


@pytest.fixture(scope="module")
def features(nano: Nano) -> Features:
    return nano.encode(torch.rand(1, 1, 512, 512))


def test_budget(nano: Nano) -> None:
    n_parameters = sum(p.numel() for p in nano.parameters())
    assert n_parameters <= 5_000_000
    assert 2 * n_parameters <= 10_000_000  # bytes as float16


def test_features_and_masks_have_the_promised_shapes(nano: Nano, features: Features) -> None:
    embedding, detail = features.maps
    assert embedding.shape == (1, 128, 64, 64)
    assert detail.shape == (1, 32, 128, 128)
    points = torch.rand(3, 2, 2) * 512
    logits, predicted_iou = nano.decode(features, points, torch.tensor([[1, 0]] * 3))
    assert logits.shape == (3, 3, 256, 256)
    assert predicted_iou.shape == (3, 3)
    assert ((predicted_iou >= 0) & (predicted_iou <= 1)).all()
    single, _ = nano.decode(features, points, torch.tensor([[1, 0]] * 3), multimask=False)
    assert single.shape == (3, 1, 256, 256)


def test_objects_of_a_batch_do_not_see_each_other(nano: Nano, features: Features) -> None:
    points = torch.tensor([[[100.0, 50.0]], [[300.0, 400.0]]])
    labels = torch.tensor([[1], [1]])
    together, _ = nano.decode(features, points, labels)
    alone, _ = nano.decode(features, points[1:], labels[1:])
    torch.testing.assert_close(together[1:], alone, atol=1e-4, rtol=1e-4)


def test_padding_points_change_nothing_drawn(nano: Nano, features: Features) -> None:
    """A padding point adds a token, but nothing to the maps."""
    draw = nano.mask_decoder.prompt_maps.draw
    centers = torch.rand(8, 8, 2) * 32
    box = torch.full((1, 4), torch.nan)
    point = torch.tensor([[[10.0, 20.0]]])
    alone = draw(centers, point, torch.tensor([[1]]), box, None)
    padded = draw(centers, point.repeat(1, 2, 1), torch.tensor([[1, -1]]), box, None)
    assert torch.equal(alone, padded)
    assert alone[:, 0].max() > 0
    assert not alone[:, 1:].any()


@pytest.mark.parametrize("kind", ["point", "box", "mask"])
def test_every_kind_of_prompt_matters(nano: Nano, features: Features, kind: str) -> None:
    point, label = torch.tensor([[[200.0, 200.0]]]), torch.tensor([[1]])
    base, _ = nano.decode(features, point, label)
    changed = {
        "point": lambda: nano.decode(features, point + 40, label),
        "box": lambda: nano.decode(features, point, label, torch.tensor([[90.0, 90, 310, 310]])),
        "mask": lambda: nano.decode(features, point, label, mask=torch.ones(1, 1, 256, 256)),
    }[kind]()[0]
    assert (changed - base).abs().max() > 1e-3


def test_box_is_drawn_inside_its_corners_x_first(nano: Nano) -> None:
    centers = torch.stack(torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="xy"), -1)
    nothing = torch.zeros(1, 1, 2), torch.full((1, 1), -1)
    drawn = nano.mask_decoder.prompt_maps.draw(
        centers, *nothing, torch.tensor([[1.0, 3.0, 5.0, 4.0]]), None
    )
    rows, columns = drawn[0, 2].nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 4, 1, 5)


def test_position_codes_start_at_the_origin(nano: Nano, features: Features) -> None:
    """Training tells a crop where in a window it lies."""
    decoder = nano.mask_decoder
    prompt = torch.tensor([[[20.0, 30.0]]]), torch.tensor([[1]]), torch.full((1, 4), torch.nan)
    maps = features.maps[0][..., :16, :16], features.maps[1][..., :32, :32]
    with torch.no_grad():
        here, _ = decoder(*maps, *prompt, None)
        same, _ = decoder(*maps, *prompt, None, torch.zeros(2))
        elsewhere, _ = decoder(*maps, *prompt, None, torch.tensor([256.0, 128.0]))
    assert torch.equal(here, same)
    assert (here - elsewhere).abs().max() > 1e-3


def test_gray_equals_three_equal_channels(nano: Nano) -> None:
    gray = torch.rand(1, 1, 128, 128)
    a, b = nano.encode(gray), nano.encode(gray.repeat(1, 3, 1, 1))
    assert all(torch.equal(x, y) for x, y in zip(a.maps, b.maps, strict=True))


def test_small_windows_are_padded_with_the_mean(nano: Nano) -> None:
    window = torch.rand(1, 1, 100, 70)
    padded = torch.full((1, 1, 512, 512), MEAN)
    padded[..., :100, :70] = window
    a, b = nano.encode(window), nano.encode(padded)
    assert all(torch.equal(x, y) for x, y in zip(a.maps, b.maps, strict=True))


def test_refuses_a_window_that_is_too_large_and_an_empty_prompt(
    nano: Nano, features: Features
) -> None:
    with pytest.raises(ValueError, match=r"513, 40.* at most 512"):
        nano.encode(torch.zeros(1, 1, 513, 40))
    with pytest.raises(ValueError, match="no prompt"):
        nano.decode(features)


def test_refuses_features_of_two_windows(nano: Nano, features: Features) -> None:
    two = Features(tuple(torch.cat([m, m]) for m in features.maps))
    with pytest.raises(ValueError, match=r"embedding has shape \(2, .*expected \(1, any"):
        nano.decode(two, box=torch.zeros(1, 4))


def test_in_use_a_normalization_is_part_of_its_convolution() -> None:
    module = ConvNorm(5, 7, 3, stride=2).train()
    for _ in range(20):
        module(torch.randn(8, 5, 12, 12) * 3 + 1)
    module.eval()
    x = torch.randn(2, 5, 12, 12)
    torch.testing.assert_close(module(x), module.norm(module.conv(x)), atol=1e-5, rtol=1e-5)
