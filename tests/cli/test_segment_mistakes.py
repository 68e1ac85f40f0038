"""What `napari-sam segment` says of options, images and outputs that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from napari_sam.labels import create_labels

from .segmenting import labels, names, run, said


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-o", "a.zarr"], "There is no image: give paths, folders or patterns"),
        (["discs.npy"], "There is no output: give --out"),
        (["discs.npy", "-o", "a.png"], "--out a.png is of no known format; there are .zarr"),
        (["discs.npy", "-o", ".tif"], "--out .tif is only an ending: give a name before it, such"),
        (["discs.npy", "-o", "./.ZARR"], "--out .ZARR is only an ending"),
        (["discs.npy", "-o", "a.zarr", "--export", "b.xls"], "--export b.xls is of no known form"),
        (["discs.npy", "-o", "a.zarr", "--export", ".ome.tif"], "--export .ome.tif is of no known"),
        (["*.npy", "-o", "a.zarr"], "--out a.zarr is one output, and there are 2 images"),
        (["*.npy", "-o", "out", "--export", "a.csv"], "give only its ending, such as .csv"),
        (["*.npy", "-o", "out", "--keep", "a.zarr"], "--keep is for one image, and there are 2"),
        (["discs.npy", "-o", "a", "--keep", "discs.npy"], "discs.npy: there is no OME-Zarr label"),
        (["discs.npy", "-o", "a", "--keep", "none.zarr"], "none.zarr: there is no OME-Zarr label"),
        (["discs.npy", "-o", "a.zarr", "--resume", "--replace"], "one of --resume and --replace"),
        (["discs.npy", "-o", "a.zarr", "--step", "2", "--exact"], "exact looks at each plane as a"),
        (["discs.npy", "-o", "a.zarr", "--mode", "seeds", "--exact"], "exact is of the grid"),
        (["discs.npy", "-o", "a.zarr", "--store", "a", "--exact"], "--store holds tiles, and --ex"),
        (["discs.npy", "-o", "a.zarr", "--step", "3"], "step is a power of two"),
        (["discs.npy", "-o", "a.zarr", "--region", "1,2,3"], "expected a box y0,x0,y1,x1"),
        (["discs.npy", "-o", "a.zarr", "--region", "all"], "expected a box y0,x0,y1,x1"),
        (["discs.npy", "-o", "a.zarr", "--pred-iou", "88"], "--pred-iou is 88.0; expected from 0"),
        (["discs.npy", "-o", "a.zarr", "--min-area", "9", "--max-area", "3"], "--max-area is 3"),
        (["discs.npy", "-o", "a.zarr", "--link-overlap", "3"], "--link-overlap is 3.0; expected"),
        (["discs.npy", "-o", "a.zarr", "--mode", "magic"], "expected one of grid, seeds, watersh"),
        (["discs.npy", "-o", "a.zarr", "--save-config", "discs.npy"], "a name that ends in .toml"),
        (["discs.npy", "-o", "a.zarr", "--save-config", "a/b.toml"], "in a folder that is there"),
        (["--config", "none.toml"], "none.toml is no TOML file that can be read"),
        (["--config", "."], "is a folder, but no labels that 'napari-sam segment' made"),
        (["--config", "bad.toml"], "bad.toml is no TOML file"),
        (["--config", "unknown.toml"], "has 'pred-ious', and there is no such option; the nearest "
         "is 'pred-iou'"),
        (["--config", "type.toml", "discs.npy"], "Invalid value for '--min-area'"),
    ],
)  # fmt: skip
def test_wrong_options(discs: NDArray[np.uint8], arguments: list[str], sentence: str) -> None:
    np.save("other.npy", discs)
    Path("bad.toml").write_text("min-area: 3")
    Path("unknown.toml").write_text("pred-ious = 0.8")
    Path("type.toml").write_text('min-area = "many"')
    before = names()
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert sentence in said(result.stderr)
    assert names() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--region", "500,500,600,600"], "discs.npy: The region"),
        (["--planes", "3"], "--planes 3 does not fit the image"),
        (["--channel", "DAPI"], "no channel"),
        (["--channel", "0"], "--channel 0 was given, but the image has no channel c"),
        (["--axes", "zyx"], "--axes zyx names 3 axes, but the image has 2"),
        (["--level", "1"], "The image has a single level, 0, and no level 1: choose another, or a"),
        (["-o", "none/a.csv"], "There is no folder"),
        (["-o", "none/out"], "There is no folder"),
        (["-o", "notes"], "The folder notes cannot be made"),
        (["-o", "discs.zarr"], "discs.zarr exists, and is no output of"),
        (["-o", "notes.csv"], "notes.csv exists: choose another name, or use --replace"),
        (["--export", "none/a.csv"], "There is no folder"),
    ],
)
def test_what_does_not_fit_the_image(
    discs: NDArray[np.uint8], arguments: list[str], sentence: str
) -> None:
    Path("notes.csv").write_text("important")
    Path("notes").write_text("important")
    zarr.create_array("discs.zarr", data=discs)
    before = names()
    result = run("discs.npy", "-o", "a.zarr", *arguments)
    assert result.exit_code == 1, result.output
    assert sentence in result.stderr
    assert "Traceback" not in result.output
    assert names() == before
    assert Path("notes.csv").read_text() == "important"


def test_a_stack_is_no_file_of_sa1b(discs: NDArray[np.uint8]) -> None:
    np.save("stack.npy", np.stack([discs, discs]))
    result = run("stack.npy", "-o", "a.zarr", "--export", ".sa1b.json")
    assert result.exit_code == 1
    assert "a.sa1b.json would hold one plane, as files of SA-1B do, and the image has 2" in (
        result.stderr
    )
    assert names() == ["discs.npy", "stack.npy"], "nothing was computed"


@pytest.mark.parametrize("options", [[], ["--replace"]])
def test_the_image_itself_is_no_output(discs: NDArray[np.uint8], options: list[str]) -> None:
    zarr.create_array("image.zarr", data=discs)
    tifffile.imwrite("image.tif", discs)
    on_zarr = run("image.zarr", "-o", "image.zarr", *options)
    assert on_zarr.exit_code == 1
    assert "would lie upon the image itself" in on_zarr.stderr
    on_tiff = run("image.tif", "-o", "cells.zarr", "--export", "image.tif", *options)
    assert on_tiff.exit_code == 1
    assert "The output image.tif is the image itself" in on_tiff.stderr
    assert np.array_equal(tifffile.imread("image.tif"), discs)
    assert names() == ["discs.npy", "image.tif", "image.zarr"]


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (["none.npy"], "There is no file or folder none.npy"),
        ([""], "The name of an image is empty"),
        (["*.tif"], "No image fits the pattern *.tif"),
        (["*.zarr"], "No image fits the pattern *.zarr"),
        (["empty"], "The folder empty has no images"),
        (["discs.npy", "more/discs.npy"], "would have the same output discs.zarr"),
        (["kept.zarr"], "kept.zarr holds labels, and objects are found in images: give the image"),
        (["discs.npy", "kept.zarr"], "To keep them, add --keep kept.zarr"),
    ],
)
def test_images_that_are_none(discs: NDArray[np.uint8], images: list[str], sentence: str) -> None:
    for folder in ("empty", "more"):
        Path(folder).mkdir()
    np.save("more/discs.npy", discs)
    create_labels("kept.zarr", discs.shape)
    result = run(*images, "-o", "out")
    assert result.exit_code == 2
    assert sentence in said(result.stderr)
    assert names() == ["discs.npy", "empty", "kept.zarr", "more"]


def test_a_scheduler_that_does_not_answer(
    discs: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sam.cli.embed.CONNECT_SECONDS", 0.1)
    result = run("discs.npy", "-o", "a.zarr", "--scheduler", "tcp://127.0.0.1:1")
    assert result.exit_code == 2
    assert "There is no dask scheduler at tcp://127.0.0.1:1" in said(result.stderr)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--checkpoint", "none.pt"], "There is no file 'none.pt'; expected a file of weights"),
        (["--checkpoint", "discs.npy"], "discs.npy"),
        (["--model", "vit_h"], "vit_h is not installed"),
        (["--model", "sam9"], "There is no model 'sam9'"),
    ],
)
def test_models_that_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.setenv("NAPARI_SAM_MODELS", str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)
    np.save("discs.npy", np.zeros((9, 9), np.uint8))
    result = run("discs.npy", "-o", "a.zarr", *arguments)
    assert result.exit_code == 2, result.output
    assert sentence in said(result.stderr)
    assert names() == ["discs.npy"]


@pytest.mark.parametrize("threshold", [["--min-area", 10**6], ["--pred-iou", 1]])
def test_thresholds_that_exclude_all(discs: NDArray[np.uint8], threshold: list[object]) -> None:
    result = run("discs.npy", "-o", "a.tif", *threshold, "--export", ".csv", "--pictures")
    assert result.exit_code == 0, result.output
    assert "No object was found" in result.stderr
    assert "too large for the model at --step 1: try --step 4." in result.stderr
    assert not labels("a.zarr").any()
    assert not tifffile.imread("a.tif").any()
    assert len(Path("a.csv").read_text().splitlines()) == 1


def test_a_step_that_leaves_nothing_of_the_image(discs: NDArray[np.uint8]) -> None:
    result = run("discs.npy", "-o", "a.zarr", "--step", 64, "--min-area", 10**6)
    assert "the image is too small for the model at --step 64: try --step 1." in result.stderr


def test_one_object_as_large_as_the_image(discs: NDArray[np.uint8]) -> None:
    full = np.full((150, 180), 200, np.uint8)
    full[0, 0] = 0
    np.save("full.npy", full)
    assert run("full.npy", "-o", "a.zarr", "--export", ".geojson").exit_code == 0
    assert np.array_equal(labels("a.zarr"), full > 0)
