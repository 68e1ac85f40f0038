"""Labels as COCO or SA-1B JSON, each mask run-length encoded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isnan, prod
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.export.objects import LabeledObject, iter_objects
from napari_sam.labels.export.scores import Scores
from napari_sam.masks.run_length import mask_to_rle


def write_coco(labels: LabelImage, path: Path, scores: Scores) -> None:
    """Write one image per plane, and one annotation per object and plane, as COCO has them.

    An image has the name of its file, with the index of the plane if there are several; or that of
    the labels, if they don't tell of which image they are. Beyond COCO, an annotation has the
    object's "label" and the scores as SA-1B names them.
    """
    size = dict(zip(("height", "width"), labels.shape_yx, strict=True))
    images = [
        {"id": number, **size, "file_name": _file_name(labels, path.stem, plane)}
        for number, plane in enumerate(labels.planes(), start=1)
    ]
    category = {"id": 1, "name": "object", "supercategory": "object"}
    head = {"info": {"description": path.stem}, "images": images, "categories": [category]}
    annotations = (
        {**annotation, "image_id": _image_id(labels, found), "category_id": 1, "iscrowd": 0}
        for found, annotation in _iter_annotations(labels, scores)
    )
    _write(path, head, annotations)


def write_sa1b(labels: LabelImage, path: Path, scores: Scores) -> None:
    """Write the objects of one plane as the files of SA-1B have them.

    Raises
    ------
    ValueError
        If there are several planes.
    """
    if prod(labels.data.shape[:-2]) != 1:
        raise ValueError(
            f"The labels have shape {tuple(labels.data.shape)}, and a file of SA-1B holds one "
            f"plane; choose one, or write COCO (.json)."
        )
    height, width = labels.shape_yx
    image = {
        "image_id": 1,
        "width": width,
        "height": height,
        "file_name": _file_name(labels, path.stem.removesuffix(".sa1b")),
    }
    crop = {"crop_box": [0, 0, width, height]}
    annotations = ({**annotation, **crop} for _, annotation in _iter_annotations(labels, scores))
    _write(path, {"image": image}, annotations)


def _iter_annotations(
    labels: LabelImage, scores: Scores
) -> Iterator[tuple[LabeledObject, dict[str, Any]]]:
    for number, found in enumerate(iter_objects(labels), start=1):
        y0, x0, y1, x1 = found.mask.box
        yield (
            found,
            {
                "id": number,
                "label": found.label,
                "segmentation": mask_to_rle(found.mask, labels.shape_yx),
                "bbox": [x0, y0, x1 - x0, y1 - y0],
                "area": found.mask.area,
                **_scores(scores.of(found.label)),
            },
        )


def _scores(given: dict[str, float]) -> dict[str, Any]:
    """Return scores under the names of SA-1B; those that are missing are left out."""
    known = {name: value for name, value in given.items() if not isnan(value)}
    named: dict[str, Any] = {}
    if "predicted_iou" in known:
        named["predicted_iou"] = known["predicted_iou"]
    if "stability" in known:
        named["stability_score"] = known["stability"]
    if "point_x" in known and "point_y" in known:
        named["point_coords"] = [[known["point_x"], known["point_y"]]]
    return named


def _file_name(labels: LabelImage, default: str, plane: tuple[int, ...] = ()) -> str:
    image = Path(labels.source or "")
    index = [f"{axis}{i}" for axis, i in labels.named(plane).items()]
    return "_".join([image.stem or default, *index]) + image.suffix


def _image_id(labels: LabelImage, found: LabeledObject) -> int:
    leading = labels.data.shape[:-2]
    return 1 + (int(np.ravel_multi_index(found.plane, leading)) if leading else 0)


def _write(path: Path, head: dict[str, Any], annotations: Iterator[dict[str, Any]]) -> None:
    """Write annotations one by one as the last list of a JSON object."""
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "annotations": [')
        for number, annotation in enumerate(annotations):
            file.write((",\n" if number else "\n") + json.dumps(annotation))
        file.write("\n]}\n")
