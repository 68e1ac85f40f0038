"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def new_file(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Hand out a path of the same name in a folder beside, and move the file when it is complete.

    Parameters
    ----------
    path : path
        The file that appears.
    overwrite : bool
        Whether it may be there already; it stays until the new one is complete.

    Raises
    ------
    FileExistsError
        If it is there and may not be replaced.
    OSError
        If the folder is missing, cannot be written or is full; nothing stays of the new file.
    """
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; choose another name, or pass overwrite=True.")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; choose the name of a file.")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.absolute().parent}; make it first.")
    folder = path.with_name(f".{uuid.uuid4().hex}.partial")
    unfinished = folder / path.name
    try:
        folder.mkdir()
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        if error.errno is None:  # a sentence of our own
            raise
        reason = (
            "the disk is full: free some space"
            if error.errno in FULL
            else f"{error.strerror}: check the disk and its permissions"
        )
        explained = type(error)(f"{path} cannot be written, {reason}, and try again.")
        explained.errno = error.errno
        raise explained from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
