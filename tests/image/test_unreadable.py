"""Chunks that can't be read, masks that would be lost, and values that are no numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr

from napari_sam.image import Intensity, Window, open_image
from napari_sam.image.unreadable import UnreadableError

PLAIN = Intensity((0,), (255,))


def draw(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_file_of_a_damaged_chunk_is_named(
    damage: str, zarr_format: Any, tmp_path: Path
) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=draw((3, 256, 256)), chunks=(1, 64, 64), zarr_format=zarr_format)
    name = "c/1/2/3" if zarr_format == 3 else "1.2.3"
    file = path / name
    content = file.read_bytes()
    file.write_bytes({"cut": content[:99], "garbage": b"x" * 500, "empty": b""}[damage])
    image = open_image(path, intensity=PLAIN)
    image.read(Window(0, 0, 128, plane=(1,)))
    with pytest.raises(
        UnreadableError,
        match=rf"Level 0 of .*a\.zarr can't be read at \[1:2, 128:192, 192:228\].*a\.zarr/{name} "
        r"is damaged\. Copy this file again from the original, or delete it: then it reads as 0",
    ):
        image.read(Window(100, 100, 128, plane=(1,)))
    file.unlink()
    assert not image.read(Window(128, 192, 64, plane=(1,))).any()


def test_an_image_whose_disk_is_gone_is_no_background(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=draw((64, 64)), chunks=(32, 32))
    image = open_image(path, intensity=PLAIN)
    path.rename(tmp_path / "elsewhere.zarr")
    with pytest.raises(UnreadableError, match=r"a\.zarr is not there any more\. Connect its disk"):
        image.read(Window(0, 0, 64))


def test_the_file_of_a_damaged_shard_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=draw((256, 256)), chunks=(32, 32), shards=(128, 128))
    file = path / "c/1/0"
    file.write_bytes(b"x" * len(file.read_bytes()))
    with pytest.raises(UnreadableError, match=r"a\.zarr/c/1/0 is damaged"):
        open_image(path, intensity=PLAIN).read(Window(100, 0, 64))


def test_a_damaged_tile_of_a_tiff_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, draw((256, 256)), tile=(64, 64), compression="zlib")
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[5]
    content = bytearray(path.read_bytes())
    content[offset : offset + 50] = b"x" * 50
    path.write_bytes(content)
    image = open_image(path, intensity=PLAIN)
    with pytest.raises(UnreadableError, match=r"a\.tif can't be read at \[64:128, 64:128\]"):
        image.read(Window(0, 0, 128))


def test_a_chunk_that_dask_can_not_compute() -> None:
    def compute(block_info: Any = None) -> np.ndarray:
        if block_info[None]["chunk-location"] == (1, 1):
            raise RuntimeError("no more")
        return np.zeros((64, 64), np.uint8)

    data = da.map_blocks(compute, chunks=((64,) * 4, (64,) * 4), dtype=np.uint8)
    image = open_image(data, intensity=PLAIN)
    image.read(Window(0, 0, 64))
    with pytest.raises(UnreadableError, match=r"at \[64:80, 64:80\] \(RuntimeError: no more\)"):
        image.read(Window(16, 16, 64))


def test_a_damaged_chunk_is_told_when_the_intensity_is_measured(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    zarr.create_array(path, data=draw((64, 64)), chunks=(64, 64))
    (path / "c/0/0").write_bytes(b"x")
    with pytest.raises(UnreadableError, match="c/0/0 is damaged"):
        _ = open_image(path).intensity


def test_what_a_store_has_told_is_told_as_it_is() -> None:
    class Remote:
        shape, dtype = (8, 8), np.dtype(np.uint8)

        def __getitem__(self, index: Any) -> Any:
            raise ExceptionGroup("from zarr", [UnreadableError("The server is silent.")])

    with pytest.raises(UnreadableError, match=r"^The server is silent\.$"):
        open_image(Remote(), intensity=PLAIN).read(Window(0, 0, 8))


def test_masked_arrays_are_refused() -> None:
    masked = np.ma.masked_greater(draw((16, 16)), 100)
    for data in (
        masked,
        da.from_array(masked, chunks=8, asarray=False),
        [masked, masked[::2, ::2]],
    ):
        with pytest.raises(TypeError, match=r"its mask would be lost: fill it first"):
            open_image(data)

    class Variable:
        """As netCDF4 has them: masked only once they are read."""

        shape, dtype = masked.shape, masked.dtype

        def __getitem__(self, index: Any) -> Any:
            return masked[index]

    with pytest.raises(TypeError, match="its mask would be lost"):
        open_image(Variable(), intensity=PLAIN).read(Window(0, 0, 16))
    assert open_image(masked.astype(float).filled(np.nan)).intensity.high[0] <= 100


def test_values_that_are_no_numbers_are_left_out_and_told() -> None:
    data = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    image = open_image(np.where(data < 100, np.nan, data))
    assert "1 % of the sampled pixels are NaN or infinite" in image.note
    assert image.intensity == open_image(data[1:]).intensity
    data[0] = np.inf
    assert "left out of the normalization and read as 0" in open_image(data).note
    assert open_image(data[1:]).note == ""
    assert open_image(data, intensity=PLAIN).note == "", "nothing is measured"


def test_constant_images_are_read_and_told() -> None:
    image = open_image(np.full((20, 30), 7, np.uint16))
    assert not image.read(Window(0, 0, 32)).any()
    assert image.note == "all sampled pixels are 7: the image is constant"
    channels = np.stack([np.arange(600).reshape(20, 30), np.full((20, 30), 3)])
    note = open_image(channels, axes="cyx", channels=(0, 1)).note
    assert note == "all sampled pixels of channel 1 are 3: the image is constant"
    assert "constant" in open_image(channels, axes="cyx", channels=1).converted("min-max").note


def test_booleans_are_read() -> None:
    found = open_image(draw((20, 30)) > 128).read(Window(0, 0, 32))
    np.testing.assert_array_equal(found[0], draw((20, 30)) > 128)


def test_unused_levels_are_told() -> None:
    levels = [np.zeros(shape) for shape in [(8, 64, 64), (4, 32, 32)]]
    assert (
        "levels with fewer time points are not used (1 of 2)" in open_image(levels, axes="tyx").note
    )
    assert "coarse levels merge neighboring planes" in open_image(levels).note


def test_chunks_that_are_too_large_are_told(counting: Any, huge_array: Any) -> None:
    data = counting(huge_array((20_000, 20_000)), chunks=(20_000, 20_000), allow_steps=True)
    assert "each window decodes at least 0.8 GB" in open_image(data).note


def test_a_list_of_planes_is_no_pyramid() -> None:
    with pytest.raises(ValueError, match=r"level 1 is as large as .* stack them into one array"):
        open_image([np.zeros((8, 8))] * 3)
