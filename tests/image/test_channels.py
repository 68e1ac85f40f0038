"""Channels by number, by name, and all of them at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from napari_sam.image import Intensity, Window, open_image

from .ome_zarrs import write_ome_zarr

PLAIN = Intensity((0,), (255,))
RGB = Intensity((0,) * 3, (255,) * 3)
NAMES = ("DAPI", "GFP", "RFP", "Cy5", "Cy5")


def draw(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.fixture
def named() -> zarr.Group:
    store = zarr.storage.MemoryStore()
    return write_ome_zarr(store, [draw((5, 20, 30))], "cyx", channel_names=NAMES)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ("GFP", [1]),
        (["RFP"], [2]),
        (("RFP", "DAPI", 4), [2, 0, 4]),
        (["DAPI", "GFP", "RFP"], [0, 1, 2]),
    ],
)
def test_channels_by_name(named: zarr.Group, channels: Any, expected: list[int]) -> None:
    intensity = PLAIN if len(expected) == 1 else RGB
    found = open_image(named, channels=channels, intensity=intensity).read(Window(0, 0, 32))
    np.testing.assert_allclose(found * 255, draw((5, 20, 30))[expected], rtol=1e-6)


@pytest.mark.parametrize(
    ("channels", "message"),
    [
        ("dapi", "no channel 'dapi'. The channels are 0 'DAPI', 1 'GFP', 2 'RFP', 3 'Cy5'"),
        ("Cy5", r"channels \[3, 4\] are all named 'Cy5': choose by number"),
        (7, "channels=7 was given; .*from 0 to 4. The channels are 0 'DAPI'"),
        (None, "5 channels: say which .*channels='max'.* The channels are 0 'DAPI'"),
    ],
)
def test_channels_there_are_none(named: zarr.Group, channels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_image(named, channels=channels)


def test_names_where_there_are_none() -> None:
    with pytest.raises(ValueError, match="have no names: choose by number"):
        open_image(np.zeros((5, 8, 8)), axes="cyx", channels="DAPI")
    with pytest.raises(ValueError, match="no channel c"):
        open_image(np.zeros((5, 8, 8)), axes="zyx", channels="max")
    with pytest.raises(TypeError, match="integers or names"):
        open_image(np.zeros((5, 8, 8)), axes="cyx", channels=[1.5])


def test_names_that_are_not_those_of_these_channels_are_dropped(named: zarr.Group) -> None:
    metadata: Any = named.attrs["ome"]
    del metadata["omero"]["channels"][0]
    named.attrs["ome"] = metadata
    assert open_image(named, channels=0).channel_names == ()


@pytest.mark.parametrize("axes", ["cyx", "yxc", "ycx"])
@pytest.mark.parametrize("chunks", [None, 1, 2, 5])
def test_the_maximum_over_channels(axes: str, chunks: int | None, counting: Any) -> None:
    data = draw((5, 20, 30))
    moved = data.transpose(["cyx".index(axis) for axis in axes])
    sides = None if chunks is None else tuple(chunks if axis == "c" else 8 for axis in axes)
    image = open_image(counting(moved, chunks=sides), axes=axes, channels="max", intensity=PLAIN)
    assert image.n_channels == 1
    found = image.read(Window(4, 8, 8))
    np.testing.assert_allclose(found * 255, data[:, 4:12, 8:16].max(axis=0)[None], rtol=1e-6)
    assert image._pyramid.levels[0].array.elements == 5 * 8 * 8


def test_the_maximum_passes_over_what_is_no_number() -> None:
    data = np.array([[[np.nan, 1.0, 2.0]], [[3.0, np.nan, 1.0]]])
    found = open_image(data, axes="cyx", channels="max", intensity=Intensity((0,), (4,)))
    np.testing.assert_allclose(found.read(Window(0, 0, 4)), [[[0.75, 0.25, 0.5]]])


def test_the_intensity_of_the_maximum_is_measured_on_it() -> None:
    data = np.stack([np.full((20, 30), 3), np.arange(600).reshape(20, 30)]).astype(np.uint16)
    assert open_image(data, axes="cyx", channels="max").intensity.low[0] >= 3


def test_8_bit_rgb_of_any_source_is_unchanged() -> None:
    data = np.random.default_rng(0).integers(90, 100, (20, 30, 3)).astype(np.uint8)
    for source in (data, xr.DataArray(data, dims=("y", "x", "rgb"))):
        found = open_image(source).read(Window(0, 0, 32))
        np.testing.assert_allclose(found * 255, data.transpose(2, 0, 1), rtol=1e-6)


def test_a_stack_that_was_taken_for_rgb() -> None:
    with pytest.raises(ValueError, match=r"No RGB image has 60 channels.*give axes='zyx'"):
        open_image(np.zeros((3, 50, 60), np.uint8), axes="yxc")
    with pytest.raises(ValueError, match="no channels but slices, give axes='zyx'"):
        open_image(np.zeros((30, 50, 60), np.uint8), axes="cyx")
