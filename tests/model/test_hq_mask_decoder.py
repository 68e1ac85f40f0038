from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from napari_sam.model.hq_mask_decoder import HQMaskDecoder
from napari_sam.model.mask_decoder import MaskDecoder

from .comparison import spread

CHANNELS, EARLY, GRID, OBJECTS = 64, 20, 5, 3


@pytest.fixture(scope="module")
def decoder() -> HQMaskDecoder:
    decoder = HQMaskDecoder(CHANNELS, EARLY).eval().requires_grad_(False)
    spread(decoder)
    return decoder


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_hq_features_are_the_sum_of_two_upscaled_maps(decoder: HQMaskDecoder) -> None:
    embedding, early = random(2, CHANNELS, GRID, GRID), random(2, EARLY, GRID, GRID)

    def upscale(x: torch.Tensor, layers: torch.nn.Sequential) -> torch.Tensor:
        first, norm, _, second = layers
        x = F.conv_transpose2d(x, first.weight, first.bias, stride=2)
        x = F.gelu(norm(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        return F.conv_transpose2d(x, second.weight, second.bias, stride=2)

    kept, hq_features = decoder.feature_maps(embedding, early)
    assert torch.equal(kept, embedding)
    expected = upscale(embedding, decoder.embedding_encoder)
    expected = expected + upscale(early, decoder.compress_vit_feat)
    torch.testing.assert_close(hq_features, expected, atol=1e-4, rtol=1e-4)


def test_hq_logits_are_products_with_convolved_pixels(decoder: HQMaskDecoder) -> None:
    """The convolution is rewritten; every border and corner must stay."""
    pixels = random(OBJECTS, CHANNELS // 8, 7, 9)
    hq_features = random(1, CHANNELS // 8, 7, 9, seed=2)
    weights = random(OBJECTS, CHANNELS // 8, seed=3)
    convolved = decoder.embedding_maskfeature(pixels) + hq_features
    expected = torch.einsum("nc,nchw->nhw", weights, convolved)[:, None]
    found = decoder.hq_logits(weights, pixels, hq_features)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_every_mask_is_corrected_by_the_same(
    decoder: HQMaskDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = decoder.feature_maps(random(1, CHANNELS, GRID, GRID), random(1, EARLY, GRID, GRID))
    sparse, dense = random(OBJECTS, 2, CHANNELS), random(1, CHANNELS, GRID, GRID, seed=2)
    inputs = maps, random(1, CHANNELS, GRID, GRID, seed=3), sparse, dense
    three, three_iou = decoder(*inputs, True)
    one, one_iou = decoder(*inputs, False)
    assert three.shape == (OBJECTS, 3, 4 * GRID, 4 * GRID)
    assert one.shape == (OBJECTS, 1, 4 * GRID, 4 * GRID)

    monkeypatch.setattr(HQMaskDecoder, "masks", MaskDecoder.masks)  # uncorrected
    correction = three - decoder(*inputs, True)[0]
    assert correction.abs().mean() > 0.1
    for corrected, multimask in ((three, True), (one, False)):
        found = corrected - decoder(*inputs, multimask)[0]
        torch.testing.assert_close(found, correction[:, :1].expand_as(found), atol=1e-4, rtol=1e-4)
    assert torch.equal(decoder(*inputs, True)[1], three_iou)
    assert torch.equal(decoder(*inputs, False)[1], one_iou)
