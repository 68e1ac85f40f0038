"""A window is read from any kind of array, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import center_of_mass

from napari_sam.image import Intensity, Window, open_image
from napari_sam.image import image as image_module

PLAIN = Intensity((0,), (255,))
RGB = Intensity((0,) * 3, (255,) * 3)


def block_mean(levels: np.ndarray, factor: int) -> np.ndarray:
    height, width = (length // factor * factor for length in levels.shape)
    blocks = levels[:height, :width].reshape(height // factor, factor, width // factor, factor)
    return blocks.mean(axis=(1, 3))


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (90, 120)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["numpy", "dask", "zarr", "memmap"])
def test_all_kinds_of_arrays_read_the_same(kind: str, pixels: np.ndarray, tmp_path: Path) -> None:
    data: Any = pixels
    if kind == "dask":
        data = da.from_array(pixels, chunks=32)
    elif kind == "zarr":
        data = zarr.create_array(tmp_path / "a.zarr", data=pixels, chunks=(32, 32))
    elif kind == "memmap":
        data = np.memmap(tmp_path / "a.bin", np.uint8, "w+", shape=pixels.shape)
        data[:] = pixels
    found = open_image(data, intensity=PLAIN).read(Window(20, 30, 32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, pixels[None, 20:52, 30:62] / 255, rtol=1e-6)


@pytest.mark.parametrize(
    "dtype",
    ["uint8", "uint16", "uint32", "int16", "int64", "float16", "float32", "float64", "bool", ">u2"],
)
def test_all_types_become_float32_from_0_to_1(dtype: str, pixels: np.ndarray) -> None:
    found = open_image((pixels // 2).astype(dtype)).read(Window(0, 0, 64))
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() == 1


def test_window_is_cut_at_the_border(pixels: np.ndarray) -> None:
    found = open_image(pixels, intensity=PLAIN).read(Window(60, 100, 64))
    np.testing.assert_allclose(found, pixels[None, 60:, 100:] / 255, rtol=1e-6)


def test_partial_samples_at_the_border_average_what_is_there() -> None:
    pixels = np.arange(35, dtype=np.uint8).reshape(5, 7)
    found = open_image(pixels, intensity=PLAIN).read(Window(0, 0, 8, 4.0)) * 255
    expected = [[pixels[:4, :4].mean(), pixels[:4, 4:].mean()]]
    expected += [[pixels[4:, :4].mean(), pixels[4:, 4:].mean()]]
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_magnification_interpolates_between_pixel_centers() -> None:
    ramp = np.tile(np.arange(10, dtype=np.uint8), (10, 1))
    window = Window(2, 2, 8, 0.25)
    found = open_image(ramp, intensity=PLAIN).read(window) * 255
    x = window.to_image(np.stack([np.zeros(8), np.arange(8)], axis=-1))[:, 1]
    np.testing.assert_allclose(found, np.broadcast_to(x, (1, 8, 8)), rtol=1e-5)


def test_planes_and_channels_are_found_wherever_they_stand() -> None:
    data = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 20, 30)).astype(np.uint8)
    window = Window(5, 6, 8, plane=(1, 2))
    expected = data[1, :, 2, 5:13, 6:14] / 255
    for axes in ("tczyx", "tzcyx", "tzyxc", "ctzyx", "tzycx"):
        moved = data.transpose(["tczyx".index(axis) for axis in axes])
        image = open_image(moved, axes=axes, intensity=RGB)
        assert (image.shape_yx, image.plane_shape, image.n_channels) == ((20, 30), (2, 4), 3)
        np.testing.assert_allclose(image.read(window), expected, rtol=1e-6)


def test_channels_are_chosen_in_any_order() -> None:
    data = np.random.default_rng(0).integers(0, 255, (5, 20, 30)).astype(np.uint8)
    one = open_image(data, axes="cyx", channels=3, intensity=PLAIN).read(Window(0, 0, 8))
    np.testing.assert_allclose(one, data[3:4, :8, :8] / 255, rtol=1e-6)
    three = open_image(data, axes="cyx", channels=(4, 0, 2), intensity=RGB).read(Window(0, 0, 8))
    np.testing.assert_allclose(three, data[[4, 0, 2], :8, :8] / 255, rtol=1e-6)


def test_alpha_is_dropped_and_8_bit_rgb_is_unchanged() -> None:
    data = np.random.default_rng(0).integers(90, 100, (20, 30, 4)).astype(np.uint8)
    found = open_image(data).read(Window(0, 0, 16))
    np.testing.assert_allclose(found, data[:16, :16, :3].transpose(2, 0, 1) / 255, rtol=1e-6)


def test_only_the_window_is_requested(counting: Any, huge_array: Any) -> None:
    data = counting(huge_array((50, 100_000, 100_000)))
    image = open_image(data, intensity=PLAIN)
    assert data.elements == 0, "opening reads nothing"
    image.read(Window(40_000, 50_000, 512, plane=(7,)))
    assert data.requests == [(7, slice(40_000, 40_512), slice(50_000, 50_512))]
    data.forget()
    image.read(Window(40_000, 50_000, 512, 4.0, plane=(7,)))
    assert data.elements == (512 * 4) ** 2
    data.forget()
    image.read(Window(40_000, 50_000, 512, 0.5, plane=(7,)))
    assert data.elements == (512 // 2 + 2) ** 2, "one neighbor on each side"


def test_rgb_is_one_request_and_scattered_channels_are_one_each(
    counting: Any, huge_array: Any
) -> None:
    rgb = counting(huge_array((9000, 9000, 4), "uint8"))
    open_image(rgb).read(Window(512, 512, 64))
    assert rgb.requests == [(slice(512, 576), slice(512, 576), slice(0, 3))]
    many = counting(huge_array((6, 9000, 9000)))
    open_image(many, axes="cyx", channels=(5, 0, 2), intensity=RGB).read(Window(512, 512, 64))
    assert many.elements == 3 * 64 * 64


def test_large_steps_are_read_in_strips(
    counting: Any, pixels: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = Window(0, 8, 8, 8.0)
    whole = open_image(pixels, intensity=PLAIN).read(window)
    monkeypatch.setattr(image_module, "MAX_PIXELS", 1200)
    data = counting(pixels)
    np.testing.assert_array_equal(open_image(data, intensity=PLAIN).read(window), whole)
    assert data.elements == 64 * 64
    assert max(data.sizes) <= 1200
    np.testing.assert_allclose(whole[0], block_mean(pixels[:64, 8:72], 8) / 255, rtol=1e-5)


@pytest.mark.parametrize(
    ("step", "level"), [(0.5, 0), (1, 0), (2, 1), (4, 2), (8, 2), (16, 3), (64, 3)]
)
def test_the_coarsest_level_that_is_fine_enough_is_read(
    step: float, level: int, counting: Any, huge_array: Any
) -> None:
    sides = (8001, 4001, 2000, 500)
    levels = [counting(huge_array((side, side))) for side in sides]
    image = open_image(levels, intensity=PLAIN)
    assert [one.downsample for one in image.levels] == [(1, 1), (2, 2), (4, 4), (16, 16)]
    image.read(Window(0, 0, 32, float(step)))
    assert [bool(one.requests) for one in levels] == [k == level for k in range(4)]


def test_levels_that_merge_planes_are_read_where_others_are_too_large(counting: Any) -> None:
    levels = [np.zeros((9, 512, 512), np.float32)]
    levels[0] += np.arange(9)[:, None, None]
    for factor in (2, 4, 8, 16):
        planes = -(-9 // factor)
        merged = [levels[0][factor * k : factor * (k + 1), 0, 0].mean() for k in range(planes)]
        shape = (planes, 512 // factor, 512 // factor)
        levels.append(np.broadcast_to(np.array(merged, "f")[:, None, None], shape))
    image = open_image([counting(level) for level in levels], intensity=Intensity((0,), (10,)))
    for step, expected in [(1, 5), (2, 5), (4, 5), (8, (4 + 5) / 2), (16, (4 + 5 + 6 + 7) / 4)]:
        found = image.read(Window(0, 0, 32, step, (5,)))
        np.testing.assert_allclose(found, expected / 10, rtol=1e-5)
    np.testing.assert_allclose(image.read(Window(0, 0, 32, 16, (8,))), 0.8, rtol=1e-5)
    np.testing.assert_allclose(image.read(Window(0, 0, 32, 16, (3,))), 0.15, rtol=1e-5)


def test_levels_by_other_factors_than_two() -> None:
    full = np.random.default_rng(0).integers(0, 255, (270, 360)).astype(np.float32)
    image = open_image([full, block_mean(full, 3), block_mean(full, 9)], intensity=PLAIN)
    assert [one.downsample for one in image.levels] == [(1, 1), (3, 3), (9, 9)]
    for step, tolerance in ((2.0, 1e-6), (4.0, 0.05), (16.0, 0.05)):
        found = image.read(Window(16, 32, 8, step))
        expected = open_image(full, intensity=PLAIN).read(Window(16, 32, 8, step))
        assert np.abs(found - expected).mean() < tolerance


@settings(max_examples=40)
@given(
    st.tuples(st.integers(150, 260), st.integers(150, 260)),
    st.floats(70, 90),
    st.floats(70, 90),
    st.sampled_from([1.0, 2.0, 4.0]),
    st.sampled_from([(), (2,), (2, 4), (3,)]),
    st.booleans(),
)
def test_a_disc_stays_in_place_at_every_step_and_level(
    shape: tuple[int, int], y: float, x: float, step: float, factors: tuple[int, ...], up: bool
) -> None:
    rows, columns = np.indices(shape)
    disc = np.clip(30.5 - np.hypot(rows - y, columns - x), 0, 1).astype(np.float32)
    levels = [disc]
    for factor in factors:
        padding = [(0, -length % factor if up else 0) for length in shape]
        levels.append(block_mean(np.pad(disc, padding), factor).astype(np.float32))
    window = Window(8, 16, 128, step)
    sampled = open_image(levels, intensity=Intensity((0,), (1,))).read(window)[0]
    center = window.to_image(center_of_mass(sampled))
    np.testing.assert_allclose(center, (y, x), atol=0.5)


def test_non_finite_pixels_read_as_zero(pixels: np.ndarray) -> None:
    data = pixels.astype(np.float32)
    data[3, 4:7] = [np.nan, np.inf, -np.inf]
    found = open_image(data).read(Window(0, 0, 16))
    assert np.isfinite(found).all()
    assert not found[0, 3, 4:7].any()


def test_an_image_of_nan_is_refused_when_it_is_read() -> None:
    image = open_image(np.full((20, 20), np.nan))
    with pytest.raises(ValueError, match="None of 400 sampled pixels is finite"):
        image.read(Window(0, 0, 8))


@pytest.mark.parametrize(
    ("plane", "expected"),
    [(2, (2,)), ((2,), (2,)), ([2], (2,)), (np.int64(2), (2,)), (np.array([2]), (2,))],
)
def test_planes_of_a_stack(plane: Any, expected: tuple[int, ...]) -> None:
    assert open_image(np.zeros((4, 20, 20))).normalize_plane(plane) == expected


def test_the_only_plane_needs_no_index() -> None:
    assert open_image(np.zeros((1, 1, 20, 20)), axes="tzyx").normalize_plane(()) == (0, 0)
    assert open_image(np.zeros((20, 20))).normalize_plane(()) == ()


@pytest.mark.parametrize(
    ("shape", "plane", "message"),
    [
        ((4, 20, 20), 4, r"no plane 4 in .* 'zyx': .* below \(4,\), such as plane=2"),
        ((7, 5, 20, 20), 4, r"below \(7, 5\), such as plane=\(3, 2\)"),
        ((4, 20, 20), -1, "no plane -1"),
        ((4, 20, 20), (), r"no plane \(\)"),
        ((4, 20, 20), (0, 0), r"no plane \(0, 0\)"),
        ((20, 20), 0, r"2-D, so the only plane is \(\)"),
    ],
)
def test_planes_that_do_not_exist(shape: tuple[int, ...], plane: Any, message: str) -> None:
    image = open_image(np.zeros(shape), axes="tzyx"[-len(shape) :])
    with pytest.raises(ValueError, match=message):
        image.normalize_plane(plane)
    with pytest.raises(ValueError, match=message):
        image.read(Window(0, 0, 8, plane=plane))


@pytest.mark.parametrize("plane", [1.0, "1", None, (1.5,)])
def test_planes_that_are_no_integers(plane: Any) -> None:
    with pytest.raises(TypeError, match=r"plane is .*; expected an integer or a tuple of integers"):
        open_image(np.zeros((4, 20, 20))).normalize_plane(plane)


@pytest.mark.parametrize("origin", [(-1, 0), (0, -8), (20, 0), (0, 30)])
def test_a_window_outside_is_refused(origin: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="does not start inside"):
        open_image(np.zeros((20, 30))).read(Window(*origin, 8))


def test_the_sample_is_bounded_and_the_same_for_any_size(
    counting: Callable[..., Any], huge_array: Any
) -> None:
    def elements(shape: tuple[int, ...]) -> int:
        data = counting(huge_array(shape))
        assert open_image(data).intensity.high[0] > 0
        return data.elements

    assert elements((2048, 2048)) == elements((100_000, 100_000)) == 16 * 256**2
    assert elements((1000, 4000, 4000)) == 16 * 256**2
    assert elements((20, 20)) == 20 * 20


def test_sampled_blocks_stay_inside_chunks_and_spread(counting: Any, huge_array: Any) -> None:
    data = counting(huge_array((40, 9000, 9000)), chunks=(1, 512, 300))
    assert open_image(data).intensity
    assert len({request[0] for request in data.requests}) == 16, "each from another plane"
    for _, rows, columns in data.requests:
        assert rows.start // 512 == (rows.stop - 1) // 512
        assert columns.start // 300 == (columns.stop - 1) // 300
    rows = sorted(request[1].start for request in data.requests)
    assert np.diff([0, *rows, 9000]).max() < 9000 / 6


def test_a_pyramid_is_sampled_where_objects_are_still_seen(counting: Any, huge_array: Any) -> None:
    levels = [counting(huge_array((side, side))) for side in (16_384, 8192, 4096, 2048, 1024)]
    assert open_image(levels).intensity
    assert [bool(level.requests) for level in levels] == [False, False, True, False, False]


def test_intensity_is_measured_once_and_can_be_given(counting: Any, pixels: np.ndarray) -> None:
    data = counting(pixels)
    image = open_image(data)
    assert image.intensity is image.intensity
    assert len(data.requests) == 1
    assert open_image(data, intensity=PLAIN).intensity is PLAIN
    assert len(data.requests) == 1
