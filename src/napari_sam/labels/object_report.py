"""The list of objects for other programs: a line of text for each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from napari_sam.labels.object_list import ObjectList

BOX = ("y0", "x0", "y1", "x1")


def report_columns(objects: ObjectList) -> dict[str, type]:
    """Return the names of the columns in their order, and what they hold."""
    axes = _leading(objects)
    planes = [f"{axis}{end}" for axis in axes for end in (0, 1)]
    integers = dict.fromkeys(["label", *planes, "n_planes", *BOX, "n_pixels"], int)
    scores = dict.fromkeys(["predicted_iou", "stability", "suspicion"], float)
    return {**integers, **scores, "reviewed": int, "why": str}


def iter_report(objects: ObjectList, order: Iterable[int]) -> Iterator[dict[str, Any]]:
    """Yield the columns of some rows, in pixels; planes and boxes are half open."""
    axes = _leading(objects)
    for index in order:
        row = objects.rows[index]
        planes: dict[str, int] = {}
        for axis, first, last in zip(axes, row["first"], row["last"], strict=True):
            planes |= {f"{axis}0": int(first), f"{axis}1": int(last) + 1}
        yield {
            "label": int(row["label"]),
            **planes,
            "n_planes": int(row["n_planes"]),
            **dict(zip(BOX, row["box"].tolist(), strict=True)),
            "n_pixels": int(row["area"]),
            "predicted_iou": float(row["predicted_iou"]),
            "stability": float(row["stability_score"]),
            "suspicion": round(float(objects.suspicion[index]), 4),
            "reviewed": int(row["is_reviewed"]),
            "why": ", ".join(objects.reasons(index)),
        }


def _leading(objects: ObjectList) -> str:
    """Return letters for the axes in front of rows and columns, as images have them."""
    return "tz"[-n_leading:] if (n_leading := len(objects.shape) - 2) else ""
