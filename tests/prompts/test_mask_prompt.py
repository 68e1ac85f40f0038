from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.prompts import MaskPrompt
from napari_sam.prompts.mask_prompt import CONFIDENT_LOGIT

logits_arrays = hnp.arrays(
    np.float32, (8, 8), elements=st.floats(-30, 30, width=32, allow_subnormal=True)
)


@given(logits_arrays, st.integers(-50, 50), st.sampled_from([0.5, 1, 2, 8]))
def test_its_own_grid_gives_the_same_bits(logits, origin, step):
    prompt = MaskPrompt(logits, y=origin, x=-origin, step=step)
    same = prompt.resample(origin, -origin, step, 8)
    assert same.tobytes() == logits.tobytes()


@given(logits_arrays, st.integers(-9, 9), st.integers(-9, 9))
def test_a_shift_by_whole_samples_moves_values(logits, dy, dx):
    prompt = MaskPrompt(logits, y=0, x=0, step=4)
    shifted = prompt.resample(4 * dy, 4 * dx, 4, 8)
    expected = np.full((8, 8), -CONFIDENT_LOGIT, dtype=np.float32)
    for row, column in np.ndindex(8, 8):
        if 0 <= row + dy < 8 and 0 <= column + dx < 8:
            expected[row, column] = logits[row + dy, column + dx]
    np.testing.assert_allclose(shifted, expected, rtol=1e-6, atol=1e-6)


def test_a_finer_grid_interpolates_linearly():
    logits = np.random.default_rng(0).normal(size=(8, 8)).astype(np.float32)
    fine = MaskPrompt(logits, y=0, x=0, step=4).resample(8, 8, 1, 16)
    reference = torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None, None], scale_factor=4, mode="bilinear"
    )[0, 0].numpy()
    np.testing.assert_allclose(fine, reference[8:24, 8:24], atol=1e-5)


def test_a_coarser_grid_averages_so_that_thin_things_fade_evenly():
    stripes = np.zeros((64, 64), dtype=bool)
    stripes[:, ::4] = True
    coarse = MaskPrompt.from_mask(stripes, 0, 0).resample(0, 0, 8, 8)
    inner = coarse[2:-2, 2:-2]
    assert np.ptp(inner) < 1e-5
    assert inner[0, 0] == pytest.approx(CONFIDENT_LOGIT * (2 * 0.25 - 1), abs=1e-5)


def test_a_mask_keeps_its_place():
    prompt = MaskPrompt.from_mask(np.ones((8, 4), dtype=bool), y0=16, x0=20)
    assert (prompt.logits == np.float32(CONFIDENT_LOGIT)).all()
    on_window = prompt.resample(0, 0, 2, 32)
    expected = np.zeros((32, 32), dtype=bool)
    expected[8:12, 10:12] = True
    np.testing.assert_array_equal(on_window > 0, expected)


def test_far_away_it_says_no_everywhere():
    prompt = MaskPrompt.from_mask(np.ones((4, 4), dtype=bool), 0, 0)
    far = prompt.resample(1000, 1000, 4, 16)
    np.testing.assert_allclose(far, -CONFIDENT_LOGIT)


@pytest.mark.parametrize(
    ("logits", "step", "sentence"),
    [
        (np.zeros(3, np.float32), 1, r"found shape \(3,\)"),
        (np.full((2, 2), np.nan, np.float32), 1, "4 of them not finite"),
        (np.zeros((2, 2), np.float32), 0, "step of a mask prompt is 0"),
    ],
)
def test_bad_logits_are_refused(logits, step, sentence):
    with pytest.raises(ValueError, match=sentence):
        MaskPrompt(logits, y=0, x=0, step=step)
