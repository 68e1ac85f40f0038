"""What one line of a journal says, and how a journal is read."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_sam.labels.change import Change
from napari_sam.labels.objects import Key, ObjectRecord, ObjectTable
from napari_sam.labels.patch import Patch
from napari_sam.labels.record_json import record_from_json, record_to_json

VERSION = 1

FORMAT = "napari_sam_objects"
"""The first word of a journal; its value is the version."""

CONFIRMED = {"written": True}

UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, zlib.error)
"""What is raised for a line that is not as it was written."""


@dataclass(frozen=True)
class Entry:
    """One line: a change, or that the pixels of the change before are written.

    Parameters
    ----------
    drop : tuple of Key
        Records that go.
    put : tuple of ObjectRecord
        Records that come.
    patch : Patch, optional
        The pixels.
    is_confirmation : bool
        Whether it only says that the pixels of the line before are written.
    """

    drop: tuple[Key, ...] = ()
    put: tuple[ObjectRecord, ...] = ()
    patch: Patch | None = None
    is_confirmation: bool = False

    @classmethod
    def of(cls, change: Change, *, keeps_before: bool = False) -> Entry:
        """Return what is to be noted of a change; maybe also what the pixels held before."""
        drop = tuple(record.key for record in change.drop)
        patch = Patch.of(change.edits, keeps_before=keeps_before) if change.edits else None
        return cls(drop, change.put, patch)

    def change_table(self, table: ObjectTable) -> None:
        """Change the records as the line says."""
        found = (table.get(*key) for key in self.drop)
        table.change(drop=[record for record in found if record is not None], put=self.put)

    def to_line(self) -> bytes:
        """Return the line of the file."""
        if self.is_confirmation:
            return to_line(CONFIRMED)
        entries: dict[str, Any] = {
            "drop": [[int(label), list(map(int, plane))] for label, plane in self.drop],
            "put": [record_to_json(record) for record in self.put],
        }
        if self.patch is not None:
            entries["edit"] = self.patch.to_json()
        return to_line(entries)

    @classmethod
    def from_line(cls, line: bytes) -> Entry:
        """Return the entry that `to_line` was called on.

        Raises
        ------
        one of UNREADABLE
            If it is not that of an entry.
        """
        entries = _parse(line)
        if entries == CONFIRMED:
            return cls(is_confirmation=True)
        return cls(
            tuple((int(label), tuple(map(int, plane))) for label, plane in entries["drop"]),
            tuple(map(record_from_json, entries["put"])),
            Patch.from_json(entries["edit"]) if "edit" in entries else None,
        )


def to_line(entries: Mapping[str, Any]) -> bytes:
    """Return a line of JSON with its end."""
    return json.dumps(entries, allow_nan=False, ensure_ascii=False).encode() + b"\n"


def first_line(about: Mapping[str, Any]) -> bytes:
    """Return the line that a journal begins with.

    Parameters
    ----------
    about : mapping
        What else it says of the labels.
    """
    return to_line({FORMAT: VERSION, **about})


def read_about(path: Path) -> dict[str, Any]:
    """Return what the first line of a journal says; empty if there is no line yet.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no journal, or one of another version.
    """
    with open(path, "rb") as file:
        line = file.readline()
    try:
        about = _parse(line)
    except UNREADABLE:
        about = {}
        if first_line({})[: len(line)] == line or not line.strip(b"\0"):
            return about
    if FORMAT not in about:
        raise ValueError(f"{path} is no journal of objects. Move it away to go on without it.")
    if about[FORMAT] != VERSION:
        raise ValueError(
            f"{path} is a journal of version {about[FORMAT]}, expected {VERSION}: open it with the "
            "napari-sam that wrote it, or move it away to go on without the prompts of its objects."
        )
    return about


def iter_entries(path: Path) -> Iterator[tuple[int, Entry]]:
    """Yield the entries of a journal, each with the size of the file up to its end.

    A last line that is torn is left out.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is no journal, or one of another version, or a line before the last is damaged.
    """
    if not read_about(path):
        return
    with open(path, "rb") as file:
        end = len(file.readline())
        damaged: tuple[int, Exception] | None = None
        for number, line in enumerate(file, 2):
            if damaged is not None:
                raise ValueError(
                    f"Line {damaged[0]} of {path} is damaged ({damaged[1]}). Repair it, or move "
                    "the file away to go on without the prompts of its objects."
                ) from damaged[1]
            try:
                entry = Entry.from_line(line)
            except UNREADABLE as error:
                damaged = number, error
            else:
                end += len(line)
                yield end, entry


def _parse(line: bytes) -> dict[str, Any]:
    """Return the entries of a whole line."""
    if not line.endswith(b"\n"):
        raise ValueError("it has no end")
    entries = json.loads(line)
    if not isinstance(entries, dict):
        raise ValueError("it is no object")
    return entries
