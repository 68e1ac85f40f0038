"""Reading files of weights without ever running code that is in them.

Torch's files are pickles, which may name any Python function and have it called. Torch's own
reader for weights refuses every name but those that rebuild tensors. Files that micro-sam writes
while it trains also name classes of the training, beside the weights: in their place the reader
gets classes that do nothing (`InertObject`), whatever they are called with. The real ones are
neither imported nor run.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable, Collection
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

_READING = Lock()
"""Torch keeps one list, for all threads, of the classes that may be made. While inert ones are in
it, no other file is read."""


class FileContent(NamedTuple):
    """What a file holds, and the names of the classes and functions that were left out."""

    content: object
    foreign: tuple[str, ...] = ()


class InertObject:
    """Takes the place of any foreign object, and ignores what it is made of."""

    def __new__(cls, *_: Any) -> InertObject:  # noqa: D102
        return super().__new__(cls)

    def __init__(self, *_: Any) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def read_file(path: str | PathLike[str]) -> FileContent:
    """Read a ``.safetensors`` file or one that torch wrote (``.pth``, ``.pt``).

    The content decides about the format, not the name. Where the format allows it, the tensors are
    mapped from the file, not yet in memory.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or of another format, or holds what cannot be read without running
        code.
    """
    path = Path(path)
    if not path.is_file():
        what = f"{path} is a folder" if path.is_dir() else f"There is no file {str(path)!r}"
        raise FileNotFoundError(f"{what}; expected a file of weights.")
    with path.open("rb") as file:
        head = file.read(9)
    try:
        return reader(head)(path)
    except _OtherFormat as error:
        raise ValueError(f"{path.name} {error}") from None
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = f"the Python object {found[1]}" if found else "Python objects, or is damaged"
        raise ValueError(
            f"{path.name} holds {what}, which cannot be left out safely; expected named tensors. "
            "Nothing of it was run. Ask for the weights alone, as a state_dict or .safetensors."
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        reason = str(error).partition("\n")[0].rstrip(".") or "it ends too early"
        raise ValueError(
            f"{path.name} is damaged or incomplete ({path.stat().st_size:,} bytes): {reason}."
        ) from error


class _OtherFormat(Exception):
    """The file is of another format; says which."""


def reader(head: bytes) -> Callable[[Path], FileContent]:
    """Return the function that reads files which begin like this."""
    if head[8:] == b"{":
        return read_safetensors
    if head[:2] == b"PK":
        return read_torch_zip
    if head[:2] == b"\x80\x02":
        return read_old_torch_file
    what = "is empty" if not head else f"is not a file of weights: it begins with {head!r}"
    if head[:1] == b"\x80":
        what = "is not a file of weights but another Python pickle, of which nothing was run"
    raise _OtherFormat(f"{what}; expected a .safetensors file or one written by torch.save.")


def read_safetensors(path: Path) -> FileContent:
    """Read a file that can hold nothing but named tensors."""
    return FileContent(safetensors.torch.load_file(path))


def read_torch_zip(path: Path) -> FileContent:
    """Read a torch file, mapped into memory, after comparing its checksums (torch doesn't)."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        check_is_torch_zip(names)
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise _OtherFormat(
                "was packed again, with compression, which torch would take for the numbers "
                "themselves; expected the file as torch.save wrote it."
            )
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of its part {damaged} is wrong")
    with _READING:
        foreign = sorted(get_unsafe_globals_in_checkpoint(path))
        with safe_globals([inert_class(name) for name in foreign]):
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return FileContent(content, tuple(foreign))


def check_is_torch_zip(names: Collection[str]) -> None:
    """Raise unless a zip archive with files of these names is one that torch.save wrote."""
    inside = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inside:
        raise _OtherFormat(
            "is a TorchScript program, which would have to be run; expected weights: save the "
            "state_dict() of the model."
        )
    if "data.pkl" not in inside:
        raise _OtherFormat(
            f"is a zip archive of other things: {', '.join(sorted(names)[:3])}; expected weights. "
            "If they are in it, unpack it first."
        )


def read_old_torch_file(path: Path) -> FileContent:
    """Read a torch file of the form before version 1.6."""
    with _READING:
        return FileContent(torch.load(path, map_location="cpu", weights_only=True))


def inert_class(full_name: str) -> type:
    """Return a class that does nothing, under the name of another.

    The reader fills plain containers only, so a `defaultdict` becomes one.
    """
    module, _, name = full_name.rpartition(".")
    names = {"__module__": module, "__qualname__": name}
    if full_name == "collections.defaultdict":
        return type(name, (), names | {"__new__": lambda *_: {}})
    return type(name, (InertObject,), names)
