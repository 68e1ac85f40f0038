"""pycocotools reads the masks back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from napari_sam.labels.export import export_labels, table_scores
from napari_sam.masks import Mask, MaskTable

from .scenes import LABELS, SHAPE, plane, stack

# pycocotools itself, with numpy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def test_each_plane_is_an_image(tmp_path: Path) -> None:
    labels = stack()
    coco = COCO(export_labels(labels, tmp_path / "cells.json"))
    assert len(coco.getImgIds()) == 4
    found = np.zeros_like(labels)
    for annotation in coco.loadAnns(coco.getAnnIds()):
        mask = coco.annToMask(annotation).astype(bool)
        z = annotation["image_id"] - 1
        found[z][mask] = annotation["label"]
        assert annotation["area"] == mask.sum()
        assert annotation["bbox"] == coco_mask.toBbox(annotation["segmentation"]).tolist()
    np.testing.assert_array_equal(found, labels)
    names = [one["file_name"] for one in coco.loadImgs(coco.getImgIds())]
    assert names == [f"cells_z{z}" for z in range(4)]
    assert coco.getCatIds() == [1]


def test_sa1b(tmp_path: Path) -> None:
    labels = plane()
    masks = [Mask.from_array(labels == label, predicted_iou=0.5) for label in LABELS[:-1]]
    table = MaskTable.of(masks, points=[[y, 2 * y] for y in range(3)])
    scores = table_scores(table, LABELS[:-1])
    path = export_labels(labels, tmp_path / "cells.sa1b.json", scores=scores)
    content = json.loads(path.read_text())
    assert content["image"].pop("image_id") == 1
    assert content["image"] == {"height": SHAPE[0], "width": SHAPE[1], "file_name": "cells"}
    assert [one["label"] for one in content["annotations"]] == list(LABELS)
    for one in content["annotations"]:
        found = coco_mask.decode(one["segmentation"]).astype(bool)
        np.testing.assert_array_equal(found, labels == one["label"])
        assert one["crop_box"] == [0, 0, 50, 40]
        if one["label"] == 70_000:
            assert "predicted_iou" not in one
        else:
            y = LABELS.index(one["label"])
            assert (one["predicted_iou"], one["point_coords"]) == (0.5, [[2 * y, y]])
        assert "stability_score" not in one  # NaN in the table


def test_sa1b_is_one_plane(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"one plane; choose one, or write COCO"):
        export_labels(stack(), tmp_path / "cells.sa1b.json")
    assert not list(tmp_path.iterdir())
