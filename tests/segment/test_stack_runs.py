"""Runs that are stopped, repeated, changed or impossible."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from napari_sam.embedding import Embeddings
from napari_sam.image import open_image
from napari_sam.labels import create_labels, open_labels
from napari_sam.labels.ome_zarr import JOURNAL, RUN
from napari_sam.segment import find
from napari_sam.segment.output import OtherRunError
from napari_sam.segment.settings import FindSettings, LinkSettings, SegmentSettings
from napari_sam.segment.stack import iter_segment_stack, segment_stack

from . import blobs

DISCS = [(40, 52, 6), (20, 20, 9), (100, 60, 40), (40, 160, 3), (130, 140, 20), (128, 10, 8)]


@pytest.fixture(autouse=True)
def blobs_instead_of_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(find.FINDERS, "seeds", blobs.find_blobs)


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return blobs.paint_discs((150, 180), DISCS)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "labels.zarr"


def find_settings(**options: Any) -> SegmentSettings:
    return SegmentSettings(find=FindSettings(**options))


@pytest.fixture
def volume() -> NDArray[np.uint8]:
    """Three balls, two of them on seams, in the same columns but not in neighboring planes."""
    z, y, x = np.ogrid[:13, :110, :130]
    volume = np.zeros((13, 110, 130), np.uint8)
    for zyx, value in (((2, 50, 52), 200), ((11, 50, 52), 150), ((6, 20, 100), 220)):
        center = [(a - b) ** 2 for a, b in zip((4 * z, y, x), (4 * zyx[0], *zyx[1:]), strict=True)]
        volume[sum(center) <= 14**2] = value
    return volume


# Going on


def test_a_stopped_run_goes_on(pixels: NDArray[np.uint8], out: Path, tmp_path: Path) -> None:
    segment_stack(blobs.embed(pixels), tmp_path / "undisturbed.zarr")
    embeddings, n_stops = blobs.embed(pixels), 0
    while not out.exists():
        run = iter_segment_stack(embeddings, out)
        for _, _ in zip(range(8), run, strict=False):
            pass
        run.close()
        n_stops += 1
    assert n_stops > 3
    expected = blobs.content(tmp_path / "undisturbed.zarr")
    found = blobs.content(out)
    assert {k: v for k, v in found.items() if k != "zarr.json"} == {
        k: v for k, v in expected.items() if k != "zarr.json"
    }


def test_what_is_complete_is_left_alone(pixels: NDArray[np.uint8], out: Path) -> None:
    embeddings = blobs.embed(pixels)
    segment_stack(embeddings, out)
    before = blobs.content(out)
    assert list(iter_segment_stack(embeddings, out)) == []
    assert blobs.content(out) == before
    record = dict(zarr.open_group(out, mode="r").attrs)[RUN]
    assert (record["highest_label"], record["key"]["model_name"]) == (6, "pixels")
    assert record["made_with"]["numpy"] == np.__version__
    assert record["made_with"]["device"] == "cpu"
    again = SegmentSettings.from_dict(record["settings"])
    assert list(iter_segment_stack(embeddings, out, settings=again)) == [], "it can be repeated"


def test_other_settings_are_refused_or_replace(pixels: NDArray[np.uint8], out: Path) -> None:
    embeddings = blobs.embed(pixels)
    segment_stack(embeddings, out)
    other = find_settings(min_area=100)
    with pytest.raises(ValueError, match=r"made from.*find.min_area \(found 1, expected 100\)"):
        segment_stack(embeddings, out, settings=other)
    run = iter_segment_stack(embeddings, out, settings=other, existing="replace")
    next(run)
    assert open_labels(out).data[:].max() == 6, "what is there stays until the new is complete"
    run.close()
    segment_stack(embeddings, out, settings=find_settings(min_area=50), existing="replace")
    assert open_labels(out).data[:].max() == 5


def test_an_output_is_replaced_again_and_again(pixels: NDArray[np.uint8], out: Path) -> None:
    for _ in range(3):
        segment_stack(blobs.embed(pixels), out, existing="replace", keep_work=True)
    assert blobs.is_same(open_labels(out).data[:], blobs.whole(pixels))


def test_killed_between_the_old_output_and_the_new(
    pixels: NDArray[np.uint8], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment_stack(blobs.embed(pixels), out)

    def rename(source: Path, target: Path, real: Any = os.rename) -> None:
        real(source, target)
        if source == out:
            raise KeyboardInterrupt

    other = {"settings": find_settings(min_area=50), "existing": "replace"}
    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", rename)
        with pytest.raises(KeyboardInterrupt):
            segment_stack(blobs.embed(pixels), out, **other)
    assert not out.exists()
    assert segment_stack(blobs.embed(pixels), out, **other).data[:].max() == 5
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_an_unfinished_run_of_something_else(pixels: NDArray[np.uint8], out: Path) -> None:
    next(iter_segment_stack(blobs.embed(pixels), out))
    with pytest.raises(ValueError, match=r"unfinished.*find.overlap \(found 0.5, expected 0.6\)"):
        segment_stack(blobs.embed(pixels), out, settings=find_settings(overlap=0.6))
    with pytest.raises(ValueError, match="What differs: the pixels of the image"):
        segment_stack(blobs.embed(255 - pixels), out)


def without_layout(content: bytes) -> bytes:
    entries = json.loads(content)
    del entries["layout"]
    return json.dumps(entries).encode()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (without_layout, "begun by another version of napari-sam, which kept what it found in"),
        (lambda content: content[:99], "does not tell what it was begun from, for its run.json"),
        (lambda content: b"", "does not tell what it was begun from, for its run.json"),
        (lambda content: b"null", "does not tell what it was begun from, for its run.json"),
        (lambda content: b'{"layout": 1}', "does not tell what it was begun from, for its run.js"),
    ],
)
def test_an_unfinished_run_that_cannot_go_on_says_so_at_once(
    pixels: NDArray[np.uint8], out: Path, damage: Callable[[bytes], bytes], sentence: str
) -> None:
    """What it found might be of something else, and is left until it is replaced."""
    embeddings = blobs.embed(pixels)
    next(iter_segment_stack(embeddings, out))
    folder = out.with_name("labels.zarr.work")
    (folder / "run.json").write_bytes(damage((folder / "run.json").read_bytes()))
    (found,) = folder.glob("find/*/*.safetensors")
    found.write_bytes(b"of something else")
    for _ in range(2):
        with pytest.raises(OtherRunError, match=sentence):
            segment_stack(embeddings, out)
    assert found.exists()
    labels = segment_stack(embeddings, out, existing="replace")
    assert blobs.is_same(labels.data[:], blobs.whole(pixels))


def test_labels_to_keep_that_change_are_another_run(
    pixels: NDArray[np.uint8], tmp_path: Path
) -> None:
    keep = create_labels(tmp_path / "mine.zarr", pixels.shape).data
    keep[:4, :4] = 1
    embeddings, out = blobs.embed(pixels), tmp_path / "labels.zarr"
    segment_stack(embeddings, out, keep=keep)
    (Path(keep.store.root) / keep.path / JOURNAL).write_text("{}")  # tells nothing of pixels
    segment_stack(embeddings, out, keep=keep)
    keep[10:14, :4] = 2
    with pytest.raises(OtherRunError, match="what the labels to keep hold"):
        segment_stack(embeddings, out, keep=keep)
    segment_stack(embeddings, out, keep=keep, existing="replace")
    assert (np.asarray(open_labels(out).data[10:14, :4]) == 2).all()


def test_positions_have_no_labels(pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    array = np.stack([pixels, pixels])[None, :, None]
    image = open_image(array, axes="tpzyx")
    embeddings = Embeddings(image, blobs.embed(pixels).model)
    with pytest.raises(ValueError, match=r"'tpzyx'.*open each position"):
        segment_stack(embeddings, tmp_path / "labels.zarr")
    assert not list(tmp_path.iterdir())


def test_existing_is_refused_if_asked(pixels: NDArray[np.uint8], out: Path) -> None:
    embeddings = blobs.embed(pixels)
    next(iter_segment_stack(embeddings, out, existing="refuse"))
    with pytest.raises(FileExistsError, match=r"labels.zarr.work exists: choose another"):
        segment_stack(embeddings, out, existing="refuse")
    segment_stack(embeddings, out)
    with pytest.raises(FileExistsError, match=r"labels.zarr exists: choose another"):
        segment_stack(embeddings, out, existing="refuse")


def cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def lay_out_otherwise(file: Path) -> None:
    columns = load_file(file)
    del columns["accepted"]
    save_file(columns, file)


@pytest.mark.parametrize("damage", [cut_short, lay_out_otherwise])
def test_a_damaged_file_is_computed_again(
    pixels: NDArray[np.uint8], out: Path, damage: Callable[[Path], None]
) -> None:
    embeddings = blobs.embed(pixels)
    run = iter_segment_stack(embeddings, out)
    for _ in range(3):
        next(run)
    run.close()
    (file,) = out.with_name("labels.zarr.work").glob("find/*/1.safetensors")
    damage(file)
    with pytest.raises(OSError, match=r"1.safetensors is damaged or gone .*: run again"):
        segment_stack(embeddings, out)
    assert blobs.is_same(segment_stack(embeddings, out).data[:], blobs.whole(pixels))


# What cannot be


@pytest.mark.parametrize("options", [{}, {"pred_iou": 0.95}, {"min_area": 10_000}])
def test_no_objects(options: dict[str, float], pixels: NDArray[np.uint8], out: Path) -> None:
    embeddings = blobs.embed(pixels if options else np.zeros_like(pixels))
    with pytest.warns(UserWarning, match="No object was found, so the labels are empty"):
        labels = segment_stack(embeddings, out, settings=find_settings(**options))
    assert not labels.data[:].any()
    assert not list(out.glob("0/c/**/*")), "background takes no space"


def test_a_background_plane_between_others(volume: NDArray[np.uint8], out: Path) -> None:
    volume[5:8] = 0
    labels = segment_stack(blobs.embed(volume, axes="zyx"), out).data[:]
    assert np.array_equal(labels > 0, volume > 0)


def test_a_region_outside(pixels: NDArray[np.uint8], out: Path) -> None:
    with pytest.raises(ValueError, match=r"region .* lies outside the image of 150 rows and 180"):
        segment_stack(blobs.embed(pixels), out, region=(0, 200, 50, 300))
    with pytest.raises(ValueError, match=r"expected a box .* or three or more vertices"):
        segment_stack(blobs.embed(pixels), out, region=[[0, 0, 0], [1, 1, 1], [2, 0, 1]])
    around = [[-9, -9], [200, -9], [200, 200], [190, 200], [190, -5], [-9, -5]]
    with pytest.raises(ValueError, match=r"region does not meet the image"):
        segment_stack(blobs.embed(pixels), out, region=around)
    assert not list(out.parent.iterdir())


def test_planes_that_are_not_there(volume: NDArray[np.uint8], out: Path) -> None:
    with pytest.raises(ValueError, match="There is no plane 13"):
        segment_stack(blobs.embed(volume, axes="zyx"), out, planes=13)
    with pytest.raises(ValueError, match="no planes to segment"):
        segment_stack(blobs.embed(volume, axes="zyx"), out, planes=[])
    assert not list(out.parent.iterdir())


def test_what_is_there_is_not_overwritten(pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "image.zarr", data=pixels)
    embeddings = blobs.embed(tmp_path / "image.zarr")
    before = blobs.content(tmp_path)
    for out in ("image.zarr", "image.zarr/labels.zarr", "."):
        for existing in ("resume", "replace"):
            with pytest.raises(ValueError, match="would lie upon the image itself"):
                segment_stack(embeddings, tmp_path / out, existing=existing)
    create_labels(tmp_path / "mine.zarr", (10, 10))
    with pytest.raises(FileExistsError, match="is no output of automatic segmentation"):
        segment_stack(embeddings, tmp_path / "mine.zarr", existing="replace")
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere"):
        segment_stack(embeddings, tmp_path / "nowhere/labels.zarr")
    assert {k: v for k, v in blobs.content(tmp_path).items() if "mine" not in k} == before


def test_labels_inside_the_image(pixels: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "image.zarr"
    image = create_labels(path, pixels.shape, dtype="uint8")  # an OME-Zarr image like another
    image.data[:] = pixels
    segment_stack(blobs.embed(path), path / "labels/cells")
    assert zarr.open_group(path / "labels", mode="r").attrs["ome"] == {
        "version": "0.5",
        "labels": ["cells"],
    }
    assert np.array_equal(open_labels(path / "labels/cells").data[:] > 0, pixels > 0)


@pytest.mark.parametrize("when", ["find", "join", "write"])
def test_a_full_disk(
    when: str, pixels: NDArray[np.uint8], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    embeddings = blobs.embed(pixels)
    with monkeypatch.context() as patched:
        if when == "write":
            patched.setattr(zarr.storage.LocalStore, "set", full)
        else:
            patched.setattr(
                Path,
                "write_bytes",
                lambda path, data, real=Path.write_bytes: (
                    full() if when in str(path) else real(path, data)
                ),
            )
        with pytest.raises(OSError, match=r"disk with the working folder .* is full"):
            segment_stack(embeddings, out)
    assert not out.exists()
    assert blobs.is_same(segment_stack(embeddings, out).data[:], blobs.whole(pixels))


def test_settings_that_do_not_fit(pixels: NDArray[np.uint8], out: Path) -> None:
    embeddings = blobs.embed(pixels)
    with pytest.raises(ValueError, match="cannot be linked along z"):
        segment_stack(embeddings, out, settings=SegmentSettings(link=LinkSettings(axis="z")))
    with pytest.raises(TypeError, match="Expected SegmentSettings, found dict"):
        segment_stack(embeddings, out, settings={})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"dask.distributed Client"):
        segment_stack(embeddings, out, client="tcp://1")
    with pytest.raises(ValueError, match=r"hold the number 4294967295; expected at most 21474"):
        segment_stack(embeddings, out, keep=np.full(pixels.shape, 2**32 - 1, np.uint32))
    embeddings.model.has_instance_maps = False
    with pytest.raises(ValueError, match="'seeds' needs a model with an instance decoder"):
        segment_stack(embeddings, out, settings=find_settings(mode="seeds"))
    with pytest.raises(ValueError, match=r"keep have shape \(3, 3\); expected .*\(150, 180\)"):
        segment_stack(embeddings, out, keep=np.zeros((3, 3), int), settings=find_settings())
    assert not list(out.parent.iterdir())
