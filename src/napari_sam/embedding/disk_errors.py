"""What went wrong with the disk, in a sentence."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT}
READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def explained(path: Path, doing: str, what: str = "store") -> Iterator[None]:
    """Say in a sentence what an OSError from the system means for the store at `path`.

    Parameters
    ----------
    path : path
        Of the store.
    doing : str
        What fails, as in "The store cannot be ``written``".
    what : str
        What it is called, if it is something else than a store.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a sentence of our own
            raise
        explanation = type(error)(_sentence(path, doing, what, error))
        explanation.errno = error.errno
        raise explanation from error


def check_there(path: Path) -> None:
    """Raise FileNotFoundError if there is no store at `path` any more."""
    if not os.path.isfile(path / "zarr.json"):
        raise FileNotFoundError(
            f"The store {path} has vanished: bring back its disk or folder, or choose another path."
        )


def _sentence(path: Path, doing: str, what: str, error: OSError) -> str:
    if error.errno in FULL:
        return (
            f"The disk with the {what} {path} is full. What is stored stays good: free some space, "
            f"and go on."
        )
    if error.errno in READ_ONLY:
        return (
            f"The {what} {path} cannot be {doing} ({error.strerror}): change its permissions, or "
            f"choose another path."
        )
    return (
        f"The {what} {path} cannot be {doing} ({error.strerror}). What is stored stays good: check "
        f"the disk, and go on."
    )
