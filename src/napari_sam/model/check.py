"""Whether files of weights are what they were and what their publishers describe."""

from __future__ import annotations

import contextlib
from os import PathLike
from pathlib import Path

import pooch

from napari_sam.model import registry
from napari_sam.model.record import Record, read_record, weights_folder, write_record
from napari_sam.model.registry import WeightFile


def check(path: str | PathLike[str]) -> str:
    """Return the SHA-256 of a file of weights, after comparing it with what is known of the file.

    A file in the folder of weights is compared with its record. If it has none, it is compared with
    the publisher's hash, and gets its record now (unless the folder can't be written).

    Raises
    ------
    ValueError
        If the file is not what it was, or not what its publisher describes.
    """
    path = Path(path).absolute()
    found = hash_of(path)
    if path.parent != weights_folder():
        return found
    record = read_record(path)
    if record is None:
        file = published_files().get(path.name)
        if file is not None:
            checked = check_published(path, file)
            with contextlib.suppress(OSError):
                write_record(path, Record(found, path.stat().st_size, str(file.url), checked))
    elif record.sha256 != found:
        raise ValueError(
            f"{path} was changed or damaged since it was installed: expected SHA-256 "
            f"{record.sha256}, found {found}. Remove it and fetch it again."
        )
    return found


def check_published(path: Path, file: WeightFile) -> str:
    """Compare a file with the publisher's hash, and return by what it was checked.

    Raises
    ------
    ValueError
        If it is another file.
    """
    if file.known_hash is None:
        return "first use"
    algorithm, _, expected = file.known_hash.partition(":")
    found = hash_of(path, algorithm)
    if found != expected:
        raise ValueError(
            f"{path} is not the published file: expected {algorithm} {expected}, found {found} "
            f"({path.stat().st_size:,} bytes). It is damaged, unfinished or another version; "
            "remove it and fetch it again, or import it under a name of your own."
        )
    return f"publisher's {algorithm}"


def hash_of(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash of a file, in hexadecimal digits; reads it in blocks."""
    return pooch.file_hash(path, algorithm)


def published_files() -> dict[str, WeightFile]:
    """Return the published files by their name in the folder of weights."""
    return {file.name: file for spec in registry.published() for file in spec.files}
