"""One step of work on labels: which records go and come, and which pixels change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.edit import Edit
from napari_sam.labels.objects import ObjectRecord, ObjectTable
from napari_sam.labels.packed_edits import PackedEdits
from napari_sam.labels.recount import edited_parts


@dataclass(frozen=True, eq=False)
class PackedChange:
    """A change in little memory: its pixels apart from the rest."""

    rest: Change
    edits: PackedEdits | None

    def unpack(self) -> Change:
        """Return the change."""
        return replace(self.rest, edits=() if self.edits is None else self.edits.unpack())


@dataclass(frozen=True, eq=False)
class Change:
    """What a commit, a deletion or a review does to labels and to the records of their objects.

    Parameters
    ----------
    drop : tuple of ObjectRecord
        Objects that are no more.
    put : tuple of ObjectRecord
        Objects as they are from now on; one with the same label and plane is replaced.
    edits : tuple of Edit
        The pixels, planned with `plan_mask` or `plan_table`: one for each plane. Empty, if only
        records change.
    """

    drop: tuple[ObjectRecord, ...] = ()
    put: tuple[ObjectRecord, ...] = ()
    edits: tuple[Edit, ...] = ()

    @property
    def n_changed(self) -> int:
        """Number of pixels that get another value."""
        return sum(edit.n_changed for edit in self.edits)

    def inverse(self) -> Change:
        """Return the way back.

        Exact for what `ObjectStore.apply` returns: that names all records which go, those that are
        replaced too.
        """
        return Change(self.put, self.drop, tuple(edit.inverse() for edit in self.edits))

    def packed(self) -> PackedChange:
        """Return the same in little memory."""
        edits = PackedEdits.of(self.edits) if self.edits else None
        return PackedChange(replace(self, edits=()), edits)

    def possible(self, table: ObjectTable, labels: LabelsArray) -> Change:
        """Return what can be done of it with labels as they are now, naming all that goes.

        Objects that something else has been painted over come back as what is left of them.
        """
        keys = dict.fromkeys(record.key for record in (*self.drop, *self.put))
        gone = (table.get(*key) for key in keys)
        edits = tuple(edit.possible(labels) for edit in self.edits)
        put = _left(self.put, self.edits, edits)
        return Change(tuple(record for record in gone if record is not None), put, edits)


def _left(
    records: tuple[ObjectRecord, ...], planned: Sequence[Edit], possible: Sequence[Edit]
) -> tuple[ObjectRecord, ...]:
    """Return records of what edits make of objects, where less is possible than was planned.

    Pixels that hold already what they would get are no less.
    """
    undone = []
    for plan, edit in zip(planned, possible, strict=True):
        if edit.n_changed < plan.n_changed:
            is_other = plan.changed & ~edit.changed & (edit.before != plan.filled())
            undone.append(Edit(plan.region, is_other, np.zeros_like(plan.before), plan.after))
    if not undone:
        return records
    parts = edited_parts(undone)
    lost = {(int(part["label"]), tuple(part["plane"].tolist())): part["area"] for part in parts}
    left = (replace(each, area=each.area - int(lost.get(each.key, 0))) for each in records)
    return tuple(record for record in left if record.area > 0)
