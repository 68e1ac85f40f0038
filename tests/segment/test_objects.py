"""Beside the labels of a run stands where each object is, and how sure the model was of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam.embedding import Embeddings
from napari_sam.image import Window
from napari_sam.labels import create_labels
from napari_sam.masks import Mask, MaskTable
from napari_sam.segment import find
from napari_sam.segment.objects import object_scores, read_objects
from napari_sam.segment.settings import LinkSettings, SegmentSettings
from napari_sam.segment.stack import segment_stack

from . import blobs

DISCS = [(40.0, 52.0, 6.0), (20.0, 20.0, 9.0), (100.0, 60.0, 40.0)]


def scored(embeddings: Embeddings, window: Window, *rest: Any) -> MaskTable:
    """Find blobs, with scores that grow from window to window, and their centers as points."""
    found = blobs.find_blobs(embeddings, window, *rest)
    rise = (window.plane[0] if window.plane else 0) * 0.2 + window.y * 1e-3 + window.x * 1e-5
    masks = [Mask(m.box, m.array, 0.5 + rise, 0.6 + rise) for m in found]
    centers = [((m.box[0] + m.box[2]) / 2, (m.box[1] + m.box[3]) / 2) for m in masks]
    return MaskTable.of(masks, points=np.reshape(centers, (-1, 2)))


@pytest.fixture(autouse=True)
def scored_blobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(find.FINDERS, "seeds", scored)


def test_a_row_for_each_object(tmp_path: Path) -> None:
    pixels = blobs.paint_discs((150, 180), DISCS)
    labels = segment_stack(blobs.embed(pixels), tmp_path / "a.zarr").data[:]
    objects = read_objects(tmp_path / "a.zarr")
    assert sorted(objects["label"].tolist()) == [1, 2, 3]
    assert objects["plane"].shape == (3, 0)
    for label, box in zip(objects["label"], objects["box"], strict=True):
        rows, columns = np.nonzero(labels == label)
        assert box.tolist() == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    scores = object_scores(objects)
    assert scores["stability"] == pytest.approx(scores["predicted_iou"] + 0.1)
    by_label = {number: row for row, number in enumerate(scores["label"].tolist())}
    small = by_label[int(labels[20, 20])]
    assert scores["point"][small].tolist() == [20.5, 20.5]
    assert scores["predicted_iou"][small] == pytest.approx(0.5, abs=0.05)
    # Of the parts of the large one, the best: of the last window that sees it.
    large = by_label[int(labels[100, 60])]
    assert scores["predicted_iou"][large] > 0.58


def test_an_object_in_several_planes(tmp_path: Path) -> None:
    pixels = np.stack([blobs.paint_discs((60, 60), [(30.0, 30.0, r)]) for r in (10, 12)])
    segment_stack(blobs.embed(pixels, axes="zyx"), tmp_path / "a.zarr")
    objects = read_objects(tmp_path / "a.zarr")
    assert objects["label"].tolist() == [1, 1]
    assert objects["plane"].tolist() == [[0], [1]]
    scores = object_scores(objects)
    assert scores["predicted_iou"] == pytest.approx([0.6])
    assert "point" not in scores
    unlinked = SegmentSettings(link=LinkSettings(is_linked=False))
    segment_stack(blobs.embed(pixels, axes="zyx"), tmp_path / "b.zarr", settings=unlinked)
    assert object_scores(read_objects(tmp_path / "b.zarr"))["label"].tolist() == [1, 2]


def test_dropped_and_kept_objects_have_no_row(tmp_path: Path) -> None:
    kept = create_labels(tmp_path / "kept.zarr", (3, 60, 60)).data
    kept[0, 50:, 50:] = 5
    discs = [[(20.0, 20.0, 8.0)], [(20.0, 20.0, 8.0), (50.0, 20.0, 5.0)], []]
    pixels = np.stack([blobs.paint_discs((60, 60), plane) for plane in discs])
    long_ones = SegmentSettings(link=LinkSettings(min_extent=2))
    out = tmp_path / "a.zarr"
    segment_stack(blobs.embed(pixels, axes="zyx"), out, settings=long_ones, keep=kept)
    assert read_objects(out)["label"].tolist() == [6, 6]


@pytest.mark.filterwarnings("ignore:No object was found")
def test_no_objects(tmp_path: Path) -> None:
    segment_stack(blobs.embed(np.zeros((60, 60), np.uint8)), tmp_path / "a.zarr")
    objects = read_objects(tmp_path / "a.zarr")
    assert {len(column) for column in objects.values()} == {0}
    assert len(object_scores(objects)["label"]) == 0


def test_labels_of_no_run(tmp_path: Path) -> None:
    create_labels(tmp_path / "a.zarr", (60, 60))
    for name in ("a.zarr", "none.zarr"):
        with pytest.raises(FileNotFoundError, match="has no table of objects"):
            read_objects(tmp_path / name)
