"""shapely reads the outlines back; QuPath finds its properties."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import shapely
from shapely.geometry import shape

from napari_sam.image import open_image
from napari_sam.labels.export import export_labels

from .scenes import LABELS, SHAPE, image, plane, stack


def test_outlines_and_measurements(tmp_path: Path) -> None:
    labels = plane()
    path = export_labels(
        labels,
        tmp_path / "cells.geojson",
        image=open_image(image(), axes="yx"),
        scale=(0.5, 0.5),
        scores={"label": [1, 2], "predicted_iou": [0.75, 0.5]},
    )
    content = json.loads(path.read_text())
    assert content["type"] == "FeatureCollection"
    y, x = np.indices(SHAPE) + 0.5
    names = []
    for feature in content["features"]:
        properties = feature["properties"]
        label = int(properties["name"])
        names.append(label)
        outline = shape(feature["geometry"])
        is_object = labels == label
        np.testing.assert_array_equal(shapely.contains_xy(outline, x, y), is_object)
        assert properties["objectType"] == "detection"
        assert properties["classification"]["name"] == "object"
        measured = properties["measurements"]
        assert measured["area"] == is_object.sum() / 4 == outline.area / 4
        assert measured["mean_0"] == np.mean(image()[is_object])
        assert measured.get("predicted_iou") == {1: 0.75, 2: 0.5}.get(label)
        assert "plane" not in feature["geometry"]
    assert sorted(names) == list(LABELS)


def test_planes(tmp_path: Path) -> None:
    path = export_labels(stack()[None], tmp_path / "cells.geojson", axes="tzyx")
    features = json.loads(path.read_text())["features"]
    found = [feature["geometry"]["plane"] for feature in features]
    assert found == 4 * [{"c": -1, "z": 1, "t": 0}] + 3 * [{"c": -1, "z": 2, "t": 0}]
