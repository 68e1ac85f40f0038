"""Formats by name, and what happens where nothing good can be written."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import roifile
import tifffile
from pycocotools.coco import COCO

from napari_sam.image import open_image
from napari_sam.labels.export import FORMATS, export, export_labels, extra
from napari_sam.labels.export.new_file import new_file

from .scenes import image, plane, stack

every_format = pytest.mark.parametrize("suffix", FORMATS)


def n_objects(path: Path) -> int:
    """Count the objects in a file with the reader of its format."""
    if path.name.endswith((".geojson", ".sa1b.json")):
        content = json.loads(path.read_text())
        return len(content.get("features", content.get("annotations")))
    if path.suffix == ".json":
        return len(COCO(path).getAnnIds())
    if path.suffix == ".zip":
        return len(list(roifile.roiread(path)))
    if path.suffix in (".tif", ".tiff"):
        return np.count_nonzero(np.unique(tifffile.imread(path)))
    return len(pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path))


@every_format
def test_no_objects(tmp_path: Path, suffix: str) -> None:
    labels = np.zeros((20, 30), np.uint16)
    pixels = open_image(labels + np.arange(30, dtype=np.uint16), axes="yx")
    assert n_objects(export_labels(labels, tmp_path / f"none{suffix}", image=pixels)) == 0


@every_format
def test_one_object_as_large_as_the_image(tmp_path: Path, suffix: str) -> None:
    labels = np.full((2100, 2050), 70_000, np.int32)
    assert n_objects(export_labels(labels, tmp_path / f"all{suffix}")) == 1


@every_format
def test_numbers_may_be_missing_and_large(tmp_path: Path, suffix: str) -> None:
    labels = plane().astype(np.int64)
    labels[labels == 70_000] = (1 << 31) + 5
    assert n_objects(export_labels(labels, tmp_path / f"large{suffix}")) == 4


@every_format
def test_a_file_that_exists_is_kept(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cells{suffix}"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        export_labels(plane(), path)
    assert path.read_text() == "mine"
    export_labels(plane(), str(path), overwrite=True)
    assert n_objects(path) == 4
    assert list(tmp_path.iterdir()) == [path]


@every_format
def test_a_full_disk_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    def fill_disk(content: Any, path: Path) -> None:
        write(content, path)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    write = FORMATS[suffix]
    monkeypatch.setitem(FORMATS, suffix, fill_disk)
    with pytest.raises(OSError, match=r"cells.* cannot be written, the disk is full") as caught:
        export_labels(plane(), tmp_path / f"cells{suffix}")
    assert caught.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


def test_what_is_broken_off_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), new_file(path, overwrite=True) as unfinished:
        unfinished.write_text("half of the new")
        raise KeyboardInterrupt
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no folder .*nowhere; make it first"):
        export_labels(plane(), tmp_path / "nowhere" / "cells.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError, match="choose the name of a file"):
        export_labels(plane(), tmp_path / "folder.csv", overwrite=True)


def test_an_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'cells\.xlsx'; expected .*\.tif, .*\.parquet"):
        export_labels(plane(), tmp_path / "cells.xlsx")


def test_labels_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="float64; expected integers"):
        export_labels(plane().astype(float), tmp_path / "cells.csv")
    with pytest.raises(ValueError, match="expected at least rows, columns"):
        export_labels(plane()[0], tmp_path / "cells.csv")
    with pytest.raises(ValueError, match="and the image"):
        export_labels(stack(), tmp_path / "cells.tif", image=open_image(image(), axes="yx"))


@pytest.mark.parametrize(
    ("suffix", "package"),
    [(".geojson", "shapely"), (".zip", "roifile"), (".parquet", "pyarrow")],
)
def test_a_package_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, package: str
) -> None:
    def import_module(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(extra, "import_module", import_module)
    with pytest.raises(ImportError, match=rf"{package}.*napari-sam\[export\]"):
        export_labels(plane(), tmp_path / f"cells{suffix}")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"predicted_iou": [1]}, "expected label and any of"),
        ({"label": [1], "score": [1]}, "columns label, score; expected"),
        ({"label": [1, 2], "stability": [1]}, r"column stability has shape \(1,\)"),
        ({"label": [1], "point": [1]}, r"expected \(1, 2\)"),
        ({"label": [1, 1]}, "list a label twice"),
    ],
)
def test_scores_that_do_not_fit(tmp_path: Path, scores: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        export_labels(plane(), tmp_path / "cells.csv", scores=scores)


def test_every_format_is_described() -> None:
    assert export.export_labels.__doc__ is not None
    for suffix in FORMATS:
        assert suffix.replace(".tiff", ".tif") in export.export_labels.__doc__
