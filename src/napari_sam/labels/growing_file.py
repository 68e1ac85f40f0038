"""A file that grows by whole lines."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT}


class GrowingFile:
    """Lines are written whole, or not at all; the file is made when the first one comes.

    It is open only while a line is written.

    Parameters
    ----------
    path : path
        Of the file.
    size : int
        Bytes that are good; what is behind them is torn, and goes when the next line comes.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self._length = path.stat().st_size if path.exists() else 0

    def append(self, line: bytes, *, is_synced: bool) -> None:
        """Write a line; the time it takes does not depend on how many there are.

        Parameters
        ----------
        line : bytes
            With its end.
        is_synced : bool
            Whether to wait until it is on the disk, so that it outlasts a power cut. What is only
            written outlasts the process.

        Raises
        ------
        OSError
            If it cannot be written, or another program has changed the file. No part of the line
            stays.
        """
        with explained(self.path), FileIO(self.path, "r+", opener=_open_or_make) as file:
            self._check_ours(file)
            try:
                self._write(file, line)
                if is_synced:
                    os.fsync(file.fileno())
            except BaseException:
                self._cut(file, self.size)
                raise
        self.size = self._length = self.size + len(line)

    def cut(self, size: int) -> None:
        """Take back what is behind `size` bytes; if the disk refuses now, before the next line."""
        self.size = size
        with suppress(OSError), FileIO(self.path, "r+") as file:
            self._cut(file, size)

    def _cut(self, file: FileIO, size: int) -> None:
        with suppress(OSError):
            file.truncate(size)
        self._length = os.fstat(file.fileno()).st_size

    def _write(self, file: FileIO, line: bytes) -> None:
        if self._length > self.size:
            file.truncate(self.size)
        file.seek(self.size)
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _check_ours(self, file: FileIO) -> None:
        found = os.fstat(file.fileno()).st_size
        if found != self._length:
            raise OSError(
                f"Nothing was changed, as {self.path} has been changed by another program: it has "
                f"{found} bytes, expected {self._length}. Close the labels in one of them, and "
                "open them again."
            )


def _open_or_make(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o666)


@contextmanager
def explained(what: object) -> Iterator[None]:
    """Say in a sentence that the disk refused to write something, and why."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # a sentence of our own
            raise
        reason = (
            "the disk is full: free some space"
            if error.errno in FULL
            else f"{error.strerror}: check the disk and its permissions"
        )
        sentence = type(error)(
            f"Nothing was changed, as {what} cannot be written, {reason}, and try again."
        )
        sentence.errno = error.errno
        raise sentence from error
