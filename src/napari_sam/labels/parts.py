"""What objects have on single planes: recorded when they were made, or counted in the labels."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sam.labels.found import PlaneObjects
from napari_sam.labels.objects import ObjectRecord

Parts = NDArray[np.void]
"""(N,) structured array of `part_dtype`, ascending by label and plane; each pair once."""


def part_dtype(n_leading: int) -> np.dtype[np.void]:
    """Return the type of a part in labels with so many axes in front of rows and columns.

    Fields
    ------
    label, area : int64
        Number in the labels; pixels on this plane.
    plane : (n_leading,) int64
        Index of the axes in front of rows and columns.
    box : (4,) int64
        (y0, x0, y1, x1), half open.
    predicted_iou, stability_score : float64
        NaN if unknown.
    is_reviewed : bool
        Whether somebody has accepted it.
    """
    return np.dtype(
        [
            ("label", np.int64),
            ("plane", np.int64, (n_leading,)),
            ("box", np.int64, (4,)),
            ("area", np.int64),
            ("predicted_iou", np.float64),
            ("stability_score", np.float64),
            ("is_reviewed", np.bool_),
        ]
    )


def parts_of(records: Collection[ObjectRecord], n_leading: int) -> Parts:
    """Return what is recorded."""
    rows = [
        (
            record.label,
            record.plane,
            record.box,
            record.area,
            record.predicted_iou,
            record.stability_score,
            record.is_reviewed,
        )
        for record in records
    ]
    parts = np.array(rows, part_dtype(n_leading))
    return parts[part_order(parts)]


def as_parts(found: PlaneObjects, planes: ArrayLike) -> Parts:
    """Return what was found on one plane, (n_leading,), or each on its own, (N, n_leading)."""
    planes = np.asarray(planes, np.int64)
    parts = np.zeros(len(found.labels), part_dtype(planes.shape[-1]))
    parts["label"], parts["plane"] = found.labels, planes
    parts["box"], parts["area"] = found.boxes, found.areas
    parts["predicted_iou"] = parts["stability_score"] = np.nan
    return parts


def merge_parts(counted: Parts, recorded: Parts, *, is_all_counted: bool = False) -> Parts:
    """Join what was counted and what is recorded.

    Of the same label and plane, the record tells all but where it is: others may have painted
    there since.

    Parameters
    ----------
    counted, recorded : structured array
        See `part_dtype`.
    is_all_counted : bool
        Whether everything there is was counted: then what is only recorded is there no more.
    """
    both = np.concatenate([recorded, counted])
    order = part_order(both)  # stable: of two equal ones, the record comes first
    both, is_recorded = both[order], order < len(recorded)
    is_first = _firsts(both)
    first = np.flatnonzero(is_first)
    is_pair = ~np.append(is_first, True)[first + 1]
    merged = both[first]
    for field in ("box", "area"):
        merged[field][is_pair] = both[field][first[is_pair] + 1]
    return merged[is_pair | ~is_recorded[first]] if is_all_counted else merged


def sum_parts(tables: list[Parts]) -> Parts:
    """Join parts of the same label and plane: the box around them, and the sum of their areas."""
    both = np.concatenate(tables)
    both = both[part_order(both)]
    starts = np.flatnonzero(_firsts(both))
    summed = both[starts]
    if len(both):
        summed["area"] = np.add.reduceat(both["area"], starts)
        summed["box"][:, :2] = np.minimum.reduceat(both["box"][:, :2], starts)
        summed["box"][:, 2:] = np.maximum.reduceat(both["box"][:, 2:], starts)
    return summed


def part_order(parts: Parts) -> NDArray[np.intp]:
    """Return how to sort by label and plane; equal ones stay in their order."""
    return np.lexsort((*parts["plane"].T[::-1], parts["label"]))


def _firsts(parts: Parts) -> NDArray[np.bool_]:
    """Return which of sorted parts have another label or plane than the one before."""
    is_first = np.ones(len(parts), bool)
    is_first[1:] = parts["label"][1:] != parts["label"][:-1]
    is_first[1:] |= (parts["plane"][1:] != parts["plane"][:-1]).any(axis=1)
    return is_first
