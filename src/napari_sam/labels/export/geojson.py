"""Labels as GeoJSON, which QuPath opens."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import Any

from napari_sam.image.image import Image
from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.export.measure import measure
from napari_sam.labels.export.objects import LabeledObject, iter_objects
from napari_sam.labels.export.outline import pixel_outline
from napari_sam.labels.export.scores import Scores

CLASSIFICATION = {"name": "object", "color": [255, 200, 0]}


def write_geojson(
    labels: LabelImage,
    path: Path,
    scores: Scores,
    image: Image | None = None,
    object_type: str = "detection",
) -> None:
    """Write a feature per object and plane: its outline with holes, and its measurements.

    Coordinates are pixels (x, y) from the corner of the image, as QuPath counts them.

    Parameters
    ----------
    labels, path, scores, image
        As for `export_labels`.
    object_type : {"detection", "annotation", "cell"}
        What QuPath takes the objects for.
    """
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for number, found in enumerate(iter_objects(labels, image)):
            measured = measure(found, labels) | scores.of(found.label)
            feature = _feature(found, labels, measured, object_type)
            file.write((",\n" if number else "\n") + json.dumps(feature))
        file.write("\n]}\n")


def _feature(
    found: LabeledObject, labels: LabelImage, measured: dict[str, float], object_type: str
) -> dict[str, Any]:
    geometry = dict(pixel_outline(found.mask).__geo_interface__)
    index = labels.named(found.plane)
    if index:
        # QuPath's own addition to GeoJSON; channel -1 is all of them.
        geometry["plane"] = {"c": -1, "z": 0, "t": 0} | index
    return {
        "type": "Feature",
        "geometry": geometry,
        "properties": {
            "objectType": object_type,
            "name": str(found.label),
            "classification": CLASSIFICATION,
            "measurements": {name: v for name, v in measured.items() if isfinite(v)},
        },
    }
