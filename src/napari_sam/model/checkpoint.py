"""Files of weights: reading them without running code, and filling a network with them."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn


def read_state_dict(path: str | PathLike[str]) -> dict[str, torch.Tensor]:
    """Read named tensors from a ``.safetensors`` file or a torch file (``.pth``, ``.pt``).

    The content decides about the format, not the name. Only tensors are read: no code in the file
    ever runs. Where the format allows it, the tensors are mapped from the file, not yet in memory.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, of another format, or holds something else than named tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}; expected a file of weights.")
    with path.open("rb") as file:
        head = file.read(9)
    read = reader(head)
    if read is None:
        raise ValueError(
            f"{path.name} is not a file of weights: it begins with {head!r}; "
            "expected a .safetensors file or one written by torch.save."
        )
    try:
        content = read(path)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = f"the Python object {found[1]}" if found else "more than tensors, or is damaged"
        raise ValueError(
            f"{path.name} holds {what}; expected named tensors only. Nothing of it was run."
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        reason = str(error).partition("\n")[0].rstrip(".") or "it ends too early"
        raise ValueError(
            f"{path.name} is damaged or incomplete ({path.stat().st_size:,} bytes): {reason}."
        ) from error
    return check_state_dict(content, path.name)


def reader(head: bytes) -> Callable[[Path], object] | None:
    """Return the function that reads files which begin like this, or None."""
    if head[8:] == b"{":
        return safetensors.torch.load_file
    if head[:2] == b"PK":
        return read_torch_zip
    if head[:2] == b"\x80\x02":
        return read_torch_pickle
    return None


def read_torch_zip(path: Path) -> object:
    """Read a torch file, mapped into memory, after comparing its checksums (torch doesn't)."""
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of its part {damaged} is wrong")
    return torch.load(path, map_location="cpu", weights_only=True, mmap=True)


def read_torch_pickle(path: Path) -> object:
    """Read a torch file of the form before version 1.6."""
    return torch.load(path, map_location="cpu", weights_only=True)


def check_state_dict(content: object, source: str) -> dict[str, torch.Tensor]:
    """Return the content of a file; raise ValueError unless it is a mapping of names to tensors."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{source} holds a {type(content).__name__}; expected named tensors.")
    others = [str(key) for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if others:
        raise ValueError(
            f"{source} holds more than tensors: {join(others)}; expected named tensors only."
        )
    return dict(content)


def fill(model: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Give a network its weights, as float32; the network may be on the meta device.

    The tensors become the network's own (they are copied only to convert half precision), so the
    weights are in memory once.

    Raises
    ------
    ValueError
        If a tensor is missing, not expected, or of another shape or kind; each sort is named.
    """
    expected = model.state_dict()
    common = [key for key in expected if key in state]
    misfits = [
        f"{key} is {describe(state[key])}, expected {describe(expected[key])}"
        for key in common
        if describe(state[key]) != describe(expected[key])
    ]
    missing = [key for key in expected if key not in state]
    unexpected = [key for key in state if key not in expected]
    problems = {"of another shape": misfits, "missing": missing, "unexpected": unexpected}
    if any(problems.values()):
        told = "; ".join(f"{what}: {join(keys)}" for what, keys in problems.items() if keys)
        raise ValueError(f"{source} does not fit this network. Tensors {told}.")
    state = {key: state[key].to(like.dtype) for key, like in expected.items()}
    model.load_state_dict(state, assign=True)


def describe(tensor: torch.Tensor) -> str:
    """Return shape and kind of number, but not the precision, of a tensor."""
    return f"{tuple(tensor.shape)}" + ("" if tensor.is_floating_point() else f" {tensor.dtype}")


def join(names: Iterable[str], limit: int = 3) -> str:
    """Enumerate the first few names and count the rest."""
    names = list(names)
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
