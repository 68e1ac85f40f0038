"""Images as micro-sam's models have learned to see them: from minimum to maximum, in 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_sam.image import Image, Intensity, Window, open_image


def micro_sam(pixels: np.ndarray) -> np.ndarray:
    """The 8-bit image that micro-sam makes of a (C, h, w) array, as its code computes it."""
    image = pixels.transpose(1, 2, 0).astype("float32")
    if image.shape[2] == 2:
        image = np.concatenate([image, np.zeros_like(image[..., :1])], axis=2)
    image -= image.min(axis=(0, 1))
    image /= image.max(axis=(0, 1)) + 1e-7
    return (image * 255).astype("uint8").transpose(2, 0, 1)


def read_whole(image: Image) -> np.ndarray:
    """The whole image at step 1, in 8 bits; fails unless it has exactly these levels."""
    found = image.converted("min-max").read(Window(0, 0, max(image.shape_yx)))
    assert found.dtype == np.float32
    levels = np.round(found * 255)
    np.testing.assert_array_equal((levels / 255).astype(np.float32), found)
    return levels.astype(np.uint8)


def draw(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.default_rng(0)
    return {
        "uint8": random.integers(3, 200, shape).astype(np.uint8),
        "12 bits": random.integers(90, 4096, shape).astype(np.uint16),
        "int16": random.integers(-900, 800, shape).astype(np.int16),
        "float": random.normal(3, 1e-3, shape).astype(np.float32),
        "double": random.normal(-1e6, 10, shape),
        "bool": random.random(shape) > 0.5,
        "constant": np.full(shape, 7, np.uint8),
    }[kind]


@pytest.mark.parametrize("n_channels", [1, 2, 3])
@pytest.mark.parametrize("kind", ["uint8", "12 bits", "int16", "float", "double", "constant"])
def test_levels_are_those_of_micro_sam(kind: str, n_channels: int) -> None:
    pixels = draw(kind, (n_channels, 40, 50))
    image = open_image(pixels, axes="cyx", channels=range(n_channels))
    np.testing.assert_array_equal(read_whole(image), micro_sam(pixels))


@pytest.mark.parametrize("kind", ["uint8", "bool", "12 bits"])
def test_gray_images(kind: str) -> None:
    pixels = draw(kind, (40, 50))
    np.testing.assert_array_equal(read_whole(open_image(pixels)), micro_sam(pixels[None]))


def test_8_bit_rgb_is_stretched_too() -> None:
    pixels = draw("uint8", (40, 50, 3))
    found = read_whole(open_image(pixels))
    np.testing.assert_array_equal(found, micro_sam(pixels.transpose(2, 0, 1)))
    assert (found.min(), found.max()) == (0, 255)


def test_the_epsilon_costs_floats_their_last_level() -> None:
    pixels = np.linspace(0, 1, 40 * 50).reshape(1, 40, 50)
    found = read_whole(open_image(pixels[0]))
    np.testing.assert_array_equal(found, micro_sam(pixels))
    assert found.max() == 254


def test_the_first_three_of_more_channels() -> None:
    pixels = draw("12 bits", (5, 40, 50))
    image = open_image(pixels, axes="cyx", channels=(0, 1, 2))
    np.testing.assert_array_equal(read_whole(image), micro_sam(pixels[:3]))


@given(
    npst.arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.float32]),
        npst.array_shapes(min_dims=3, max_dims=3, max_side=6).map(lambda s: (1, *s[1:])),
        elements=st.integers(0, 255),
    )
)
def test_levels_of_any_small_image(pixels: np.ndarray) -> None:
    image = open_image(pixels[0], axes="yx")
    np.testing.assert_array_equal(read_whole(image), micro_sam(pixels))


def test_one_extreme_pixel_counts_wherever_it_is() -> None:
    """A sample of the image would miss it."""
    pixels = draw("12 bits", (1500, 1800))
    pixels[1234, 777], pixels[21, 1600] = 65_000, 0
    intensity = open_image(pixels).converted("min-max").intensity
    assert (intensity.low, intensity.high) == ((0,), (65_000,))
    stack = open_image(np.stack([pixels[:600, :600], pixels[900:1500, 600:1200]]))
    assert stack.converted("min-max").intensity.high == (65_000,), "over all planes"


def test_a_large_image_is_sampled(counting: Any, huge_array: Any) -> None:
    data = counting(huge_array((100_000, 100_000)))
    assert open_image(data).converted("min-max").intensity.high[0] > 0
    assert data.elements == 16 * 256**2


def test_values_beyond_the_sample_and_no_numbers() -> None:
    intensity = Intensity((10,), (20,), is_8_bit=True)
    raw = np.array([[[5, 10, 15, 20, 25, np.nan, np.inf, -np.inf]]])
    np.testing.assert_array_equal(
        intensity.normalize(raw) * 255, [[[0, 0, 127, 255, 255, 0, 0, 0]]]
    )


def test_extremes_of_finite_values() -> None:
    sample = np.array([[np.nan, 3, -np.inf, 9, 5]])
    assert Intensity.from_extremes(sample) == Intensity((3,), (9,), is_8_bit=True)
    with pytest.raises(ValueError, match="None of 2 sampled pixels is finite"):
        Intensity.from_extremes(np.full((1, 2), np.nan))
    with pytest.raises(ValueError, match="Intensity limits are finite"):
        Intensity.from_extremes(np.array([[0, 1e300]]))


def test_converting_measures_nothing_and_changes_nothing(counting: Any) -> None:
    data = counting(draw("12 bits", (40, 50)))
    image = open_image(data)
    converted = image.converted("min-max")
    assert not data.requests
    assert not image.intensity.is_8_bit
    assert converted.intensity.is_8_bit
    assert converted.converted("min-max") is converted
    assert image.converted("percentiles") is image


def test_an_intensity_that_was_given_stays() -> None:
    given = Intensity((0,), (4096,))
    image = open_image(draw("12 bits", (40, 50)), intensity=given)
    assert image.converted("min-max").intensity is given


def test_two_channels_get_an_empty_third_one() -> None:
    pixels = draw("12 bits", (2, 40, 50))
    image = open_image(pixels, axes="cyx", channels=(1, 0))
    found = image.read(Window(0, 0, 64))
    assert found.shape == (3, 40, 50)
    assert not found[2].any()
    swapped = open_image(pixels[::-1], axes="cyx", channels=(0, 1)).read(Window(0, 0, 64))
    np.testing.assert_array_equal(found, swapped)
