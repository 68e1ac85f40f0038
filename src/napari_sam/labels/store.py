"""Labels and the records of their objects, changed together, and noted before they are."""

from __future__ import annotations

from contextlib import suppress

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.change import Change
from napari_sam.labels.growing_file import explained
from napari_sam.labels.journal import ObjectJournal
from napari_sam.labels.objects import ObjectTable


class ObjectStore:
    """The one way to change labels whose objects have records.

    Parameters
    ----------
    table : ObjectTable, optional
        The records that there are. Default: those of the journal, or none.
    journal : ObjectJournal, optional
        Where each change is noted before it is made. Default: nowhere, so that nothing outlives
        the process.

    Attributes
    ----------
    table : ObjectTable
        The records after all changes.
    journal : ObjectJournal or None
        Can be set, when labels move to a file.
    """

    def __init__(
        self, table: ObjectTable | None = None, journal: ObjectJournal | None = None
    ) -> None:
        if table is None:
            table = ObjectTable() if journal is None else journal.table
        self.table = table
        self.journal = journal

    def apply(self, change: Change, labels: LabelsArray) -> Change:
        """Make a change: note it in the journal, write the pixels, then change the records.

        Pixels that something else has painted since the change was planned, or made, are left
        alone. To undo, apply the inverse of what this returns; to redo, apply that again.

        Parameters
        ----------
        change : Change
            What to do.
        labels : LabelsArray
            What the pixels are written into, and where a viewer sees them.

        Returns
        -------
        Change
            What was done.

        Raises
        ------
        OSError
            If the journal or the labels cannot be written. Neither they nor the records change.
        """
        done = change.possible(self.table, labels)
        if self.journal is not None:
            self.journal.append(done)
        try:
            with explained("the labels"):
                for edit in done.edits:
                    edit.write(labels)
        except BaseException:
            self._take_back(done, labels)
            raise
        if self.journal is not None and done.edits:
            self.journal.confirm()
        self.table.change(drop=done.drop, put=done.put)
        return done

    def _take_back(self, done: Change, labels: LabelsArray) -> None:
        """Put back, as far as possible, what was written before the disk refused the rest."""
        for edit in done.edits:
            with suppress(Exception):
                edit.inverse().write(labels)
        if self.journal is not None:
            self.journal.retract()
