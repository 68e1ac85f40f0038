"""The folder of weights, and the record that stands beside each file in it."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import uuid4


def weights_folder() -> Path:
    """Return where downloaded and imported weights are kept; it need not exist.

    The environment variable ``NAPARI_SAM_MODELS`` names it, else it is in the user's cache folder.
    """
    named = os.environ.get("NAPARI_SAM_MODELS")
    if named:
        return Path(named).expanduser().absolute()
    return _default_folder()


@cache  # asked for some two hundred times when a window lists the models
def _default_folder() -> Path:
    import pooch

    return Path(pooch.os_cache("napari-sam")) / "models"


def converted_folder(weights_hash: str) -> Path:
    """Return where the forms of an image encoder are kept that OpenVINO made of some weights."""
    return weights_folder() / "openvino" / weights_hash[:32]


def make_folder() -> None:
    """Make the folder of weights, if it isn't there."""
    folder = weights_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        writable = os.access(folder, os.W_OK)
    except OSError as error:
        raise OSError(f"{cant_write(folder)} {error}") from error
    if not writable:
        raise PermissionError(cant_write(folder))


def cant_write(folder: Path) -> str:
    """Return what to do about a folder that can't be written."""
    return (
        f"The folder of weights {folder} can't be written. Make it writable, or name another one "
        "in the environment variable NAPARI_SAM_MODELS."
    )


def now() -> str:
    """Return the time in ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Record:
    """What was known about a file of weights when it was installed.

    Parameters
    ----------
    sha256 : str
        64 hexadecimal digits.
    size_bytes : int
        Size of the file.
    url : str
        Where it came from, or ``"imported"``.
    checked : str
        What it was compared with: ``"publisher's sha256"`` (or ``md5``, ``xxh128``), or
        ``"first use"`` where nobody published a hash.
    date : str
        When, in ISO 8601.
    model : dict, optional
        For a model of the user's own: its name, description, architecture and conversion.
    """

    sha256: str
    size_bytes: int
    url: str
    checked: str
    date: str = field(default_factory=now)
    model: dict[str, str] | None = None


def record_path(path: Path) -> Path:
    """Return where the record of a file is."""
    return path.with_name(f"{path.name}.json")


def write_record(path: Path, record: Record) -> None:
    """Write the record of a file, whole or not at all."""
    write_atomically(record_path(path), json.dumps(asdict(record), indent=2) + "\n")


def write_atomically(path: Path, text: str) -> None:
    """Write a small text file, whole or not at all."""
    part = path.with_name(f"{path.name}.{uuid4().hex}.tmp")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def read_record(path: Path) -> Record | None:
    """Return the record of a file, or None if it has none.

    Raises
    ------
    ValueError
        If there is one that can't be read.
    """
    beside = record_path(path)
    try:
        return Record(**json.loads(beside.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"The record {beside} is damaged; remove it, and the file is checked anew."
        ) from error
