"""`napari-sam segment`: whole images into labels, tables and pictures, and again from its options.

Most tests look for bright discs instead of asking a network, so that they are quick.
"""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from distributed import LocalCluster
from numpy.typing import NDArray
from skimage import data
from typer.main import get_command
from typer.testing import Result

from napari_sam import cli
from napari_sam.cli.segment_image import LINK_OPTIONS
from napari_sam.labels import create_labels
from napari_sam.segment import find, stack
from napari_sam.segment.settings import FindSettings, LinkSettings, SegmentSettings

from ..segment import blobs
from .segmenting import labels, names, run, said

# What it makes


def test_an_image(discs: NDArray[np.uint8]) -> None:
    result = run("discs.npy", "-o", "cells.zarr")
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"discs.npy: 4 objects in \S+ s; see cells.zarr\n", result.stdout)
    assert blobs.is_same(labels("cells.zarr"), blobs.whole(discs))
    assert names() == ["cells.zarr", "discs.npy"]


def test_files_for_other_programs_and_pictures(discs: NDArray[np.uint8]) -> None:
    export = ["--export", ".csv", "--export", "out/a.geojson", "--pictures"]
    Path("out").mkdir()
    assert run("discs.npy", "-o", "cells.tif", *export).exit_code == 0
    assert np.array_equal(tifffile.imread("cells.tif"), labels("cells.zarr"))
    with open("cells.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["predicted_iou"]) for row in rows] == pytest.approx([0.9] * 4)
    assert sorted(int(row["n_pixels"]) for row in rows) == sorted(
        np.bincount(blobs.whole(discs).ravel())[1:].tolist()
    )
    assert len(json.loads(Path("out/a.geojson").read_text())["features"]) == 4
    made = ["cells.csv", "cells.histograms.png", "cells.overview.png", "cells.tif", "cells.zarr"]
    assert names() == [*made, "discs.npy", "out"]


def test_a_summary_for_programs(discs: NDArray[np.uint8]) -> None:
    np.save("dark.npy", np.zeros((70, 70), np.uint8))
    Path("text.npy").write_text("no array")
    result = run("discs.npy", "dark.npy", "text.npy", "-o", "out", "--json", "--export", ".tif")
    assert result.exit_code == 1
    found, empty, failed = json.loads(result.stdout)["images"]
    assert (found["n_objects"], found["warnings"]) == (4, [])
    assert (found["labels"], found["files"]) == (
        str(Path("out/discs.zarr")),
        [str(Path("out/discs.tif"))],
    )
    assert found["parameters"]["settings"]["find"]["mode"] == found["options"]["mode"] == "seeds"
    assert found["parameters"]["package"]
    assert (found["seconds"] > 0, found["was_finished"]) == (True, False)
    assert empty["n_objects"] == 0
    constant, nothing = empty["warnings"]
    assert "the image is constant" in constant
    assert "No object was found" in nothing
    assert "is no zarr, TIFF or npy file" in failed["error"]
    assert failed["error"] in result.stderr


def test_a_stack_and_some_of_its_planes(discs: NDArray[np.uint8]) -> None:
    np.save("stack.npy", np.stack([discs] * 3))
    assert run("stack.npy", "-o", "linked.zarr", "--planes", "1:").exit_code == 0
    assert [len(np.unique(plane)) for plane in labels("linked.zarr")] == [1, 5, 5]
    assert labels("linked.zarr").max() == 4
    assert run("stack.npy", "-o", "single.zarr", "--no-link", "--pictures").exit_code == 0
    assert labels("single.zarr").max() == 12


def test_a_folder_of_images_that_takes_their_labels(discs: NDArray[np.uint8]) -> None:
    Path("all").mkdir()
    tifffile.imwrite("all/discs.tiff", discs)
    for _ in range(2):
        result = run("all", "-o", "all", "--export", ".tif")
        assert result.exit_code == 0, result.output
    assert names("all") == ["discs.tif", "discs.tiff", "discs.zarr"]
    assert run("all/*.tif", "-o", "other").exit_code == 2
    labels_given = run("all/discs.tif", "-o", "other")
    assert labels_given.exit_code == 2
    assert "discs.tif holds labels, and objects are found in images" in said(labels_given.stderr)


def test_a_region(discs: NDArray[np.uint8]) -> None:
    assert run("discs.npy", "-o", "box.zarr", "--region", "0,0,60,90").exit_code == 0
    assert run("discs.npy", "-o", "part.zarr", "--region", "0,0 60,0 0,60").exit_code == 0
    assert (labels("box.zarr").max(), labels("part.zarr").max()) == (2, 1)


def test_objects_that_are_there_already_are_kept(discs: NDArray[np.uint8]) -> None:
    kept = create_labels("kept.zarr", discs.shape)
    kept.data[10:30, 10:30] = 7
    result = run("discs.npy", "-o", "cells.zarr", "--keep", "kept.zarr")
    assert result.stdout.startswith("discs.npy: 3 new objects (4 in all) in ")
    again = run("discs.npy", "-o", "cells.zarr", "--keep", "kept.zarr", "--json")
    (told,) = json.loads(again.stdout)["images"]
    assert (told["n_objects"], told["n_objects_in_all"]) == (3, 4)
    assert np.unique(labels("cells.zarr")).tolist() == [0, 7, 8, 9, 10]


def test_folders_and_patterns(discs: NDArray[np.uint8]) -> None:
    zarr.create_array("zarrs/d.zarr", data=discs)
    create_labels("zarrs/labels.zarr", discs.shape)
    assert run("zarrs/*.zarr", "-o", "of_zarrs").exit_code == 0
    assert names("of_zarrs") == ["d.zarr"]
    for name in ("plate/a.npy", "plate/b.npy", "plate/more/c.npy"):
        Path(name).parent.mkdir(exist_ok=True)
        np.save(name, discs)
    Path("plate/notes.txt").write_text("Not an image.")
    assert run("plate", "-o", "plate").exit_code == 0
    assert run("plate", "plate/**/*.npy", "-o", "out").exit_code == 0, "labels are no images"
    assert names("out") == ["a.zarr", "b.zarr", "c.zarr"]


def test_a_dry_run_writes_nothing(discs: NDArray[np.uint8]) -> None:
    result = run("discs.npy", "-o", "out", "--dry-run", "--min-area", 9, "--store", "store")
    assert result.exit_code == 0
    assert re.match(r"discs.npy: 12 tiles: about \S+ s; on disk about .* free\)\.\n", result.stdout)
    options = tomllib.loads(result.stdout.partition("\n")[2])
    assert (options["min-area"], options["mode"], options["step"]) == (9, "seeds", 1)
    assert names() == ["discs.npy"]
    summary = json.loads(run("discs.npy", "-o", "out", "--dry-run", "--json").stdout)["images"][0]
    assert summary["forecast"]["n_tiles"] == 12


def test_what_is_odd_about_an_image_is_told(discs: NDArray[np.uint8]) -> None:
    pixels = discs.astype(np.float32)
    pixels[0, :50] = np.nan
    np.save("odd.npy", pixels)
    result = run("odd.npy", "-o", "a.zarr", "--json")
    (sentence,) = json.loads(result.stdout)["images"][0]["warnings"]
    assert re.match(r"odd.npy: .* % of the sampled pixels are NaN or infinite", sentence)
    assert sentence in result.stderr


# What is there already


def test_what_is_there_is_left_replaced_or_refused(discs: NDArray[np.uint8]) -> None:
    def command(*more: object) -> Result:
        return run("discs.npy", "-o", "cells.csv", *more)

    command()
    before = {name: os.stat(name).st_mtime_ns for name in ("cells.zarr", "cells.csv")}
    again = command()
    assert again.exit_code == 0
    assert "cells.csv is there, and stays as it is" in again.stderr
    assert again.stdout == "discs.npy: finished before, with 4 objects; see cells.zarr, cells.csv\n"
    assert command("--resume").exit_code == 0
    assert command("--dry-run").stdout == again.stdout
    refused = command("--refuse")
    assert refused.exit_code == 1
    assert "cells.csv exists" in refused.stderr
    other = command("--min-area", 200)
    assert other.exit_code == 1
    assert "the setting find.min_area (found 1, expected 200)" in other.stderr
    assert "Replace it (--replace), or choose another output." in other.stderr
    assert command("--min-area", 200, "--dry-run").stderr == other.stderr
    assert before == {name: os.stat(name).st_mtime_ns for name in before}
    assert command("--min-area", 200, "--replace").exit_code == 0
    assert labels("cells.zarr").max() == 3
    assert len(Path("cells.csv").read_text().splitlines()) == 1 + 3


def test_stopping_with_the_keyboard(
    discs: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []

    def stop_at_the_fifth(run: Any, tile: Any) -> None:
        if len(found) == 5:
            raise KeyboardInterrupt
        find.find_tile(run, tile)
        found.append(tile)

    with monkeypatch.context() as patch:
        patch.setattr(stack, "find_tile", stop_at_the_fifth)
        result = run("discs.npy", "-o", "cells.zarr", "--json")
    assert result.exit_code == 130
    assert "the same command goes on from here" in result.stderr
    assert result.stdout == ""
    assert names() == ["cells.zarr.work", "discs.npy"]
    assert run("discs.npy", "-o", "cells.zarr").exit_code == 0
    assert blobs.is_same(labels("cells.zarr"), blobs.whole(discs))


def test_a_full_disk(discs: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> None:
    write_bytes = Path.write_bytes

    def fill_up(path: Path, content: bytes) -> int:
        if "join" in path.parts:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write_bytes(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill_up)
        result = run("discs.npy", "-o", "cells.zarr")
    assert result.exit_code == 1
    assert "The disk with the working folder cells.zarr.work is full" in result.stderr
    assert run("discs.npy", "-o", "cells.zarr").exit_code == 0
    assert blobs.is_same(labels("cells.zarr"), blobs.whole(discs))


# Options in files


def test_a_run_is_repeated_from_its_labels(discs: NDArray[np.uint8]) -> None:
    np.save("stack.npy", np.stack([discs, discs, discs[::-1]]))
    first = ["--axes", "zyx", "--planes", "1:", "--min-area", 150, "--region", "0,0,140,99"]
    assert run("stack.npy", "-o", "a.zarr", *first, "--link-overlap", 0.3).exit_code == 0
    assert run("--config", "a.zarr", "-o", "b.zarr").exit_code == 0
    assert labels("a.zarr").any()
    assert np.array_equal(labels("a.zarr"), labels("b.zarr"))
    options = [dict(zarr.open_group(p).attrs) for p in ("a.zarr", "b.zarr")]
    assert options[0]["napari_sam_segmentation"] == options[1]["napari_sam_segmentation"]
    assert options[0]["napari_sam_command"] == options[1]["napari_sam_command"]


def test_the_command_line_wins_over_the_file(discs: NDArray[np.uint8]) -> None:
    Path("run.toml").write_text(
        'images = "discs.npy"\nout = "a.zarr"\nmin_area = 200\nregion = [0, 0, 150, 99]\n'
        'export = ".csv"\npictures = true\nlink = false\n'
    )
    assert run("--config", "run.toml", "--min-area", 20, "--export", ".tif").exit_code == 0
    assert labels("a.zarr").max() == 3
    assert names() == [
        "a.histograms.png",
        "a.overview.png",
        "a.tif",
        "a.zarr",
        "discs.npy",
        "run.toml",
    ]


def test_options_are_saved(discs: NDArray[np.uint8]) -> None:
    given = ["--min-area", 200, "--no-link", "--region", "0,0,150,180", "--export", ".csv"]
    run("discs.npy", "-o", "a.zarr", *given, "--save-config", "run.toml", "--dry-run")
    assert tomllib.loads(Path("run.toml").read_text()) == {
        "images": ["discs.npy"],
        "out": "a.zarr",
        "min-area": 200,
        "link": False,
        "region": "0,0,150,180",
        "export": [".csv"],
    }
    assert not Path("a.zarr").exists()
    assert run("--config", "run.toml").exit_code == 0
    assert labels("a.zarr").max() == 3, "not dry again"


def test_every_setting_has_an_option_that_tells_its_default() -> None:
    helps = {
        parameter.name: getattr(parameter, "help", "")
        for parameter in get_command(cli.app).commands["segment"].params
    }
    named = {field.name: field for field in fields(FindSettings)}
    named |= {LINK_OPTIONS.get(f.name, f.name): f for f in fields(LinkSettings)}
    named |= {"join_overlap": fields(SegmentSettings)[1]}
    for name, field in named.items():
        assert name in helps
        if told := re.search(r"by default (\d+(\.\d+)?)", helps[name]):
            assert float(told[1]) == field.default, name
        elif "by default" in helps[name]:
            assert not isinstance(field.default, float) or field.default is None, name


# With the network that is built in


def coins(*shape: int) -> None:
    """Write coins.npy: planes with a coin."""
    np.save("coins.npy", np.broadcast_to(data.coins()[:64, :64], (*shape, 64, 64)))


MAIN = "from napari_sam.cli import main; main()"

KILLED_AFTER_A_TILE = """
import os, signal
from napari_sam.segment import stack

find_tile = stack.find_tile

def find_and_die(run, tile):
    find_tile(run, tile)
    os.kill(os.getpid(), signal.SIGKILL)

stack.find_tile = find_and_die
"""


def segment_in_a_process(program: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, "segment", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_coins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("coins.npy", data.coins())
    result = run("coins.npy", "-o", "coins.zarr", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert 22 <= labels("coins.zarr").max() <= 26
    assert run("coins.npy", "-o", "b.zarr", "--mode", "grid", "--model", "sam9").exit_code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_process_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    coins(2)
    command = ["coins.npy", "--axes", "zyx", "--device", "cpu"]
    killed = KILLED_AFTER_A_TILE + MAIN
    with segment_in_a_process(killed, *command, "-o", "a.zarr") as process:
        _, error = process.communicate()
    assert process.returncode == -9, error
    assert [path.is_file() for path in Path("a.zarr.work/find").glob("*/*")] == [True]
    assert not Path("a.zarr").exists()
    assert run(*command, "-o", "a.zarr").exit_code == 0
    assert run(*command, "-o", "b.zarr").exit_code == 0
    assert labels("a.zarr").any()
    assert np.array_equal(labels("a.zarr"), labels("b.zarr"))


def test_mistakes_are_told_without_a_traceback(tmp_path: Path) -> None:
    with segment_in_a_process(
        MAIN, str(tmp_path / "none.tif"), "-o", str(tmp_path / "a.zarr")
    ) as process:
        out, error = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert "There is no file or folder" in error
    assert "Traceback" not in error


def test_on_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    coins(2)
    with LocalCluster(
        n_workers=1, processes=False, protocol="tcp://", dashboard_address=":0"
    ) as cluster:
        scheduler = ["--scheduler", cluster.scheduler_address]
        result = run("coins.npy", "--axes", "zyx", "-o", "a.zarr", "--device", "cpu", *scheduler)
    assert result.exit_code == 0, result.output
    assert labels("a.zarr").any()
