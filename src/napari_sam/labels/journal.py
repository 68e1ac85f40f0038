"""What happened to labels, line by line, noted before it happens."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.change import Change
from napari_sam.labels.export.new_file import new_file
from napari_sam.labels.growing_file import GrowingFile
from napari_sam.labels.journal_entry import Entry, first_line, iter_entries, read_about
from napari_sam.labels.objects import ObjectTable
from napari_sam.labels.patch import Patch

SPARE_LINES = 1000
"""A journal with so many lines more than four for each object is rewritten when it is opened."""


CONFIRMATION = Entry(is_confirmation=True).to_line()

FIRST = first_line({})
"""The first line of a journal that says nothing else of its labels."""

OVER = "over"
"""In the first line: the name of labels that hold more than the journal tells of. Its changes tell
also what the pixels held before, so that they can be made again in such labels only."""


class ObjectJournal:
    """An append-only file of changes: JSON lines, one for each, and one when its pixels are there.

    A process that is killed at any moment leaves labels and journal that agree once they are opened
    again: a change is lost whole, if its line is not complete, or made whole.

    Attributes
    ----------
    path : path
        Of the file, which is made with the first change.
    table : ObjectTable
        The records as they stood when it was opened.
    n_lines : int
        Lines that it had then.
    """

    def __init__(
        self, path: Path, table: ObjectTable, file: GrowingFile, about: Mapping[str, Any]
    ) -> None:
        self.path = path
        self.table = table
        self.n_lines = 0
        self._file = file
        self._first = first_line(about)
        self._keeps_before = OVER in about
        self._last_start = file.size

    @classmethod
    def open(cls, path: str | os.PathLike[str], labels: LabelsArray) -> ObjectJournal:
        """Open the journal of labels that outlast the process, or begin one.

        A change whose pixels may be half written is written again. Changes that are long past are
        forgotten, but for the records that are still there.

        Parameters
        ----------
        path : path
            Of the journal. If it is not there, it is made with the first change.
        labels : LabelsArray
            What the journal is about.

        Raises
        ------
        OSError
            If it cannot be read.
        ValueError
            If it is no journal, or one of another version, or damaged before its last line. The
            file stays as it is.
        """
        journal, unconfirmed = cls._read(Path(path))
        if unconfirmed is not None:
            unconfirmed.write_over(labels)
            journal.confirm()
        if journal.n_lines > SPARE_LINES + 4 * len(journal.table):
            with suppress(OSError):  # then it stays long
                journal._compact()
        return journal

    @classmethod
    def begin(
        cls, path: str | os.PathLike[str], *, about: Mapping[str, Any] | None = None
    ) -> ObjectJournal:
        """Begin a journal, which is made with the first change.

        Parameters
        ----------
        path : path
            Of the journal; there is nothing yet.
        about : mapping, optional
            What the first line says besides the version.

        Raises
        ------
        OSError
            When the first change comes, if there is a file by then.
        """
        return cls(Path(path), ObjectTable(), GrowingFile(Path(path), 0), about or {})

    @classmethod
    def replay(
        cls, path: str | os.PathLike[str], labels: LabelsArray, *, is_over: bool = False
    ) -> ObjectJournal:
        """Make all changes of a journal again in labels that were lost with their process.

        Parameters
        ----------
        path : path
            Of the journal.
        labels : LabelsArray
            Changed in place.
        is_over : bool
            Whether there is something in the labels already: then only pixels are changed that hold
            what they held before.

        Raises
        ------
        OSError, ValueError
            As `open`.
        """
        for _, entry in iter_entries(Path(path)):
            if entry.patch is not None:
                (entry.patch.write_over if is_over else entry.patch.write)(labels)
        return cls._read(Path(path))[0]

    def append(self, change: Change) -> None:
        """Note a change that is about to be made.

        Raises
        ------
        OSError
            If it cannot be noted; then it must not be made.
        """
        self._last_start = self._append(self._line_of(change))

    def append_made(self, changes: Iterable[Change]) -> None:
        """Note changes that have been made, all at once: the disk is waited for once.

        Raises
        ------
        OSError
            If they cannot be noted; then none is.
        """
        lines = b"".join(self._line_of(change) + CONFIRMATION for change in changes)
        if lines:
            self._append(lines)
            self._last_start = self._file.size

    def confirm(self) -> None:
        """Note that the pixels of the last change are all written."""
        with suppress(OSError):  # then they are written once more when it is opened
            self._file.append(CONFIRMATION, is_synced=False)
        self._last_start = self._file.size

    def retract(self) -> None:
        """Take the last change back, as it was not made."""
        self._file.cut(self._last_start)

    def _line_of(self, change: Change) -> bytes:
        return Entry.of(change, keeps_before=self._keeps_before).to_line()

    def _append(self, lines: bytes) -> int:
        """Write lines, the first one before them if they begin the file; return where."""
        start = self._file.size
        self._file.append(lines if start else self._first + lines, is_synced=True)
        return start

    def _compact(self) -> None:
        """Put one line for each record in place of all that happened."""
        write_journal(self.path, self.table, self._first)
        self._file = GrowingFile(self.path, self.path.stat().st_size)
        self.n_lines = len(self.table)

    @classmethod
    def _read(cls, path: Path) -> tuple[ObjectJournal, Patch | None]:
        """Return the journal, and the last patch, if it is not confirmed."""
        table, size, n_lines = ObjectTable(), 0, 0
        about: dict[str, Any] = {}
        unconfirmed: Patch | None = None
        if path.exists():
            about = read_about(path)
            for end, entry in iter_entries(path):
                size = end
                entry.change_table(table)
                unconfirmed = entry.patch
                n_lines += 1
        journal = cls(path, table, GrowingFile(path, size), about)
        journal.n_lines = n_lines
        return journal, unconfirmed


def write_journal(path: Path, table: ObjectTable, first: bytes = FIRST) -> None:
    """Write a journal that says of each record only that it is there; it takes the place of others.

    Raises
    ------
    OSError
        If it cannot be written. What was there stays.
    """
    with new_file(path, overwrite=True) as unfinished, open(unfinished, "wb") as file:
        file.write(first)
        file.writelines(Entry(put=(record,)).to_line() for record in table)
        file.flush()
        os.fsync(file.fileno())
