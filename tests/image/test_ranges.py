"""Channels that a slider goes through have ranges of their own."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.image import Intensity, Window, open_image


def channels(*highest: int) -> np.ndarray:
    """Return channels of noise, each up to another value."""
    noise = np.random.default_rng(0).random((len(highest), 300, 320))
    return (noise * np.reshape(highest, (-1, 1, 1))).astype(np.uint16)


@pytest.mark.parametrize("conversion", ["percentiles", "min-max"])
@pytest.mark.parametrize("chunks", [None, (1, 64, 64), (2, 128, 320)])
def test_each_channel_reads_as_if_it_were_alone(conversion: Any, chunks: Any) -> None:
    data: Any = channels(200, 60_000)
    alone = [open_image(each).converted(conversion) for each in data]
    if chunks:
        alone = [open_image(zarr.create_array({}, data=one, chunks=chunks[1:])) for one in data]
        alone = [each.converted(conversion) for each in alone]
        data = zarr.create_array({}, data=data, chunks=chunks)
    image = open_image(data, axes="zyx", channel_axis="z").converted(conversion)
    for number, one in enumerate(alone):
        window = Window(20, 30, 100, 2, (number,))
        expected = one.read(Window(20, 30, 100, 2))
        assert expected.std() > 0.1
        np.testing.assert_allclose(image.read(window), expected, atol=1e-6)
    assert image.intensity == Intensity.joined([one.intensity for one in alone])


def test_without_a_channel_axis_all_planes_share_one_range() -> None:
    image = open_image(channels(200, 60_000), axes="zyx")
    assert image.read(Window(0, 0, 64, 1, (0,))).max() < 0.01
    assert len(image.intensity.low) == 1


@pytest.mark.parametrize("axis", "ptz")
def test_the_channel_axis_may_stand_anywhere(axis: str) -> None:
    base = channels(100, 1000)
    stacks = np.broadcast_to(base[:, None, None], (2, 3, 4, 300, 320))
    data = np.moveaxis(stacks, 0, "ptz".index(axis))
    image = open_image(data, axes="ptzyx", channel_axis=axis)
    assert image.intensity.high == pytest.approx((100, 1000), rel=0.01)
    for number in range(2):
        plane = tuple(number if one == axis else 2 for one in "ptz")
        assert image.read(Window(0, 0, 64, 1, plane)).max() > 0.99


def test_only_the_channel_that_is_read_is_measured(counting: Any, huge_array: Any) -> None:
    data = counting(huge_array((50, 9000, 9000)), chunks=(1, 512, 512), allow_steps=True)
    image = open_image(data, axes="zyx", channel_axis="z")
    assert image.note == "each of its 50 channels has an intensity range of its own"
    assert not data.requests
    image.read(Window(0, 0, 64, 1, (7,)))
    assert {request[0] for request in data.requests} == {7}
    assert data.elements <= 16 * 256**2 + 64**2
    data.forget()
    image.read(Window(0, 0, 64, 1, (7,)))
    assert data.elements == 64**2


def test_what_is_odd_about_a_channel_is_told_once_it_has_been_read() -> None:
    data = channels(200, 60_000)
    data[1] = 7
    image = open_image(data, axes="tyx", channel_axis="t")
    image.read(Window(0, 0, 64, 1, (0,)))
    assert "channel 1" not in image.note
    image.read(Window(0, 0, 64, 1, (1,)))
    assert "; channel 1: all sampled pixels are 7: the image is constant" in image.note


def test_ranges_go_along_to_another_process() -> None:
    image = open_image(channels(200, 60_000), axes="zyx", channel_axis="z")
    there = pickle.loads(pickle.dumps(image))
    assert there.intensity == image.intensity
    assert there.channel_axis == "z"
    window = Window(0, 0, 64, 1, (0,))
    np.testing.assert_array_equal(there.read(window), image.read(window))


def test_ranges_can_be_given_for_all_channels() -> None:
    data, limits = channels(200, 60_000), Intensity((0, 0), (200, 60_000))
    image = open_image(data, axes="zyx", channel_axis="z", intensity=limits)
    assert image.intensity == limits
    assert image.read(Window(0, 0, 300, 1, (0,))).mean() == pytest.approx(0.5, abs=0.02)
    with pytest.raises(ValueError, match="limits for 1 channels, but 2 are read"):
        open_image(data, axes="zyx", channel_axis="z", intensity=Intensity((0,), (1,)))


@pytest.mark.parametrize("axis", ["c", "t", "y", "zz", "q"])
def test_another_axis_than_one_of_planes_is_refused(axis: str) -> None:
    with pytest.raises(ValueError, match="channel_axis"):
        open_image(np.zeros((3, 40, 40)), axes="zyx", channel_axis=axis)


@given(
    n_channels=st.integers(1, 3),
    lows=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5),
    is_8_bit=st.booleans(),
)
def test_joined_intensities_split_into_what_they_were(
    n_channels: int, lows: list[float], is_8_bit: bool
) -> None:
    parts = [
        Intensity((low,) * n_channels, (low + 1,) * n_channels, is_8_bit=is_8_bit) for low in lows
    ]
    assert Intensity.joined(parts).split(n_channels) == parts
