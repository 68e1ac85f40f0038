"""Weights along an axis: averages, interpolation, and only the pixels that are needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.image.resample import axis_weights, resample

lengths = st.integers(1, 60)
step_widths = st.sampled_from([0.125, 0.25, 0.5, 1.0, 4 / 3, 2.0, 2.667, 8.0])


@given(lengths, step_widths, st.data())
def test_constant_stays_constant_and_pixels_exist(
    length: int, step: float, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, length - 1))
    count = data.draw(st.integers(1, max(1, int((length - start) / step))))
    pixels, weights = axis_weights(start, step, count, length)
    assert 0 <= pixels.start < pixels.stop <= length
    assert weights.shape == (count, pixels.stop - pixels.start)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)


@given(st.integers(4, 60), step_widths, st.data())
def test_a_ramp_keeps_its_positions(length: int, step: float, data: st.DataObject) -> None:
    start = data.draw(st.integers(1, length - 2))
    count = int((length - 1 - start) / step)
    if count == 0:
        return
    pixels, weights = axis_weights(start, step, count, length)
    ramp = np.arange(length, dtype=np.float64)[pixels]  # the value of a pixel is its center
    centers = start + (np.arange(count) + 0.5) * step - 0.5
    # A part of a pixel counts with the value of its center, an eighth of a pixel off at most.
    np.testing.assert_allclose(
        weights @ ramp, centers, atol=1e-4 if step % 1 in (0, step) else 0.13
    )


def test_only_covered_pixels_are_asked_for() -> None:
    assert axis_weights(8, 4, 3, 100)[0] == slice(8, 20)
    assert axis_weights(1000 / 3, 4 / 3, 3, 5000)[0] == slice(333, 338)
    assert axis_weights(8, 0.5, 4, 100)[0] == slice(7, 11), "one neighbor on each side"
    assert axis_weights(0, 0.5, 4, 100)[0] == slice(0, 3), "no neighbor outside the image"


def test_a_sample_wider_than_the_image_is_its_mean() -> None:
    pixels, weights = axis_weights(0, 2.0**60, 1, 500)
    assert pixels == slice(0, 500)
    np.testing.assert_allclose(weights.toarray(), np.full((1, 500), 1 / 500), rtol=1e-6)


def test_identity_returns_the_same_values() -> None:
    pixels = np.random.default_rng(0).random((3, 7, 9), np.float32)
    _, rows = axis_weights(0, 1, 7, 7)
    _, columns = axis_weights(0, 1, 9, 9)
    np.testing.assert_array_equal(resample(pixels, rows, columns), pixels)


def test_whole_factors_are_block_means() -> None:
    pixels = np.random.default_rng(0).random((1, 6, 8), np.float32)
    _, rows = axis_weights(0, 2, 3, 6)
    _, columns = axis_weights(0, 4, 2, 8)
    means = pixels.reshape(1, 3, 2, 2, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(resample(pixels, rows, columns), means, rtol=1e-6)


@pytest.mark.parametrize("step", [2.0, 3.0])
def test_last_sample_averages_what_is_left(step: float) -> None:
    _, weights = axis_weights(0, step, 4 if step == 2 else 3, 7)
    assert weights.toarray()[-1].tolist() == [0, 0, 0, 0, 0, 0, 1]
