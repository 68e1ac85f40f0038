"""A table with a row of measurements for each object."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from napari_sam.image.image import Image
from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.export.measure import SHAPE, measure
from napari_sam.labels.export.objects import LabeledObject, iter_objects
from napari_sam.labels.export.scores import Scores

Row = dict[str, Any]

BOX = ("y0", "x0", "y1", "x1")


def iter_measurements(
    labels: LabelImage, image: Image | None = None, scores: Scores | None = None
) -> Iterator[Row]:
    """Yield a row for each object, with the names that `columns` lists.

    Without an axis z, that is one row per label and plane, as soon as it is measured. In a stack it
    is one row per label (and time, channel), when all planes have been seen: its volume, centroid,
    box and intensities are those of the whole object, its shape that of the plane where it is
    largest. Areas, volumes and lengths are in physical units, boxes in pixels.

    Parameters
    ----------
    labels : LabelImage
        The labels.
    image : Image, optional
        Of the same shape; its channels' intensities are measured.
    scores : Scores, optional
        Added by label.
    """
    given = scores or Scores.parse(None)
    rows = (_row(found, labels) for found in iter_objects(labels, image))
    for row in _joined(rows, labels) if "z" in labels.axes else rows:
        yield row | given.of(row["label"]) | {"unit": unit_of(labels)}


def columns(
    labels: LabelImage, image: Image | None = None, scores: Scores | None = None
) -> dict[str, type]:
    """Return the names of the columns in their order, and what they hold."""
    given = scores or Scores.parse(None)
    leading = [axis for axis in labels.axes[:-2] if axis != "z"]
    stack = "z" in labels.axes
    integers = ["label", *leading, *(("z0", "z1") if stack else ()), *BOX, "n_pixels"]
    size = ["volume", "centroid_z"] if stack else ["area"]
    floats = [*size, "centroid_y", "centroid_x", *SHAPE]
    for channel in range(0 if image is None else image.n_channels):
        floats += [f"mean_{channel}", f"min_{channel}", f"max_{channel}"]
    numbers = dict.fromkeys(integers, int) | dict.fromkeys([*floats, *given.names], float)
    return {**numbers, "unit": str}


def in_one_unit(labels: LabelImage) -> LabelImage:
    """Return labels as they are; with lengths in pixels, if only some of z, y and x have a unit."""
    units = [unit for axis, unit in zip(labels.axes, labels.units, strict=True) if axis in "zyx"]
    if all(units) or not any(units):
        return labels
    warnings.warn(
        f"The axes {labels.axes!r} have the units {labels.units}: as one is not known, sizes are "
        f"in pixels.",
        stacklevel=2,
    )
    n = len(labels.axes)
    return replace(labels, scale=(1.0,) * n, units=(None,) * n)


def unit_of(labels: LabelImage) -> str:
    """Return the one unit of lengths, "pixel" if it is not known.

    Raises
    ------
    ValueError
        If the axes have different ones.
    """
    pairs = zip(labels.axes, labels.units, strict=True)
    units = {unit or "pixel" for axis, unit in pairs if axis in "zyx"}
    if len(units) > 1:
        raise ValueError(
            f"The axes {labels.axes!r} have the units {labels.units}; expected one unit for z, y "
            f"and x, with the scale in it."
        )
    return units.pop()


def _row(found: LabeledObject, labels: LabelImage) -> Row:
    box = dict(zip(BOX, found.mask.box, strict=True))
    return {"label": found.label, **labels.named(found.plane), **box, **measure(found, labels)}


def _joined(rows: Iterator[Row], labels: LabelImage) -> Iterator[Row]:
    """Join the rows of each object over its planes; what is kept is one row per object."""
    step = labels.scale[labels.axes.index("z")]
    leading = [axis for axis in labels.axes[:-2] if axis != "z"]
    objects: dict[tuple[int, ...], Row] = {}
    for row in rows:
        z, area = row.pop("z"), row.pop("area")
        row |= {"z0": z, "z1": z + 1, "volume": area * step, "centroid_z": z * step, "_area": area}
        key = (row["label"], *(row[axis] for axis in leading))
        objects[key] = _join(objects[key], row) if key in objects else row
    for row in objects.values():
        del row["_area"]
        yield row


def _join(one: Row, other: Row) -> Row:
    """Return the row of an object of which two parts have been measured."""
    larger = max(one, other, key=lambda row: row["_area"])
    weights = one["volume"], other["volume"]
    joined = {}
    for name in one:
        values = one[name], other[name]
        if name in ("y0", "x0", "z0") or name.startswith("min_"):
            joined[name] = min(values)
        elif name in ("y1", "x1", "z1") or name.startswith("max_"):
            joined[name] = max(values)
        elif name in ("n_pixels", "volume"):
            joined[name] = sum(values)
        elif name.startswith(("centroid_", "mean_")):
            joined[name] = float(np.average(values, weights=weights))
        else:
            joined[name] = larger[name]
    return joined
