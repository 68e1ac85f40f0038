"""Journals in the user's own folder, of labels that have no folder which they could lie in.

Those of labels in memory make the labels again after their process has died.
"""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from collections import Counter
from contextlib import suppress
from datetime import datetime
from itertools import filterfalse
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from platformdirs import user_state_path

from napari_sam.labels.array import LabelsArray, check_labels
from napari_sam.labels.chunk_cache import chunk_by_chunk
from napari_sam.labels.growing_file import explained
from napari_sam.labels.journal import OVER, ObjectJournal
from napari_sam.labels.journal_entry import iter_entries, read_about
from napari_sam.labels.objects import ObjectTable
from napari_sam.labels.store import ObjectStore

MAX_DAYS = 30
"""Journals of labels in memory, or of some that are gone, are removed if not touched for longer."""

MAX_BYTES = 10**9
"""Of such journals larger than this in all, the oldest are removed."""

PLACE = "place"
"""In the first line: where the labels lie, if they outlast the process."""


class Recovery:
    """A journal in the user's own folder, held by this process.

    Keep it as long as the labels are in use: until then, and while this process lives, nobody else
    finds the journal.

    Parameters
    ----------
    path : path
        Of the journal.
    lock : FileLock
        Held.
    shape : tuple of int
        Of the labels.
    place : str, optional
        Where they lie. Default: in memory.

    Attributes
    ----------
    over : str or None
        Name of the labels that the changes were made in, if these held something before.
    n_objects : int
        Objects that are recorded; and where the labels held something before, all that have been
        made, removed, or become larger or smaller.
    highest : int
        Highest number among the pixels; the labels must be of a type that holds it.
    when : datetime or None
        Of the last change; None if there was none.
    """

    def __init__(
        self, path: Path, lock: FileLock, shape: tuple[int, ...], place: str | None = None
    ) -> None:
        self.path = path
        self.shape = shape
        self.place = place
        self.over: str | None = None
        self.n_objects = self.highest = 0
        self.when: datetime | None = None
        self._lock = lock

    def begin(self, over: str | None = None) -> ObjectStore:
        """Return a store for new labels, empty, or with what others have put into them.

        Parameters
        ----------
        over : str, optional
            Name of the labels, if they are not empty.
        """
        about = {"shape": list(self.shape), OVER: over, PLACE: self.place}
        said = {name: value for name, value in about.items() if value is not None}
        return ObjectStore(journal=ObjectJournal.begin(self.path, about=said))

    def open(self, labels: LabelsArray) -> ObjectStore:
        """Return a store for labels that outlast the process; see `ObjectJournal.open`.

        A journal that cannot be read is put aside, and another one begun.
        """
        try:
            if self.path.exists():
                return ObjectStore(journal=ObjectJournal.open(self.path, labels))
        except ValueError:
            self.path.rename(self.path.with_name(f"{self.path.stem}-{uuid.uuid4().hex}.jsonl"))
        return self.begin(over="")  # others may write into them before it is opened again

    def apply(self, labels: LabelsArray, *, is_over: bool = False) -> ObjectStore:
        """Make all changes again; the store goes on with the same journal.

        Parameters
        ----------
        labels : LabelsArray
            New and empty.
        is_over : bool
            They hold something: only pixels are changed that hold what they held before.

        Raises
        ------
        OSError
            If the journal cannot be read.
        TypeError, ValueError
            If the labels are none, have another shape, or a type that does not hold the numbers.
            Nothing is written.
        """
        self.check(labels)
        with chunk_by_chunk(labels) as changed:
            journal = ObjectJournal.replay(self.path, changed, is_over=is_over)
        return ObjectStore(journal=journal)

    def check(self, labels: LabelsArray) -> None:
        """Refuse labels in which the changes cannot be made again; see `apply`."""
        check_labels(labels)
        if tuple(labels.shape) != self.shape:
            raise ValueError(
                f"The labels have shape {tuple(labels.shape)}; expected {self.shape}, as they had "
                "before."
            )
        if self.highest > np.iinfo(labels.dtype).max:
            raise ValueError(
                f"The labels are {labels.dtype}, but numbers up to {self.highest} are to be "
                "recovered; make labels of a wider type, such as uint32."
            )

    def discard(self) -> None:
        """Remove the journal: its labels are saved, or nobody wants them any more."""
        _remove(self.path, self._lock)

    def release(self) -> None:
        """Let go of the journal, and leave it for later."""
        self._lock.release()

    def look_through(self) -> None:
        """Find out what can be made again.

        Raises
        ------
        OSError, ValueError
            If the journal cannot be read.
        """
        table, growth = ObjectTable(), Counter[int]()
        for _, entry in iter_entries(self.path):
            entry.change_table(table)
            if entry.patch is not None:
                self.highest = max(self.highest, int(entry.patch.values.max(initial=0)))
                growth.update(entry.patch.growth())
        self.over = read_about(self.path).get(OVER)
        grown = {label for label, n_pixels in growth.items() if n_pixels and label}
        self.n_objects = len(table) if self.over is None else len(grown | table.labels)
        self.when = datetime.fromtimestamp(self.path.stat().st_mtime).astimezone()


def default_folder() -> Path:
    """Return the folder for journals of labels in memory."""
    return user_state_path("napari-sam", appauthor=False) / "recovery"


def new_recovery(
    image_identity: str, shape: tuple[int, ...], folder: str | os.PathLike[str] | None = None
) -> Recovery:
    """Return a journal for new labels in memory; what is too old in the folder is removed.

    Parameters
    ----------
    image_identity : str
        What tells the image from others, such as a hash of some of its pixels.
    shape : tuple of int
        Of the labels.
    folder : path, optional
        Where the journal lies. Default: `default_folder`.

    Raises
    ------
    OSError
        If the folder cannot be made or written.
    """
    return _hold(f"{_key(image_identity, shape)}-{uuid.uuid4().hex}", shape, folder)


def hold_recovery(
    place: str, shape: tuple[int, ...], folder: str | os.PathLike[str] | None = None
) -> Recovery:
    """Return the one journal of labels that lie on a disk, but not in a folder of ours.

    It stays as long as they do, if they lie in a folder.

    Parameters
    ----------
    place : str
        Where they lie: the path of a folder, or else an address.
    shape, folder
        As in `new_recovery`.

    Raises
    ------
    OSError
        As `new_recovery`; also if another process holds it.
    """
    return _hold(_key(place, shape), shape, folder, place)


def find_recovery(
    image_identity: str, shape: tuple[int, ...], folder: str | os.PathLike[str] | None = None
) -> Recovery | None:
    """Return what a process that died has left of labels of an image, the newest first.

    It is held until it is released or discarded.

    Parameters
    ----------
    image_identity, shape, folder
        As in `new_recovery`.
    """
    folder = default_folder() if folder is None else Path(folder)
    found = folder.glob(f"{_key(image_identity, shape)}-*.jsonl")
    for path in sorted(found, key=_touched, reverse=True):
        lock = _lock_of(path)
        with suppress(Timeout, OSError):
            lock.acquire(timeout=0)
        if not lock.is_locked:
            continue
        try:
            recovery = Recovery(path, lock, tuple(shape))
            recovery.look_through()
        except (OSError, ValueError):  # of another version: kept until it is old
            lock.release()
            continue
        if recovery.n_objects:
            return recovery
        recovery.discard()
    return None


def _hold(
    name: str,
    shape: tuple[int, ...],
    folder: str | os.PathLike[str] | None,
    place: str | None = None,
) -> Recovery:
    folder = default_folder() if folder is None else Path(folder)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock_of(path := folder / f"{name}.jsonl")
        lock.acquire(timeout=0)
        with suppress(OSError):  # there is none yet
            os.utime(path)  # in use again, so not old
        _remove_old(folder)
    return Recovery(path, lock, tuple(shape), place)


def _key(image_identity: str, shape: tuple[int, ...]) -> str:
    text = f"{image_identity} {'x'.join(map(str, shape))}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _lock_of(path: Path) -> FileLock:
    return FileLock(path.with_suffix(".lock"), thread_local=False)


def _touched(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0


def _remove_old(folder: Path) -> None:
    """Remove journals that are too old, or too many, unless somebody may want them.

    That is a living process which holds them, or whoever opens the labels again that they are of.
    """
    oldest = time.time() - MAX_DAYS * 24 * 3600
    n_bytes = 0
    journals = {path.with_suffix(".jsonl") for path in folder.iterdir()}
    for path in sorted(filterfalse(_has_labels, journals), key=_touched, reverse=True):
        with suppress(OSError):
            n_bytes += path.stat().st_size
        if _touched(path) >= oldest and n_bytes <= MAX_BYTES:
            continue
        lock = _lock_of(path)
        with suppress(Timeout, OSError):
            lock.acquire(timeout=0)
            _remove(path, lock)


def _has_labels(path: Path) -> bool:
    """Whether a journal is of labels in a folder that is still there, or on a disk that is not."""
    with suppress(OSError, ValueError):
        place = Path(read_about(path).get(PLACE, ""))
        return place.is_absolute() and (place.exists() or not place.parent.exists())
    return False


def _remove(path: Path, lock: FileLock) -> None:
    """Remove a journal whose lock is held, and the lock."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
    lock.release()
    with suppress(OSError):
        Path(lock.lock_file).unlink(missing_ok=True)
