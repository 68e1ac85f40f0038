"""What is no image is refused with a sentence, before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_sam.image import Intensity, Window, open_image


def test_an_image_tells_what_it_is() -> None:
    levels = [np.zeros((4, 40, 60), np.uint16), np.zeros((4, 20, 30), np.uint16)]
    told = "Image(axes='zyx', shape=(4, 40, 60), dtype=uint16, levels=2)"
    assert repr(open_image(levels)) == told


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((4, 4), complex), "complex128.*magnitude"),
        (np.zeros((4, 4), object), "type object"),
        (np.zeros((4, 4), [("a", "f4")]), "real numbers"),
        (np.zeros((4, 4), "datetime64[s]"), "real numbers"),
        (3.0, "found float"),
        (None, "found NoneType"),
        ([[1, 2], [3, 4]], "found list"),
        ({"a": 1}, "found dict"),
    ],
)
def test_other_things_than_numbers(data: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        open_image(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((0, 4)), r"at least 1, found shape \(0, 4\)"),
        (np.zeros(4), "at least two axes"),
        ([], "at least one level"),
        ([np.zeros((8, 8)), np.zeros((2, 4, 4))], "not a smaller version"),
        ([np.zeros((4, 4)), np.zeros((8, 8))], "not a smaller version"),
        ([np.zeros((8, 8)), np.zeros((2, 2)), np.zeros((4, 4))], "from large to small"),
        ([np.zeros((8, 8)), np.zeros((4, 4), "u1")], "has type uint8"),
        ([np.zeros((8, 8)), np.zeros((0, 4))], "at least 1"),
    ],
)
def test_images_that_do_not_hold_together(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_image(data)


def test_unknown_dask_lengths_are_refused() -> None:
    values = da.from_array(np.arange(64).reshape(8, 8), chunks=4)
    with pytest.raises(ValueError, match="known length"):
        open_image(values[values[:, 0] > 20])


@pytest.mark.parametrize(
    ("shape", "axes", "channels", "message"),
    [
        ((5, 8, 8), "cyx", None, "5 channels: say which"),
        (
            (5, 8, 8),
            "cyx",
            5,
            "expected one to three numbers, each from 0 to 4",
        ),
        ((5, 8, 8), "cyx", (0, 1, 2, 3), "one to three numbers"),
        ((5, 8, 8), "zyx", 0, "no channel c"),
        ((5, 8, 8), "tzyx", None, "names 4 axes"),
        ((2, 5, 8, 8), None, None, "cannot be guessed"),
    ],
)
def test_axes_and_channels_that_do_not_fit(
    shape: tuple[int, ...], axes: str | None, channels: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        open_image(np.zeros(shape), axes=axes, channels=channels)


def test_channels_are_integers() -> None:
    with pytest.raises(TypeError, match=r"channels is 1\.5; expected one to three integers"):
        open_image(np.zeros((2, 8, 8)), axes="cyx", channels=1.5)
    assert open_image(np.zeros((5, 8, 8)), axes="cyx", channels=np.arange(3)).n_channels == 3


def test_levels_of_other_channels_are_refused() -> None:
    with pytest.raises(ValueError, match="not a smaller version"):
        open_image([np.zeros((3, 8, 8)), np.zeros((1, 4, 4))], axes="cyx")


def test_levels_with_fewer_time_points_are_left_out() -> None:
    shapes = [(8, 64, 64), (8, 32, 32), (4, 16, 16)]
    image = open_image([np.zeros(shape) for shape in shapes], axes="tyx")
    assert [level.shape_yx for level in image.levels] == [(64, 64), (32, 32)]


@pytest.mark.parametrize(
    ("full", "half", "factors"),
    [
        ((1001, 700), (501, 350), (2, 2)),
        ((1001, 700), (500, 350), (2, 2)),
        ((100_001, 5), (12_501, 1), (8, 8)),
        ((900, 900), (600, 600), (1.5, 1.5)),
        ((900, 900), (900, 300), (1, 3)),
        ((999, 999), (333, 333), (3, 3)),
    ],
)
def test_downsampling_factors_see_through_rounding(
    full: tuple[int, int], half: tuple[int, int], factors: tuple[float, float]
) -> None:
    assert open_image([np.zeros(full), np.zeros(half)]).levels[1].downsample == factors


def test_intensity_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="limits for 3 channels, but 1 are read"):
        open_image(np.zeros((8, 8)), intensity=Intensity((0,) * 3, (1,) * 3))


def write_ome_zarr(path: Path, version: str) -> np.ndarray:
    data = np.random.default_rng(0).integers(0, 255, (2, 3, 40, 60)).astype(np.uint8)
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    for level, array in enumerate([data, data[..., ::2, ::2]]):
        group.create_array(str(level), data=array, chunks=(1, 1, 32, 32))
    kinds = {"c": "channel", "z": "space", "y": "space", "x": "space"}
    multiscale = {
        "axes": [{"name": name, "type": kind} for name, kind in kinds.items()],
        "datasets": [{"path": "0"}, {"path": "1"}],
    }
    if version == "0.4":
        group.attrs["multiscales"] = [{"version": version, **multiscale}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [multiscale]}
    return data


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("opened", [False, True])
def test_ome_zarr(version: str, opened: bool, tmp_path: Path) -> None:
    data = write_ome_zarr(tmp_path / "image.zarr", version)
    source = zarr.open_group(tmp_path / "image.zarr") if opened else str(tmp_path / "image.zarr")
    image = open_image(source, channels=1, intensity=Intensity((0,), (255,)))
    assert (image.axes, image.plane_shape, len(image.levels)) == ("czyx", (3,), 2)
    found = image.read(Window(8, 8, 16, plane=(2,)))
    np.testing.assert_allclose(found, data[1:2, 2, 8:24, 8:24] / 255, rtol=1e-6)


def test_zarr_array_by_path(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=np.zeros((5, 40, 60)), chunks=(1, 32, 32))
    assert open_image(tmp_path / "a.zarr").axes == "zyx"
    assert open_image(tmp_path / "a.zarr", axes="tyx").axes == "tyx"


def test_paths_that_hold_no_image(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file or folder"):
        open_image(tmp_path / "missing.zarr")
    (tmp_path / "image.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="is no zarr"):
        open_image(tmp_path / "image.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="is no zarr"):
        open_image(tmp_path / "empty")
    zarr.open_group(tmp_path / "group.zarr", mode="w").create_group("inside")
    with pytest.raises(ValueError, match=r"no OME-Zarr image .*\['inside'\]"):
        open_image(tmp_path / "group.zarr")
