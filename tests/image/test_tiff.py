"""TIFF files of many kinds: what their metadata tell, and how little of them is read."""

from __future__ import annotations

import gc
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from napari_sam.image import Intensity, Window, open_image

PLAIN = Intensity((0,), (255,))


def draw(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.fixture
def bytes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes each read from a TIFF file gave."""
    sizes: list[int] = []
    read = tifffile.FileHandle.read

    def counted(self: tifffile.FileHandle, *args: Any) -> bytes:
        found = read(self, *args)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(tifffile.FileHandle, "read", counted)
    return sizes


def write_ome_tiff(path: Path, data: np.ndarray, *, n_levels: int = 1, **kwargs: Any) -> None:
    metadata = {
        "axes": "ZCYX",
        "PhysicalSizeX": 0.25,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 250,
        "PhysicalSizeYUnit": "nm",
        "PhysicalSizeZ": 2.0,
        "Channel": {"Name": ["DAPI", "GFP"]},
    }
    with tifffile.TiffWriter(path, ome=True) as writer:
        kwargs = {"photometric": "minisblack", **kwargs}
        writer.write(data, subifds=n_levels - 1, metadata=metadata, **kwargs)
        for level in range(1, n_levels):
            part = data[..., :: 2**level, :: 2**level]
            writer.write(part, subfiletype=1, **kwargs)


def test_ome_tiff_with_its_metadata(tmp_path: Path) -> None:
    data = draw((3, 2, 80, 96))
    write_ome_tiff(tmp_path / "a.ome.tif", data, tile=(32, 32))
    image = open_image(tmp_path / "a.ome.tif", channels="GFP", intensity=PLAIN)
    assert (image.axes, image.plane_shape, image.shape_yx) == ("zcyx", (3,), (80, 96))
    assert image.scale == (2.0, 1.0, 250.0, 0.25)
    assert image.units == ("micrometer", None, "nanometer", "micrometer")
    assert image.channel_names == ("DAPI", "GFP")
    found = image.read(Window(8, 16, 32, plane=(2,)))
    np.testing.assert_allclose(found[0] * 255, data[2, 1, 8:40, 16:48], rtol=1e-6)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tiled_pyramid_is_read_by_the_tile(
    compression: str | None, tmp_path: Path, bytes_read: list[int]
) -> None:
    data = draw((3, 2, 512, 512))
    path = tmp_path / "a.ome.tif"
    write_ome_tiff(path, data, n_levels=3, tile=(64, 64), compression=compression)
    image = open_image(str(path), channels=1, intensity=PLAIN)
    assert [level.downsample for level in image.levels] == [(1, 1), (2, 2), (4, 4)]
    image.read(Window(0, 0, 64, plane=(0,)))  # the headers of the pages are read once
    for step in (1, 2, 4):
        bytes_read.clear()
        found = image.read(Window(64, 128, 64, float(step), plane=(2,)))
        y, x, side = 64 // step, 128 // step, 64
        expected = data[2, 1, ::step, ::step][y : y + side, x : x + side]
        np.testing.assert_allclose(found[0] * 255, expected, rtol=1e-6)
        n_tiles = (64 // step % 64 // step + 2) ** 2
        assert sum(bytes_read) < n_tiles * 64 * 64 * 1.1 + 4096


def test_only_strips_of_the_window_are_read(tmp_path: Path, bytes_read: list[int]) -> None:
    data = draw((2, 512, 512))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, compression="zlib", rowsperstrip=32)
    image = open_image(path, intensity=PLAIN)
    bytes_read.clear()
    found = image.read(Window(64, 128, 64, plane=(1,)))
    np.testing.assert_allclose(found[0] * 255, data[1, 64:128, 128:192], rtol=1e-6)
    assert sum(bytes_read) < 1.1 * 64 * 512, "whole rows"


def test_one_large_strip_costs_its_plane_and_no_other(
    tmp_path: Path, bytes_read: list[int]
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, draw((8, 256, 256)), compression="zlib", rowsperstrip=256)
    image = open_image(path, intensity=PLAIN)
    bytes_read.clear()
    image.read(Window(0, 0, 64, plane=(5,)))
    assert sum(bytes_read) < 1.2 * 256 * 256


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_what_is_not_compressed_is_mapped_into_memory(
    byteorder: Any, tmp_path: Path, bytes_read: list[int]
) -> None:
    data = draw((8, 256, 256)).astype(np.uint16)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, data, byteorder=byteorder)
    image = open_image(path, intensity=PLAIN)
    assert isinstance(image.levels[0].array, np.memmap)
    bytes_read.clear()
    found = image.read(Window(64, 128, 64, plane=(5,)))
    assert not bytes_read
    np.testing.assert_allclose(found[0] * 255, data[5, 64:128, 128:192], rtol=1e-6)


def test_imagej_hyperstacks(tmp_path: Path) -> None:
    data = draw((2, 3, 2, 20, 30))
    tifffile.imwrite(
        tmp_path / "a.tif",
        data,
        imagej=True,
        resolution=(4, 2),
        metadata={"axes": "TZCYX", "unit": "um", "spacing": 1.5, "finterval": 7.0},
    )
    image = open_image(tmp_path / "a.tif", channels=1, intensity=PLAIN)
    assert (image.axes, image.plane_shape) == ("tzcyx", (2, 3))
    assert image.scale == (7.0, 1.5, 1.0, 0.5, 0.25)
    assert image.units == ("second", "micrometer", None, "micrometer", "micrometer")
    found = image.read(Window(0, 0, 32, plane=(1, 2)))
    np.testing.assert_allclose(found[0] * 255, data[1, 2, 1], rtol=1e-6)


@pytest.mark.parametrize("metadata", [{}, None])
def test_pages_of_unknown_meaning_are_slices(metadata: Any, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", draw((5, 20, 30)), metadata=metadata)
    assert open_image(tmp_path / "a.tif").axes == "zyx"
    assert open_image(tmp_path / "a.tif", axes="tyx").axes == "tyx"


def test_pages_of_two_unknown_meanings_are_asked_for(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", draw((2, 5, 20, 30)))
    with pytest.raises(ValueError, match=r"cannot be guessed.*axes="):
        open_image(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_rgb_is_unchanged(compression: str | None, tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(90, 100, (40, 50, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", compression=compression)
    image = open_image(tmp_path / "a.tif")
    assert image.axes == "yxc"
    found = image.read(Window(0, 0, 64))
    np.testing.assert_allclose(found * 255, data.transpose(2, 0, 1), rtol=1e-6)


def test_several_images_in_a_file(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(draw((20, 30)))
        writer.write(draw((40, 50)))
    first = open_image(tmp_path / "a.tif")
    assert first.shape_yx == (20, 30)
    assert first.note == "of 2 images in the file, series=0 is read (0: (20, 30), 1: (40, 50))"
    second = open_image(tmp_path / "a.tif", series=1)
    assert (second.shape_yx, second.note) == ((40, 50), "")
    with pytest.raises(ValueError, match="holds 2 images, and no series=2"):
        open_image(tmp_path / "a.tif", series=2)


def test_a_level_travels_to_other_processes_and_closes_its_file(tmp_path: Path) -> None:
    data = draw((100, 120))
    tifffile.imwrite(tmp_path / "a.tif", data, tile=(32, 32), compression="zlib")
    image = open_image(tmp_path / "a.tif")
    again = pickle.loads(pickle.dumps(image.levels[0].array))
    del image
    np.testing.assert_array_equal(again[20:50, 30:60], data[20:50, 30:60])
    del again
    gc.collect()  # an open file would be an error here


def test_what_is_damaged_or_needs_another_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cut.tif").write_bytes(b"II*\0\x08\0\0")
    with pytest.raises(ValueError, match=r"cut\.tif is damaged"):
        open_image(tmp_path / "cut.tif")
    (tmp_path / "empty.tif").write_bytes(b"II*\0\xff\0\0\0")
    with pytest.raises(ValueError, match=r"empty\.tif is damaged: there is no image in it"):
        open_image(tmp_path / "empty.tif")
    tifffile.imwrite(tmp_path / "short.tif", draw((200, 300)))
    content = (tmp_path / "short.tif").read_bytes()
    (tmp_path / "short.tif").write_bytes(content[:-5000])
    with pytest.raises(ValueError, match=r"short\.tif is damaged"):
        open_image(tmp_path / "short.tif")
    tifffile.imwrite(tmp_path / "a.tif", draw((20, 30)), compression="zlib")
    monkeypatch.setattr(tifffile.TIFF, "DECOMPRESSORS", {})
    with pytest.raises(ValueError, match=r"as ADOBE_DEFLATE, which needs .* imagecodecs"):
        open_image(tmp_path / "a.tif")
