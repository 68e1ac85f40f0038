"""Labels of others that outlast the process: where what is known of their objects is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import zarr
from zarr.storage import LocalStore, MemoryStore

from napari_sam.labels.levels import Levels, check_levels
from napari_sam.labels.ome_zarr import open_labels
from napari_sam.labels.recovery import Recovery, hold_recovery
from napari_sam.labels.save import SavedLabels, open_saved
from napari_sam.labels.store import ObjectStore


@dataclass(frozen=True, eq=False)
class OnDisk:
    """What is known of labels on a disk.

    Parameters
    ----------
    objects : ObjectStore
        The records.
    saved : SavedLabels, optional
        The OME-Zarr labels that they are, with the records in them.
    recovery : Recovery, optional
        Else: the journal in the user's own folder. Nothing but pixels is written into the labels.
    """

    objects: ObjectStore
    saved: SavedLabels | None = None
    recovery: Recovery | None = None

    def release(self) -> None:
        """Let go of it, unused."""
        if self.recovery is not None:
            self.recovery.release()


class Reading:
    """Opens the records of labels once, whoever asks first, and in whatever thread.

    Parameters
    ----------
    levels : sequence of zarr.Array
        See `open_on_disk`.
    """

    def __init__(self, levels: Sequence[zarr.Array[Any]]) -> None:
        self._levels = levels
        self._lock = Lock()
        self._found: OnDisk | None = None

    def result(self) -> OnDisk:
        """Return what `open_on_disk` does."""
        with self._lock:
            if self._found is None:
                self._found = open_on_disk(self._levels)
            return self._found


def outlasts(array: object) -> bool:
    """Whether what is written into an array is still there when the process has died."""
    return isinstance(array, zarr.Array) and not isinstance(array.store, MemoryStore)


def open_on_disk(levels: Sequence[zarr.Array[Any]]) -> OnDisk:
    """Open the records of labels that outlast the process; a change that was cut off is completed.

    Parameters
    ----------
    levels : sequence of zarr.Array
        The labels, or the levels of their pyramid.

    Raises
    ------
    OSError, ValueError
        If they are OME-Zarr labels that cannot be written, or whose journal cannot be read.
    """
    if (group := _group_of(levels[0])) is not None:
        saved = open_saved(group)
        return OnDisk(saved.objects, saved)
    try:
        recovery = hold_recovery(_place(levels[0]), levels[0].shape)
    except OSError:  # another process works on them, or the folder cannot be written
        return OnDisk(ObjectStore())
    return OnDisk(recovery.open(Levels(levels)), recovery=recovery)


def _place(array: zarr.Array[Any]) -> str:
    """Return where an array lies."""
    if isinstance(array.store, LocalStore):
        return str((array.store.root / array.path).resolve())
    return str(array.store_path)


def _group_of(array: zarr.Array[Any]) -> Path | None:
    """Return the OME-Zarr labels that an array is the finest level of, if they can be written."""
    if not isinstance(array.store, LocalStore):
        return None
    folder = array.store.root / array.path
    try:
        pyramid = open_labels(folder.parent)
        check_levels(pyramid.levels)
    except (LookupError, OSError, TypeError, ValueError):  # they are none
        return None
    return folder.parent if folder.parent / pyramid.data.path == folder else None
