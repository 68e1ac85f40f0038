"""Folders that appear whole or not at all, and what killed processes leave behind."""

from __future__ import annotations

import os
import re
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

LEFTOVER = re.compile(r"\.[0-9a-f]{32}\.partial$")
"""The end of the name of what is not finished, here as in zarr's own writing of chunks."""

LEFTOVER_SECONDS = 3600.0
"""Nobody still works on something unfinished that is older."""


def place_folder(target: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder, unless there is one already; of several processes, one wins.

    Parameters
    ----------
    target : path
        The folder that appears when it is complete.
    fill : callable
        Writes the content into the folder that it is given.
    """
    unfinished = target.with_name(f"{target.name}.{uuid.uuid4().hex}.partial")
    try:
        fill(unfinished)
        with suppress(OSError):
            target.rmdir()  # an empty folder may be in the way
        try:
            os.rename(unfinished, target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def remove_leftovers(folder: Path, start: str = "") -> None:
    """Remove what in a folder begins so, is not finished, and is not worked on any more."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(start):
                remove_leftover(entry)


def remove_leftover(entry: os.DirEntry[str]) -> None:
    """Remove a file or folder, if it is unfinished and nobody works on it any more."""
    with suppress(OSError):
        if not LEFTOVER.search(entry.name):
            return
        if time.time() - entry.stat().st_mtime > LEFTOVER_SECONDS:
            if entry.is_dir():
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
