"""All objects in labels, a row each: what was counted and what is recorded, kept up to date."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.census import Census
from napari_sam.labels.growing_array import GrowingArray
from napari_sam.labels.object_rows import Rows, find_seams, object_rows
from napari_sam.labels.objects import Key, ObjectRecord
from napari_sam.labels.parts import (
    Parts,
    merge_parts,
    part_dtype,
    part_order,
    parts_of,
    sum_parts,
)
from napari_sam.labels.recount import edited_parts, read_parts
from napari_sam.labels.suspicion import UsualSize, reasons, suspicion

if TYPE_CHECKING:
    from napari_sam.labels.change import Change

FEW = 8
"""So few labels are looked up one by one; for more, all labels of a table are copied first."""

SHARE_CHANGED = 0.01
"""When this part of the objects has changed, it is measured anew which size is usual."""


class ObjectList:
    """The objects of one labels array.

    A change costs what it changes, and at most a few copies of arrays, if it is not about the last
    object; not a look at each. The arrays are never changed in place, so a shallow copy keeps what
    there is now.

    Parameters
    ----------
    shape : tuple of int
        Of the labels.
    census : Census, optional
        What was counted in them.
    records : iterable of ObjectRecord
        What is recorded. Of the same label and plane, it wins over what was counted.

    """

    def __init__(
        self,
        shape: tuple[int, ...],
        census: Census | None = None,
        records: Iterable[ObjectRecord] = (),
    ) -> None:
        self.shape = shape
        self.census = census
        nothing = np.zeros(0, part_dtype(len(shape) - 2))
        self._counted = GrowingArray(nothing if census is None else census.parts)
        self._recorded = GrowingArray(parts_of(list(records), len(shape) - 2))
        self._seams = find_seams(self._counted.values, shape)
        rows = self._rows_of(self._counted.values, self._recorded.values)
        self._rows, self._suspicion = GrowingArray(rows), GrowingArray(np.zeros(len(rows)))
        self._judge()

    @property
    def rows(self) -> Rows:
        """The objects, (N,), ascending by label; see `row_dtype`."""
        return self._rows.values

    @property
    def suspicion(self) -> NDArray[np.float64]:
        """How suspicious each row is, (N,)."""
        return self._suspicion.values

    def apply(self, change: Change) -> None:
        """Take over what a change has done to records and pixels; undoing is a change as well."""
        labels = {record.label for record in (*change.drop, *change.put)}
        if change.edits:
            edited = edited_parts(change.edits)
            now = sum_parts([_select(self._counted, np.unique(edited["label"])), edited])
            labels |= self._count(now[now["area"] > 0], edited)
        self._record(change)
        self._renew(np.array(sorted(labels), np.int64))

    def catch_up(self, changes: Iterable[Change], labels: LabelsArray) -> None:
        """Take over changes that were made while the census was taken.

        It may have seen them or not. So what they touched is counted again, in a box around it.
        """
        changes = list(changes)
        edits = [edited_parts(change.edits) for change in changes if change.edits]
        edited = sum_parts([self._counted.values[:0], *edits])
        touched = sum_parts([_select(self._counted, np.unique(edited["label"])), edited])
        changed = self._count(read_parts(touched, labels), edited)
        for change in changes:
            self._record(change)
            changed |= {record.label for record in (*change.drop, *change.put)}
        if changed:
            self._renew(np.array(sorted(changed), np.int64))

    def index(self, label: int) -> int | None:
        """Return the row of an object; None if there is none of this label."""
        start, stop = _span(self.rows, label, label)
        return start if start < stop else None

    def reasons(self, index: int) -> list[str]:
        """Say why the object of a row is suspicious."""
        return reasons(self.rows, index, self._usual)

    def parts(self, label: int) -> Parts:
        """Return what an object has on its planes."""
        wanted = np.array([label])
        return self._merge(_select(self._counted, wanted), _select(self._recorded, wanted))

    def _count(self, now: Parts, edited: Parts) -> set[int]:
        """Take what is counted now of edited objects; return their labels."""
        labels = np.unique(edited["label"])
        self._counted = _splice(self._counted, labels, now)[0]
        return set(labels.tolist())

    def _record(self, change: Change) -> None:
        """Take what is recorded now."""
        labels = np.unique([record.label for record in (*change.drop, *change.put)])
        gone = {record.key for record in change.drop}
        gone |= {record.key for record in change.put}  # replaced
        kept = _without(_select(self._recorded, labels), gone)
        now = np.concatenate([kept, parts_of(change.put, len(self.shape) - 2)])
        self._recorded = _splice(self._recorded, labels, now[part_order(now)])[0]

    def _renew(self, labels: NDArray[np.int64]) -> None:
        """Make the rows of some objects anew."""
        parts = _select(self._counted, labels), _select(self._recorded, labels)
        self._rows, (start, stop), n_new = _splice(self._rows, labels, self._rows_of(*parts))
        self._n_changed += len(labels)
        if self._n_changed > SHARE_CHANGED * len(self.rows):
            self._judge()
        else:
            new = suspicion(self.rows[start : start + n_new], self._usual)
            self._suspicion = self._suspicion.splice(start, stop, new)

    def _rows_of(self, counted: Parts, recorded: Parts) -> Rows:
        return object_rows(self._merge(counted, recorded), self.shape, self._seams)

    def _merge(self, counted: Parts, recorded: Parts) -> Parts:
        is_all_counted = self.census is not None and self.census.is_complete
        return merge_parts(counted, recorded, is_all_counted=is_all_counted)

    def _judge(self) -> None:
        """Say what is usual, and how suspicious each object is."""
        self._n_changed = 0
        self._usual = UsualSize.of(self.rows["area"])
        self._suspicion = GrowingArray(suspicion(self.rows, self._usual))


def _without(parts: Parts, keys: set[Key]) -> Parts:
    """Return parts but for some; few enough to look at one by one."""
    found = zip(parts["label"].tolist(), map(tuple, parts["plane"].tolist()), strict=True)
    return parts[[key not in keys for key in found]]


def _span(rows: Parts | Rows, first: int, last: int) -> tuple[int, int]:
    """Return where rows of the labels from `first` to `last` begin and end; rows ascending."""
    return bisect_left(rows["label"], first), bisect_right(rows["label"], last)


def _indices(rows: Parts | Rows, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which rows are of some labels; both ascending."""
    if len(labels) <= FEW:
        spans = [np.arange(*_span(rows, label, label)) for label in labels.tolist()]
        return np.concatenate([np.zeros(0, np.int64), *spans])
    starts = np.searchsorted(rows["label"], labels, "left")
    lengths = np.searchsorted(rows["label"], labels, "right") - starts
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def _select(table: GrowingArray, labels: NDArray[np.int64]) -> Parts | Rows:
    """Return what a table has of some labels; both ascending."""
    return table.values[_indices(table.values, labels)]


def _splice(
    table: GrowingArray, labels: NDArray[np.int64], new: Parts | Rows
) -> tuple[GrowingArray, tuple[int, int], int]:
    """Return a table with something else for some labels; all three ascending.

    And where it differs: the first row and that behind the last, as they were, and how many rows
    are there instead.
    """
    if not len(labels):
        return table, (0, 0), 0
    start, stop = _span(table.values, int(labels[0]), int(labels[-1]))
    between = table.values[start:stop]
    both = np.concatenate([np.delete(between, _indices(between, labels)), new])
    both = both[np.argsort(both["label"], kind="stable")]
    return table.splice(start, stop, both), (start, stop), len(both)
