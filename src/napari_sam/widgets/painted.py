"""What was painted by hand, to be painted again by a script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.edit import Edit
from napari_sam.labels.packed_edits import PackedEdits
from napari_sam.masks.runs import Box, to_runs
from napari_sam.widgets.recipe import call_text

Plane: TypeAlias = tuple[int, ...]

MOST_PX = 2048**2
"""Strokes that lie within so many pixels are told together; a single one may be larger."""


@dataclass(frozen=True)
class Painted:
    """Pixels of one plane that were painted, or taken back, by hand.

    Parameters
    ----------
    serial : int
        Commands and strokes are numbered through.
    labels : str
        The name of the labels in the script.
    plane : tuple of int
        Of the labels.
    edits : PackedEdits
        What changed: one edit.
    is_firm : bool
        Whether a pixel that was painted back to what it was is painted all the same, as it may
        have been something else when the script comes to it.
    """

    serial: int
    labels: str
    plane: Plane
    edits: PackedEdits
    is_firm: bool = False

    @classmethod
    def of(cls, serial: int, labels: str, edit: Edit, *, is_firm: bool = False) -> Painted:
        """Note an edit."""
        plane: Any = edit.region[:-2]
        return cls(serial, labels, plane, PackedEdits.of((edit,)), is_firm)

    @property
    def edit(self) -> Edit:
        """What changed."""
        return self.edits.unpack()[0]

    def touched(self, edit: Edit) -> NDArray[np.bool_]:
        """Return which pixels of the region of another edit were painted."""
        height, width = edit.changed.shape
        inside = np.zeros((height, width), bool)
        mine = self.edit
        if mine.region[:-2] != edit.region[:-2]:
            return inside
        (y0, x0), (v0, u0) = _corner(mine), _corner(edit)
        rows, columns = np.nonzero(mine.changed)
        rows, columns = rows + y0 - v0, columns + x0 - u0
        is_there = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        inside[rows[is_there], columns[is_there]] = True
        return inside


def iter_paint_calls(strokes: Iterable[Painted], layer: str | None) -> Iterator[str]:
    """Yield commands that paint what some strokes, one after the other, left on one plane.

    Parameters
    ----------
    strokes : iterable of Painted
        On the same plane of the same labels; at least one.
    layer : str or None
        The labels as an expression; None: those of the session.
    """
    for near in _iter_near(strokes):
        yield from _iter_calls(near, layer)


def _iter_near(strokes: Iterable[Painted]) -> Iterator[list[Painted]]:
    """Yield strokes in their order, as many at a time as lie close together."""
    near, low, high = list[Painted](), np.zeros(2, int), np.zeros(2, int)
    for stroke in strokes:
        edit = stroke.edit
        start = np.array(_corner(edit))
        end = start + edit.changed.shape
        if near and np.prod(np.maximum(high, end) - np.minimum(low, start)) > MOST_PX:
            yield near
            near = []
        low, high = (np.minimum(low, start), np.maximum(high, end)) if near else (start, end)
        near.append(stroke)
    if near:
        yield near


def _iter_calls(strokes: list[Painted], layer: str | None) -> Iterator[str]:
    corner, before, after, is_painted = _composed([stroke.edit for stroke in strokes])
    if not any(stroke.is_firm for stroke in strokes):
        is_painted &= before != after
    plane = strokes[0].plane or None
    for label in np.unique(after[is_painted]).tolist():
        pixels = is_painted & (after == label)
        rows, columns = (np.flatnonzero(pixels.any(axis=axis)) for axis in (1, 0))
        y0, y1, x0, x1 = (
            int(edge) for edge in (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)
        )
        box: Box = (y0 + corner[0], x0 + corner[1], y1 + corner[0], x1 + corner[1])
        runs = to_runs(pixels[y0:y1, x0:x1])
        where = "" if layer is None else f", layer={layer}"
        yield call_text("session.paint", label, box, runs, plane=plane)[:-1] + f"{where})"


def _composed(
    edits: list[Edit],
) -> tuple[tuple[int, int], NDArray[np.generic], NDArray[np.generic], NDArray[np.bool_]]:
    """Return the corner of all edits, what was there before and after, and which pixels changed."""
    corners = np.array([_corner(edit) for edit in edits])
    ends = corners + [edit.changed.shape for edit in edits]
    y0, x0 = corners.min(axis=0).tolist()
    shape = tuple((ends.max(axis=0) - (y0, x0)).tolist())
    dtype = np.result_type(*(edit.before.dtype for edit in edits))
    before, after = np.zeros((2, *shape), dtype)
    is_painted = np.zeros(shape, bool)
    for (y, x), edit in zip(corners.tolist(), edits, strict=True):
        height, width = edit.changed.shape
        here = (slice(y - y0, y - y0 + height), slice(x - x0, x - x0 + width))
        is_new = edit.changed & ~is_painted[here]
        before[here][is_new] = edit.before[is_new]
        after[here][edit.changed] = np.broadcast_to(edit.after, edit.changed.shape)[edit.changed]
        is_painted[here] |= edit.changed
    return (y0, x0), before, after, is_painted


def _corner(edit: Edit) -> tuple[int, int]:
    *_, rows, columns = edit.region
    return rows.start or 0, columns.start or 0  # type: ignore[union-attr]
