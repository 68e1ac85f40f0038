"""Files that `napari-sam segment` writes beside labels, and those that it finds there."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from .segmenting import names, run


def test_coco_names_the_image(discs: NDArray[np.uint8]) -> None:
    tifffile.imwrite("discs.ome.tif", discs)
    run("discs.ome.tif", "-o", "cells.v2.json", "--export", ".sa1b.json")
    (image,) = json.loads(Path("cells.v2.json").read_text())["images"]
    assert image["file_name"] == "discs.ome.tif"
    assert (
        json.loads(Path("cells.v2.sa1b.json").read_text())["image"]["file_name"] == "discs.ome.tif"
    )
    np.save("stack.npy", np.stack([discs] * 2))
    run("stack.npy", "-o", "cells.json")
    images = json.loads(Path("cells.json").read_text())["images"]
    assert [image["file_name"] for image in images] == ["stack_z0.npy", "stack_z1.npy"]


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        ("cells.ome.tif", ["cells.ome.tif", "cells.ome.zarr"]),
        ("cells.TIFF", ["cells.TIFF", "cells.zarr"]),
        ("cells.sa1b.json", ["cells.sa1b.json", "cells.zarr"]),
    ],
)
def test_a_file_has_the_name_that_was_asked_for(
    discs: NDArray[np.uint8], out: str, expected: list[str]
) -> None:
    """Labels lie beside it; what is finished stays."""
    for _ in range(2):
        assert run("discs.npy", "-o", out).exit_code == 0
        assert names() == [*expected, "discs.npy"]


def test_endings_in_capitals(discs: NDArray[np.uint8]) -> None:
    run("discs.npy", "-o", "cells.zarr", "--export", ".CSV", "--export", ".csv")
    assert names() == ["cells.csv", "cells.zarr", "discs.npy"]


def test_files_of_labels_that_were_replaced(discs: NDArray[np.uint8]) -> None:
    """Files that were there before the labels are none of theirs, as is the image itself."""
    tifffile.imwrite("cells.tif", discs)
    Path("cells.geojson").write_text("{}")
    for name in ("cells.tif", "cells.geojson"):
        os.utime(name, (1, 1))
    command = ["cells.tif", "-o", "cells.zarr"]
    run(*command, "--export", ".csv", "--export", ".json", "--pictures")
    replaced = run(*command, "--min-area", 200, "--replace", "--export", ".json", "--json")
    sentence = (
        "cells.csv, cells.overview.png, cells.histograms.png still show what cells.zarr held "
        "before: remove them, or give --export .csv --pictures with --replace to have them made "
        "anew."
    )
    assert json.loads(replaced.stdout)["images"][0]["warnings"] == [sentence]
    assert sentence in replaced.stderr
    os.utime("cells.csv", (1, 1))
    kept = run(*command, "--min-area", 200, "--export", ".csv", "--export", ".json")
    assert "cells.csv is there, and stays as it is, though it is older than cells.zarr" in (
        kept.stderr
    )
    assert "cells.json is there, and stays as it is.\n" in kept.stderr
    Path("cells.csv").unlink()
    assert run(*command, "--min-area", 200, "--export", ".csv").stderr == ""
    assert len(Path("cells.csv").read_text().splitlines()) == 1 + 3
