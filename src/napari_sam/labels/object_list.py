"""All objects in labels, a row each: what was counted and what is recorded, kept up to date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.census import Census
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


class ObjectList:
    """The objects of one labels array.

    A change costs what it changes, and a few copies of arrays; not a look at each object. The
    arrays are never changed in place, so a shallow copy keeps what there is now.

    Parameters
    ----------
    shape : tuple of int
        Of the labels.
    census : Census, optional
        What was counted in them.
    records : iterable of ObjectRecord
        What is recorded. Of the same label and plane, it wins over what was counted.

    Attributes
    ----------
    rows : (N,) structured array
        Ascending by label, see `row_dtype`.
    suspicion : (N,) float array
        Of each row.
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
        self._counted: Parts = nothing if census is None else census.parts
        self._recorded = parts_of(list(records), len(shape) - 2)
        self._seams = find_seams(self._counted, shape)
        self._take(self._rows_of(self._counted, self._recorded))

    def apply(self, change: Change) -> None:
        """Take over what a change has done to records and pixels; undoing is a change as well."""
        labels = {record.label for record in (*change.drop, *change.put)}
        if change.edit is not None:
            edited = edited_parts(change.edit)
            now = sum_parts([_select(self._counted, np.unique(edited["label"])), edited])
            labels |= self._count(now[now["area"] > 0], edited)
        self._record(change)
        self._renew(np.array(sorted(labels), np.int64))

    def catch_up(self, changes: Iterable[Change], labels: LabelsArray) -> None:
        """Take over changes that were made while the census was taken.

        It may have seen them or not. So what they touched is counted again, in a box around it.
        """
        changes = list(changes)
        edits = [edited_parts(change.edit) for change in changes if change.edit is not None]
        edited = sum_parts([self._counted[:0], *edits])
        touched = sum_parts([_select(self._counted, np.unique(edited["label"])), edited])
        changed = self._count(read_parts(touched, labels), edited)
        for change in changes:
            self._record(change)
            changed |= {record.label for record in (*change.drop, *change.put)}
        if changed:
            self._renew(np.array(sorted(changed), np.int64))

    def index(self, label: int) -> int | None:
        """Return the row of an object; None if there is none of this label."""
        rows = _rows(self.rows, np.array([label]))
        return int(rows[0]) if len(rows) else None

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
        self._counted = _splice(self._counted, labels, now)
        return set(labels.tolist())

    def _record(self, change: Change) -> None:
        """Take what is recorded now."""
        labels = np.unique([record.label for record in (*change.drop, *change.put)])
        gone = {record.key for record in change.drop}
        gone |= {record.key for record in change.put}  # replaced
        kept = _without(_select(self._recorded, labels), gone)
        now = np.concatenate([kept, parts_of(change.put, len(self.shape) - 2)])
        self._recorded = _splice(self._recorded, labels, now[part_order(now)])

    def _renew(self, labels: NDArray[np.int64]) -> None:
        """Make the rows of some objects anew."""
        parts = _select(self._counted, labels), _select(self._recorded, labels)
        self._take(_splice(self.rows, labels, self._rows_of(*parts)))

    def _rows_of(self, counted: Parts, recorded: Parts) -> Rows:
        return object_rows(self._merge(counted, recorded), self.shape, self._seams)

    def _merge(self, counted: Parts, recorded: Parts) -> Parts:
        is_all_counted = self.census is not None and self.census.is_complete
        return merge_parts(counted, recorded, is_all_counted=is_all_counted)

    def _take(self, rows: Rows) -> None:
        self.rows = rows
        self._usual = UsualSize.of(rows["area"])
        self.suspicion: NDArray[np.float64] = suspicion(rows, self._usual)


def _without(parts: Parts, keys: set[Key]) -> Parts:
    """Return parts but for some; few enough to look at one by one."""
    found = zip(parts["label"].tolist(), map(tuple, parts["plane"].tolist()), strict=True)
    return parts[[key not in keys for key in found]]


def _rows(table: Parts | Rows, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return which rows of a table are of some labels; both ascending."""
    starts = np.searchsorted(table["label"], labels, "left")
    lengths = np.searchsorted(table["label"], labels, "right") - starts
    before = np.cumsum(lengths) - lengths
    return np.arange(lengths.sum()) + np.repeat(starts - before, lengths)


def _select(table: Parts | Rows, labels: NDArray[np.int64]) -> Parts | Rows:
    """Return what a table has of some labels; both ascending."""
    return table[_rows(table, labels)]


def _splice(table: Parts | Rows, labels: NDArray[np.int64], new: Parts | Rows) -> Parts | Rows:
    """Return a table with something else for some labels; all three ascending."""
    spliced = np.concatenate([np.delete(table, _rows(table, labels)), _select(new, labels)])
    return spliced[np.argsort(spliced["label"], kind="stable")]
