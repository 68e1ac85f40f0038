from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_sam.masks import mask_from_logits, resample
from napari_sam.prompts import MaskPrompt


def smooth_logits(seed: int, n: int = 32) -> np.ndarray:
    """Blobs whose edges pass through all slopes, some cut by the border."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:n, :n]
    logits = np.full((n, n), -8.0)
    for _ in range(rng.integers(1, 4)):
        cy, cx = rng.uniform(-2, n + 2, size=2)
        distance = np.hypot(y - cy, x - cx)
        logits = np.maximum(logits, rng.uniform(0.3, 3) * (rng.uniform(1, 12) - distance))
    return logits.astype(np.float32)


def torch_reference(logits: np.ndarray, factor: int) -> np.ndarray:
    tensor = torch.from_numpy(logits)[None, None].double()
    size = len(logits) * factor
    return torch.nn.functional.interpolate(
        tensor, (size, size), mode="bilinear", align_corners=False
    )[0, 0].numpy()


@given(st.integers(0, 10_000), st.sampled_from([1, 2, 4]), st.integers(40, 128))
def test_equals_torch_interpolation_cut_at_the_image(seed, factor, n_rows):
    logits = smooth_logits(seed)
    shape = (n_rows, 90)
    reference = torch_reference(logits, factor)[: shape[0], : shape[1]]
    mask = mask_from_logits(MaskPrompt(logits, y=0, x=0, step=factor), shape, predicted_iou=0.5)

    differs = mask.to_array(shape)[: reference.shape[0], : reference.shape[1]] != (reference > 0)
    assert (np.abs(reference[differs]) < 1e-5).all()  # rounding decides there
    assert mask.area == pytest.approx((reference > 0).sum(), abs=int(differs.sum()))
    n_outer = (reference > -1).sum()
    if n_outer:
        expected = (reference > 1).sum() / n_outer
        assert mask.stability_score == pytest.approx(expected, abs=float(2 / n_outer))
    else:
        assert np.isnan(mask.stability_score)
    assert mask.predicted_iou == 0.5


@given(st.integers(0, 10_000), st.integers(-40, 40), st.sampled_from([0.5, 1, 2, 4]))
def test_a_window_that_lies_elsewhere_gives_the_same_mask_there(seed, shift, step):
    logits = smooth_logits(seed)
    shape = (300, 300)
    at_origin = mask_from_logits(MaskPrompt(logits, y=80, x=80, step=step), shape)
    moved = mask_from_logits(MaskPrompt(logits, y=80 + shift, x=80, step=step), shape)
    y0, x0, y1, x1 = at_origin.box
    if at_origin.area:
        assert moved.box == (y0 + shift, x0, y1 + shift, x1)
    np.testing.assert_array_equal(moved.array, at_origin.array)


def test_bands_change_nothing(monkeypatch):
    prompt = MaskPrompt(smooth_logits(3), y=5, x=7, step=4)
    monkeypatch.setattr(resample, "BAND", 1000)
    whole = mask_from_logits(prompt, (200, 200))
    monkeypatch.setattr(resample, "BAND", 3)
    banded = mask_from_logits(prompt, (200, 200))
    assert banded.box == whole.box
    assert banded.stability_score == whole.stability_score
    np.testing.assert_array_equal(banded.array, whole.array)


@pytest.mark.parametrize("value", [-5.0, -0.5])
def test_nothing_above_the_threshold_is_an_empty_mask(value):
    logits = np.full((16, 16), value, dtype=np.float32)
    mask = mask_from_logits(MaskPrompt(logits, y=0, x=0, step=4), (64, 64))
    assert mask.area == 0
    assert mask.array.shape == (0, 0)


def test_a_window_beyond_the_image_shows_nothing():
    logits = np.full((16, 16), 5.0, dtype=np.float32)
    assert mask_from_logits(MaskPrompt(logits, y=100, x=0, step=4), (64, 64)).area == 0
    assert mask_from_logits(MaskPrompt(logits, y=32, x=0, step=4), (64, 64)).area == 32 * 64


@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.75, 1.5, 2, 4]), st.integers(20, 64))
def test_equals_two_interpolations_of_torch_one_after_the_other(seed, via, n_rows):
    """To a window of 64 samples, of which some rows show the image, and from there to pixels."""
    assume(n_rows * via % 1 == 0)  # an image ends with a pixel
    logits = smooth_logits(seed)
    interpolate = torch.nn.functional.interpolate
    window = interpolate(torch.from_numpy(logits)[None, None].double(), (64, 64), mode="bilinear")
    seen = window[..., :n_rows, :]
    reference = interpolate(seen, scale_factor=(via, via), mode="bilinear")[0, 0].numpy()
    shape = reference.shape
    mask = mask_from_logits(MaskPrompt(logits, y=0, x=0, step=2 * via), shape, via=via)
    differs = mask.to_array(shape) != (reference > 0)
    assert (np.abs(reference[differs]) < 1e-5).all()
