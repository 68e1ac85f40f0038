"""OME-Zarr of all versions and plain zarr: in a folder, in a zip, with their metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.storage import LocalStore

from napari_sam.image import Intensity, Window, open_image

from .ome_zarrs import CountingStore, write_ome_zarr, zip_folder

PLAIN = Intensity((0,), (255,))


def draw(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("packed", ["folder", "zip", "zip of the folder"])
def test_ome_zarr_with_its_metadata(version: str, packed: str, tmp_path: Path) -> None:
    data = draw((2, 3, 80, 60))
    path = tmp_path / "image.zarr"
    write_ome_zarr(
        path, [data, data[..., ::2, ::2]], "czyx", version=version, channel_names=("DAPI", "GFP")
    )
    if packed != "folder":
        inside = "image.zarr/" if packed == "zip of the folder" else ""
        path = zip_folder(path, tmp_path / "image.zarr.zip", inside)
    image = open_image(path, channels="GFP", intensity=PLAIN)
    assert (image.axes, image.plane_shape, image.shape_yx) == ("czyx", (3,), (80, 60))
    assert image.scale == (1.0, 1.0, 0.5, 0.5)
    assert image.units == (None, None, "micrometer", "micrometer")
    assert image.channel_names == ("DAPI", "GFP")
    assert [level.downsample for level in image.levels] == [(1, 1), (2, 2)]
    found = image.read(Window(8, 16, 16, plane=(2,)))
    np.testing.assert_allclose(found[0] * 255, data[1, 2, 8:24, 16:32], rtol=1e-6)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("step", [1.0, 2.0])
def test_only_the_chunks_of_one_window_are_read(version: str, step: float, tmp_path: Path) -> None:
    data = draw((2, 3, 512, 512))
    store = CountingStore(LocalStore(tmp_path / "image.zarr"))
    levels = [data, data[..., ::2, ::2]]
    write_ome_zarr(store, levels, "czyx", version=version, chunks=(1, 1, 64, 64), compressors=None)
    store.reads.clear()
    image = open_image(zarr.open_group(store, mode="r"), channels=1, intensity=PLAIN)
    assert not store.chunks
    store.reads.clear()
    image.read(Window(64, 128, 64, step, plane=(2,)))
    assert store.bytes_read == (64 * 64 if step == 1 else 2 * 64 * 64)
    assert {key.split("/")[0] for key in store.chunks} == {"0" if step == 1 else "1"}


def test_a_shard_is_not_read_as_a_whole(tmp_path: Path) -> None:
    store = CountingStore(LocalStore(tmp_path / "a.zarr"))
    data = draw((512, 512))
    zarr.create_array(store, data=data, chunks=(64, 64), shards=(512, 512), compressors=None)
    store.reads.clear()
    image = open_image(zarr.open_array(store, mode="r"), intensity=PLAIN)
    found = image.read(Window(64, 128, 64))
    np.testing.assert_allclose(found[0] * 255, data[64:128, 128:192], rtol=1e-6)
    assert store.bytes_read < 20_000, "one chunk, the index of the shard, and metadata"


def test_a_zarr_is_opened_read_only(tmp_path: Path) -> None:
    write_ome_zarr(tmp_path / "image.zarr", [draw((8, 8))], "yx")
    zip_folder(tmp_path / "image.zarr", tmp_path / "image.zip")
    for name in ("image.zarr", "image.zip"):
        array: Any = open_image(tmp_path / name).levels[0].array
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 1


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_axes_of_plain_arrays_by_their_dimension_names(zarr_format: Any, tmp_path: Path) -> None:
    array = zarr.create_array(
        tmp_path / "a.zarr",
        data=draw((2, 8, 9)),
        zarr_format=zarr_format,
        dimension_names=["time", "y", "x"] if zarr_format == 3 else None,
    )
    if zarr_format == 2:
        array.attrs["_ARRAY_DIMENSIONS"] = ["time", "y", "x"]
    assert open_image(tmp_path / "a.zarr").axes == "tyx"
    assert open_image(tmp_path / "a.zarr", axes="zyx").axes == "zyx"


def test_groups_without_metadata(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "one.zarr", mode="w")
    group.create_array("raw", data=draw((8, 9)))
    assert open_image(tmp_path / "one.zarr").shape_yx == (8, 9)
    group = zarr.open_group(tmp_path / "levels.zarr", mode="w")
    for number in range(12):
        group.create_array(str(number), data=np.zeros((40 - number, 40)))
    image = open_image(tmp_path / "levels.zarr")
    assert [level.shape_yx[0] for level in image.levels] == list(range(40, 28, -1))


def test_several_images_beside_each_other(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path / "all.zarr", mode="w")
    group.attrs["ome"] = {"version": "0.5", "bioformats2raw.layout": 3}
    for number, side in enumerate((8, 16)):
        write_ome_zarr(tmp_path / f"all.zarr/{number}", [draw((side, side))], "yx")
    assert open_image(tmp_path / "all.zarr").shape_yx == (8, 8)
    assert open_image(tmp_path / "all.zarr", series=1).shape_yx == (16, 16)
    with pytest.raises(ValueError, match="holds 2 images, and no series=2"):
        open_image(tmp_path / "all.zarr", series=2)


def test_old_metadata_without_axes_or_with_their_names_alone() -> None:
    group = zarr.open_group({}, mode="w", zarr_format=2)
    group.create_array("0", data=np.zeros((1, 2, 3, 8, 9), np.uint8))
    image = {"version": "0.1", "datasets": [{"path": "0"}]}
    group.attrs["multiscales"] = [image]
    assert open_image(group, channels=0).axes == "tczyx"
    group.attrs["multiscales"] = [image | {"version": "0.3", "axes": list("tzcyx")}]
    assert open_image(group, channels=0).axes == "tzcyx"


def test_axes_are_told_by_their_types_too() -> None:
    group = write_ome_zarr(zarr.storage.MemoryStore(), [np.zeros((2, 3, 8, 9))], "tcyx")
    metadata: Any = group.attrs["ome"]
    axes = metadata["multiscales"][0]["axes"]
    axes[0]["name"], axes[1]["name"] = "when", "stain"
    group.attrs["ome"] = metadata
    assert open_image(group).axes == "tcyx"
    axes[2]["name"] = "height above ground"
    group.attrs["ome"] = metadata
    with pytest.raises(ValueError, match=r"named t, c, height above ground, x.*give axes, a"):
        open_image(group)
    assert open_image(group, axes="tcyx").axes == "tcyx"


def test_what_holds_no_image(tmp_path: Path) -> None:
    labels = zarr.open_group(tmp_path / "image.zarr", mode="w").create_group("labels")
    labels.attrs["ome"] = {"version": "0.5", "labels": ["cells"]}
    with pytest.raises(ValueError, match=r"holds labels and no image.*open_labels"):
        open_image(tmp_path / "image.zarr")
    with pytest.raises(ValueError, match="holds labels and no image"):
        open_image(tmp_path / "image.zarr" / "labels")
    plate = zarr.open_group(tmp_path / "plate.zarr", mode="w")
    plate.attrs["ome"] = {"version": "0.5", "plate": {"wells": [{"path": "B/3"}]}}
    with pytest.raises(ValueError, match=r"is a plate of 1 wells: open .*plate\.zarr/B/3/0"):
        open_image(tmp_path / "plate.zarr")


def test_damaged_metadata(tmp_path: Path) -> None:
    group = write_ome_zarr(tmp_path / "image.zarr", [np.zeros((8, 8))], "yx")
    del group["0"]
    with pytest.raises(ValueError, match="lists a level that is not there"):
        open_image(tmp_path / "image.zarr")
    (tmp_path / "image.zarr" / "zarr.json").write_text("{")
    with pytest.raises(ValueError, match="its metadata are damaged"):
        open_image(tmp_path / "image.zarr")
    (tmp_path / "cut.zip").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match=r"cut\.zip is damaged"):
        open_image(tmp_path / "cut.zip")
    (tmp_path / "text.txt").write_text("x")
    zip_folder(tmp_path / "image.zarr", tmp_path / "other.zip", inside="a/b/")
    with pytest.raises(ValueError, match=r"other\.zip is no zarr"):
        open_image(tmp_path / "other.zip")
