"""How a store tells what it holds: the attributes of its zarr group."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import zarr

from napari_sam.embedding.atomic import place_folder
from napari_sam.embedding.key import StoreKey
from napari_sam.embedding.packing import STORED_TYPES, StoredType

FORMAT_VERSION = 1

ATTRIBUTE = "napari_sam_embeddings"


def has_store(path: Path) -> bool:
    """Whether a store may be at the path: something other than an empty folder."""
    return path.is_file() or (path.is_dir() and any(path.iterdir()))


def check_place(path: Path) -> None:
    """Refuse a new store in a folder that is not there, or in a store.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    FileExistsError
        See `check_outside_stores`.
    """
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(
            f"There is no folder {path.absolute().parent} to make the store {path.name} in: check "
            f"the path, or make the folder."
        )
    check_outside_stores(path)


def check_outside_stores(path: Path) -> None:
    """Refuse a new store in another one, which is of one image.

    Raises
    ------
    FileExistsError
        If it would lie there.
    """
    for folder in path.absolute().parents:
        if _is_store(folder):
            raise FileExistsError(
                f"The store {path.name} would lie in {folder}, which is the store of one image: "
                f"choose another folder."
            )


def create_store(path: Path, key: StoreKey, dtype: StoredType) -> None:
    """Make an empty store; of several processes, one does.

    Raises
    ------
    FileNotFoundError
        If the folder that the store would be in does not exist.
    """
    check_place(path)
    entries = {"version": FORMAT_VERSION, "dtype": dtype, "key": key.to_dict()}

    def fill(unfinished: Path) -> None:
        zarr.create_group(unfinished, zarr_format=3, attributes={ATTRIBUTE: entries})

    place_folder(path, fill)


def read_store(path: Path) -> tuple[StoreKey, StoredType]:
    """Return key and dtype of the store at a path, from one small file.

    Raises
    ------
    FileExistsError
        If something else is at the path.
    ValueError
        If the metadata are damaged, or of another version of the format.
    """
    try:
        metadata = json.loads((path / "zarr.json").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        metadata = {}
    except ValueError as error:
        raise ValueError(_damaged(path, error)) from error
    try:
        entries: dict[str, Any] | None = metadata.get("attributes", {}).get(ATTRIBUTE)
        if entries is None:
            raise FileExistsError(
                f"{path} exists, and is no store of embeddings: choose another path."
            )
        if entries["version"] != FORMAT_VERSION:
            raise ValueError(
                f"its format has version {entries['version']}, expected {FORMAT_VERSION}"
            )
        if entries["dtype"] not in STORED_TYPES:
            raise ValueError(f"its dtype is {entries['dtype']!r}, expected one of {STORED_TYPES}")
        return StoreKey.from_dict(entries["key"]), entries["dtype"]
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError(_damaged(path, error)) from error


def _is_store(folder: Path) -> bool:
    with suppress(OSError, ValueError, LookupError, TypeError):
        return ATTRIBUTE in json.loads((folder / "zarr.json").read_bytes())["attributes"]
    return False


def _damaged(path: Path, error: Exception) -> str:
    return (
        f"The metadata of the store {path} are damaged, or of another version of napari-sam "
        f"({error}): choose another path, or delete the store to compute it anew."
    )
