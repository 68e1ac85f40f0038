"""Raw values become [0, 1], whatever their type, and nothing that is not a number gets through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as npst

from napari_sam.image import Intensity


@given(npst.arrays(npst.boolean_dtypes() | npst.integer_dtypes() | npst.floating_dtypes(), (1, 30)))
def test_any_values_read_as_finite_numbers_from_0_to_1(sample: np.ndarray) -> None:
    if not np.isfinite(sample).any():
        return
    if sample.dtype.kind == "f" and sample.dtype.itemsize >= 8:
        sample = np.clip(sample, -1e300, 1e300)  # their span is still a number
    normalized = Intensity.from_sample(sample).normalize(sample[:, None])
    assert normalized.dtype == np.float32
    assert normalized.shape == (1, 1, 30)
    assert np.all((normalized >= 0) & (normalized <= 1))


def test_percentiles_of_finite_values() -> None:
    values = np.arange(1001, dtype=np.float32)[None]
    values[0, ::10] = np.nan
    values[0, 5] = np.inf
    intensity = Intensity.from_sample(values)
    kept = values[np.isfinite(values)]
    assert intensity.low == pytest.approx([np.percentile(kept, 1)])
    assert intensity.high == pytest.approx([np.percentile(kept, 99.8)])


def test_each_channel_has_its_own_range() -> None:
    sample = np.stack([np.linspace(0, high, 1000) for high in (10, 1000, 60_000)])
    normalized = Intensity.from_sample(sample).normalize(sample[:, None])
    np.testing.assert_allclose(normalized[0], normalized[2], atol=1e-6)


def test_12_bits_in_uint16_are_not_dark() -> None:
    values = np.random.default_rng(0).integers(0, 4096, (1, 100, 100)).astype(np.uint16)
    normalized = Intensity.from_sample(values.reshape(1, -1)).normalize(values)
    assert normalized.mean() == pytest.approx(0.5, abs=0.02)
    assert normalized.max() == 1


def test_large_integers_close_together_stay_apart() -> None:
    values = np.array([[[4_000_000_000, 4_000_000_050, 4_000_000_100]]], np.uint32)
    normalized = Intensity((4e9,), (4e9 + 100,)).normalize(values)
    np.testing.assert_allclose(normalized, [[[0, 0.5, 1]]], atol=1e-6)


def test_what_is_not_finite_reads_as_the_low_limit() -> None:
    values = np.array([[[np.nan, np.inf, -np.inf, 3.0]]])
    np.testing.assert_array_equal(Intensity((1,), (5,)).normalize(values), [[[0, 0, 0, 0.5]]])


def test_constant_image_reads_as_zero() -> None:
    values = np.full((1, 4, 4), 7, np.int16)
    assert not Intensity.from_sample(values.reshape(1, -1)).normalize(values).any()


def test_few_bright_pixels_are_seen() -> None:
    values = np.zeros((1, 10_000), np.uint8)
    values[0, :5] = [50, 100, 100, 200, 200]
    assert Intensity.from_sample(values) == Intensity((0,), (200,))


def test_no_finite_value_is_refused() -> None:
    with pytest.raises(ValueError, match="None of 4 sampled pixels is finite"):
        Intensity.from_sample(np.full((1, 4), np.nan))


@pytest.mark.parametrize(
    ("low", "high"),
    [((0,), (1, 1)), ((2,), (1,)), ((0,), (np.nan,)), ((), ())],
)
def test_malformed_limits_are_refused(low: tuple[float, ...], high: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="low"):
        Intensity(low, high)
