"""Arrays of other libraries, and how little is read of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr
from xarray.core import indexing

from napari_sam.image import Intensity, Window, open_image

PLAIN = Intensity((0,), (255,))


def draw(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def test_npy_files_are_mapped_into_memory(tmp_path: Path) -> None:
    data = draw((3, 20, 30))
    np.save(tmp_path / "a.npy", data)
    image = open_image(tmp_path / "a.npy", intensity=PLAIN)
    assert isinstance(image.levels[0].array, np.memmap)
    found = image.read(Window(0, 0, 32, plane=(1,)))
    np.testing.assert_allclose(found[0] * 255, data[1], rtol=1e-6)


@pytest.mark.parametrize(
    "content",
    [np.array([[{}]], dtype=object), b"\x93NUMPY\x01\x00v\x00{'descr'", np.zeros((99, 99))],
)
def test_an_npy_file_that_is_none_says_so(tmp_path: Path, content: Any) -> None:
    file = tmp_path / "a.npy"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        np.save(file, content)
        file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(ValueError, match=r"a\.npy is damaged, or holds no array of numbers \("):
        open_image(file)


def test_what_holds_one_image_has_no_other(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", draw((20, 30)))
    zarr.create_array(tmp_path / "a.zarr", data=draw((20, 30)))
    zarr.create_array(zarr.create_group(tmp_path / "b.zarr").store, name="a", data=draw((20, 30)))
    for name in ("a.npy", "a.zarr", "b.zarr"):
        assert open_image(tmp_path / name, series=0).shape_yx == (20, 30)
        with pytest.raises(ValueError, match=rf"{name} holds one image, and no series=1"):
            open_image(tmp_path / name, series=1)


def test_dask_computes_the_chunks_of_one_window() -> None:
    computed = []

    def compute(block_info: Any = None) -> np.ndarray:
        computed.append(block_info[None]["chunk-location"])
        return np.zeros((1, 64, 64), np.uint8)

    data = da.map_blocks(compute, chunks=((1,) * 5, (64,) * 50, (64,) * 50), dtype=np.uint8)
    image = open_image(data, intensity=PLAIN)
    assert not computed
    image.read(Window(64, 128, 64, plane=(3,)))
    assert computed == [(3, 1, 2)]


def cube() -> xr.DataArray:
    return xr.DataArray(
        draw((2, 4, 20, 30)),
        dims=("channel", "time", "y", "x"),
        coords={
            "channel": ["DAPI", "GFP"],
            "time": ("time", np.arange(4) * 5.0, {"units": "s"}),
            "y": ("y", 3 + np.arange(20) * 0.25, {"units": "µm"}),
            "x": ("x", np.arange(30) * 0.25, {"units": "micron"}),
        },
        name="cells",
    )


def test_xarray_tells_axes_channels_and_sizes() -> None:
    data = cube()
    image = open_image(data, channels="GFP", intensity=PLAIN)
    assert (image.axes, image.plane_shape) == ("ctyx", (4,))
    assert image.channel_names == ("DAPI", "GFP")
    assert image.scale == (1.0, 5.0, 0.25, 0.25)
    assert image.units == (None, "second", "micrometer", "micrometer")
    found = image.read(Window(0, 0, 32, plane=(2,)))
    np.testing.assert_allclose(found[0] * 255, data.values[1, 2], rtol=1e-6)


def test_xarray_stays_lazy(huge_array: Any) -> None:
    data = huge_array((5, 9000, 9000))
    sizes: list[int] = []

    def read(index: Any) -> np.ndarray:
        sizes.append(data[index].size)
        return data[index]

    class OnDisk(xr.backends.BackendArray):
        shape, dtype = data.shape, data.dtype

        def __getitem__(self, key: Any) -> Any:
            basic = indexing.IndexingSupport.BASIC
            return indexing.explicit_indexing_adapter(key, self.shape, basic, read)

    variable = xr.Variable(("z", "y", "x"), indexing.LazilyIndexedArray(OnDisk()))
    image = open_image(xr.DataArray(variable), intensity=PLAIN)
    assert not sizes
    image.read(Window(64, 128, 64, plane=(3,)))
    assert sizes == [64 * 64]


def test_levels_in_xarray_lie_where_their_coordinates_are() -> None:
    levels = []
    for start, step, n in ((0.0, 1.0, 64), (1.0, 2.0, 31)):
        coords = {axis: start + step * np.arange(n) for axis in "yx"}
        levels.append(xr.DataArray(np.zeros((n, n)), dims=("y", "x"), coords=coords))
    image = open_image(levels)
    assert image.levels[1].downsample == (2, 2)
    assert image.levels[1].offset == (0.5, 0.5), "pixels 0.5 to 2.5 around center 1 of edges 0.5"


def test_dask_in_xarray_is_sampled_chunk_by_chunk() -> None:
    data = xr.DataArray(da.zeros((4, 600, 600), chunks=(1, 300, 300)), dims=("t", "row", "col"))
    image = open_image(data)
    assert image.axes == "tyx"
    assert image.intensity.high == (0,)


def test_xarray_that_is_no_image() -> None:
    with pytest.raises(ValueError, match="named lat, y, x, which are not"):
        open_image(xr.DataArray(np.zeros((3, 4, 5)), dims=("lat", "y", "x")))
    assert open_image(xr.DataArray(np.zeros((3, 4, 5)), dims=("a", "y", "x")), axes="zyx")
    with pytest.raises(ValueError, match="y, and x after it"):
        open_image(xr.DataArray(np.zeros((4, 5)), dims=("x", "y")))
    with pytest.raises(TypeError, match=r"holds several arrays: pass one of \['cells'\]"):
        open_image(cube().to_dataset())


def test_uneven_coordinates_are_no_pixel_size() -> None:
    data = xr.DataArray(np.zeros((3, 3)), dims=("y", "x"), coords={"y": [0, 1, 5], "x": [0, 2, 4]})
    assert open_image(data).scale == (1.0, 2.0)


def test_a_series_of_an_array_is_refused() -> None:
    with pytest.raises(ValueError, match="series=1 chooses an image of a file, found ndarray"):
        open_image(np.zeros((8, 8)), series=1)
