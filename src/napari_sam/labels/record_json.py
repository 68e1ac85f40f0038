"""Records of objects as JSON that people can read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from napari_sam.labels.objects import ObjectRecord, to_outline
from napari_sam.prompts import Prompts

SIGNS = {1: "+", 0: "-"}

NO_PROMPTS = Prompts()
"""Shared, as objects that were found automatically are many."""


def record_to_json(record: ObjectRecord) -> dict[str, Any]:
    """Return what JSON can hold; a score that is unknown is null."""
    prompts = record.prompts
    points = zip(prompts.points.tolist(), prompts.labels.tolist(), strict=True)
    entries = {
        "label": int(record.label),
        "plane": [int(index) for index in record.plane],
        "box": [int(side) for side in record.box],
        "area": int(record.area),
        "points": [[y, x, SIGNS[sign]] for (y, x), sign in points],
        "prompt_box": None if prompts.box is None else prompts.box.tolist(),
        "rank": int(record.rank),
        "model": record.model,
        "predicted_iou": _known(record.predicted_iou),
        "stability_score": _known(record.stability_score),
        "reviewed": bool(record.is_reviewed),
    }
    return entries | ({"outline": list(map(list, record.outline))} if record.outline else {})


def record_from_json(entries: Mapping[str, Any]) -> ObjectRecord:
    """Return the record that `record_to_json` was called on.

    Raises
    ------
    LookupError, TypeError, ValueError
        If it is not that of a record.
    """
    y0, x0, y1, x1 = map(int, entries["box"])
    return ObjectRecord(
        label=int(entries["label"]),
        plane=tuple(map(int, entries["plane"])),
        box=(y0, x0, y1, x1),
        area=int(entries["area"]),
        prompts=_prompts(entries["points"], entries["prompt_box"]),
        rank=int(entries["rank"]),
        model=str(entries["model"]),
        predicted_iou=_number(entries["predicted_iou"]),
        stability_score=_number(entries["stability_score"]),
        is_reviewed=bool(entries["reviewed"]),
        outline=to_outline(entries.get("outline", ())),
    )


def _prompts(points: list[list[Any]], box: list[float] | None) -> Prompts:
    if not points and box is None:
        return NO_PROMPTS
    signs = {text: sign for sign, text in SIGNS.items()}
    return Prompts([point[:2] for point in points], [signs[sign] for _, _, sign in points], box)


def _known(score: float) -> float | None:
    return float(score) if math.isfinite(score) else None


def _number(score: float | None) -> float:
    return math.nan if score is None else float(score)
