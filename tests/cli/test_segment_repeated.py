"""A run tells what it was made from, beforehand and afterwards, and is repeated from that alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from skimage import data

from napari_sam.cli import segment_images
from napari_sam.labels import open_labels
from napari_sam.model import load_model
from napari_sam.segment import find, forecast, generate_masks, read_record, stack
from napari_sam.segment.settings import SEED_IOU

from ..image.ome_zarrs import write_ome_zarr
from ..segment import blobs
from .segmenting import labels, names, run


def test_the_options_hold_how_the_model_computes(
    discs: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    def load(*_: Any, **options: Any) -> blobs.PixelModel:
        asked.append(options)
        return blobs.PixelModel()

    monkeypatch.setattr(segment_images, "load_model", load)
    assert run("discs.npy", "-o", "a.zarr", "--store", "tiles").exit_code == 0
    assert run("--config", "a.zarr", "-o", "b.zarr").exit_code == 0
    assert [(one["device"], one["precision"]) for one in asked] == [
        ("auto", "auto"),
        ("cpu", "float32"),
    ]
    record = read_record(Path("a.zarr")) or {}
    assert record["precision"] == "float32"
    assert (record["made_with"]["backend"], record["made_with"]["stored"]) == ("torch", "float16")
    assert record == read_record(Path("b.zarr"))


@pytest.mark.parametrize("mode", [[], ["--mode", "grid", "--points-per-side", 6], ["--exact"]])
def test_the_same_labels_from_the_record_alone(
    mode: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("coins.npy", data.coins()[:160, :200])
    given = ["--region", "0,0,150,150", "--min-area", 30, *mode]
    if "--exact" in mode:
        given += ["--points-per-side", 6]
    assert run("coins.npy", "-o", "a.zarr", "--device", "cpu", *given).exit_code == 0
    assert run("--config", "a.zarr", "-o", "b.zarr").exit_code == 0
    assert labels("a.zarr").any()
    assert np.array_equal(labels("a.zarr"), labels("b.zarr"))


def test_another_way_to_find_has_thresholds_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of labels made in another way are forgotten, and what else does not go with it."""
    monkeypatch.chdir(tmp_path)
    np.save("coins.npy", data.coins()[:80, :100])
    options = ["--device", "cpu", "--store", "tiles", "--min-area", 30, "--step", 1]
    assert run("coins.npy", "-o", "a.zarr", *options).exit_code == 0
    few = ["--points-per-side", 4]
    assert run("--config", "a.zarr", "-o", "b.zarr", "--exact", *few).exit_code == 0
    assert run("--config", "b.zarr", "-o", "c.zarr", "--step", 2).exit_code == 0
    seeds, exact, grid = (
        dict(zarr.open_group(out).attrs["napari_sam_command"])
        for out in ("a.zarr", "b.zarr", "c.zarr")
    )
    nano = load_model("nano", device="cpu")
    assert (seeds["mode"], seeds["pred-iou"], seeds["step"]) == ("seeds", SEED_IOU, 1)
    assert (exact["mode"], exact["exact"], exact["min-area"]) == ("grid", True, 30)
    assert (exact["pred-iou"], exact["stability"]) == (nano.accepted_iou, nano.accepted_stability)
    assert not {"step", "store"} & set(exact)
    assert (grid["mode"], grid["exact"], grid["step"]) == ("grid", False, 2)


def test_a_stack_is_linked_as_nothing_in_a_plane_says(discs: NDArray[np.uint8]) -> None:
    np.save("stack.npy", np.stack([discs, discs]))
    assert run("discs.npy", "-o", "a.zarr").exit_code == 0
    assert run("stack.npy", "--config", "a.zarr", "-o", "b.zarr").exit_code == 0
    assert labels("b.zarr").max() == labels("a.zarr").max() == 4


def test_labels_of_other_makers_are_no_options(discs: NDArray[np.uint8]) -> None:
    assert run("discs.npy", "-o", "a.zarr").exit_code == 0
    del zarr.open_group("a.zarr").attrs["napari_sam_command"]
    result = run("--config", "a.zarr", "-o", "b.zarr")
    assert result.exit_code == 2
    assert "Python" in result.stderr


def test_a_dry_run_counts_what_is_stored(
    discs: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    def foretold(*more: object) -> dict[str, Any]:
        command = ["discs.npy", "-o", "a.zarr", "--store", "tiles", "--dry-run", "--json", *more]
        found: dict[str, Any] = json.loads(run(*command).stdout)["images"][0]["forecast"]
        return found

    assert (foretold()["n_stored"], names()) == (0, ["discs.npy"])
    part = ["--region", "0,0,60,60"]
    assert run("discs.npy", "-o", "part.zarr", "--store", "tiles", *part).exit_code == 0
    assert 0 < foretold()["n_stored"] < foretold()["n_tiles"] == 12
    assert foretold(*part)["n_stored"] == foretold(*part)["n_tiles"]
    assert foretold(*part)["store_bytes"] == 0 < foretold()["store_bytes"]
    said = run("discs.npy", "-o", "a.zarr", "--store", "tiles", "--dry-run").stdout
    assert re.search(r"12 tiles, \d of them in the store: about .* in the store, and", said)
    measure = forecast._measure
    with monkeypatch.context() as patched:
        patched.setattr(forecast, "_measure", lambda *tile: (measure(*tile)[0], 9.0, 1.0))
        found = foretold()
    assert found["seconds"] == 12 * 10.0 - found["n_stored"] * 9.0
    np.save("discs.npy", 255 - discs)
    other = run("discs.npy", "-o", "a.zarr", "--store", "tiles", "--dry-run")
    assert (other.exit_code, "was made for something else" in other.stderr) == (1, True)


def test_a_dry_run_of_an_unfinished_run_tells_what_is_left(
    discs: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []

    def stop_at_the_eighth(run: Any, tile: Any) -> None:
        if len(found) == 7:
            raise KeyboardInterrupt
        find.find_tile(run, tile)
        found.append(tile)

    def foretold(*more: object) -> dict[str, Any]:
        command = ["discs.npy", "-o", "a.zarr", "--dry-run", "--json", *more]
        ahead: dict[str, Any] = json.loads(run(*command).stdout)["images"][0]["forecast"]
        return ahead

    fresh = foretold("--store", "tiles")
    with monkeypatch.context() as patch:
        patch.setattr(stack, "find_tile", stop_at_the_eighth)
        assert run("discs.npy", "-o", "a.zarr").exit_code == 130
    measure = forecast._measure
    monkeypatch.setattr(forecast, "_measure", lambda *tile: (measure(*tile)[0], 4.0, 6.0))
    left = foretold("--store", "tiles")
    assert (fresh["n_done"], left["n_done"], left["n_tiles"]) == (0, 7, 12)
    assert left["seconds"] == 5 * 10.0
    assert left["store_bytes"] * 12 == fresh["store_bytes"] * 5 > 0
    sentence = run("discs.npy", "-o", "a.zarr", "--dry-run").stdout
    assert "12 tiles, 7 of them done: about 50 s" in sentence
    other = run("discs.npy", "-o", "a.zarr", "--dry-run", "--min-area", 9)
    assert other.exit_code == 1
    assert "The unfinished run in a.zarr.work was begun from something else" in other.stderr
    assert foretold("--min-area", 9, "--replace")["n_done"] == 0
    with monkeypatch.context() as patch:
        patch.setattr(stack, "match_tile", stop_at_the_eighth)
        assert run("discs.npy", "-o", "a.zarr").exit_code == 130
    sentence = run("discs.npy", "-o", "a.zarr", "--dry-run").stdout
    assert "12 tiles, 12 of them done: objects are found, and are still to be joined" in sentence
    assert run("discs.npy", "-o", "a.zarr").exit_code == 0
    assert blobs.is_same(labels("a.zarr"), blobs.whole(discs))


def test_one_of_several_images_of_a_file(discs: NDArray[np.uint8]) -> None:
    with tifffile.TiffWriter("several.ome.tif") as file:
        file.write(np.zeros((64, 64), np.uint8))
        file.write(discs)
    first = run("several.ome.tif", "-o", "0.zarr")
    assert "of 2 images in the file, --series 0 is read" in first.stderr
    assert labels("0.zarr").shape == (64, 64)
    chosen = run("several.ome.tif", "-o", "1.zarr", "--series", 1)
    assert "images in the file" not in chosen.stderr
    assert blobs.is_same(labels("1.zarr"), blobs.whole(discs))
    assert run("--config", "1.zarr", "-o", "again.zarr").exit_code == 0
    assert np.array_equal(labels("again.zarr"), labels("1.zarr"))
    beyond = run("several.ome.tif", "-o", "2.zarr", "--series", 2)
    assert "several.ome.tif holds 2 images, and no --series 2" in beyond.stderr


FACTORS = [(1, 1), (2, 3), (4, 3)]
"""Of the levels of a pyramid, as nobody would expect them."""


def test_a_level_of_a_pyramid_is_the_image(discs: NDArray[np.uint8]) -> None:
    levels = [discs[::y, ::x] for y, x in FACTORS]
    write_ome_zarr(Path("image.zarr"), levels, "yx", scale=1.0)
    for number, (fy, fx) in enumerate(FACTORS):
        out = f"{number}.zarr"
        assert run("image.zarr", "-o", out, "--level", number).exit_code == 0
        assert blobs.is_same(labels(out), blobs.whole(levels[number]))
        scale, shift = open_labels(out).group.attrs["ome"]["multiscales"][0]["datasets"][0][
            "coordinateTransformations"
        ]
        assert scale["scale"] == [fy, fx]
        assert shift["translation"] == [(fy - 1) / 2, (fx - 1) / 2]
        options = zarr.open_group(out).attrs["napari_sam_command"]
        assert options["level"] == number
    assert run("--config", "1.zarr", "-o", "again.zarr").exit_code == 0
    assert np.array_equal(labels("again.zarr"), labels("1.zarr"))
    beyond = run("image.zarr", "-o", "3.zarr", "--level", 3)
    assert "The image has levels 0 to 2, and no level 3: choose another" in beyond.stderr


def test_the_exact_grid_finds_the_official_masks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planes of a size that no tile has; the larger masks lie below."""
    monkeypatch.chdir(tmp_path)
    plane = data.coins()[:170, :230]
    np.save("coins.npy", np.stack([plane, plane[::-1]]))
    options = ["--axes", "zyx", "--exact", "--points-per-side", 8, "--pred-iou", 0.3]
    assert run("coins.npy", "-o", "a.zarr", *options, "--no-link").exit_code == 0
    model = load_model("nano", device="cpu")
    thresholds = {"pred_iou_thresh": 0.3, "stability_score_thresh": model.accepted_stability}
    for pixels, found in zip(np.load("coins.npy"), labels("a.zarr"), strict=True):
        masks = generate_masks(model, pixels, points_per_side=8, **thresholds)
        assert len(masks) > 5
        expected = np.zeros(pixels.shape, int)
        for number, mask in sorted(enumerate(masks, 1), key=lambda one: -one[1]["area"]):
            expected[mask["segmentation"]] = number
        assert blobs.is_same(found, expected)
        assert any((expected[m["segmentation"]] != n).any() for n, m in enumerate(masks, 1))


def test_files_that_need_missing_packages_are_refused_before_anything(
    discs: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sam.labels.export.extra.find_spec", lambda name: None)
    for what in (["--export", ".zip"], ["--export", "a.geojson"], ["--pictures"]):
        result = run("discs.npy", "-o", "a.zarr", *what)
        assert result.exit_code == 2
        assert 'which is not installed. Run pip install "napari-sam[export]"' in " ".join(
            result.stderr.replace("│", " ").split()
        )
    assert names() == ["discs.npy"]
    assert run("discs.npy", "-o", "a.csv").exit_code == 0, "needs none"
