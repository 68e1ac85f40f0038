"""Opening zarr, read-only: a folder, a zip, or an address on the net."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zarr
from zarr.abc.store import Store
from zarr.storage import LocalStore, ZipStore

METADATA_FILES = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")


def open_folder(path: Path) -> zarr.Array[Any] | zarr.Group:
    """Open the folder of a zarr array or group.

    Raises
    ------
    ValueError
        If it is none.
    """
    return _open_node(LocalStore(path, read_only=True), "", str(path))


def open_zip(path: Path) -> zarr.Array[Any] | zarr.Group:
    """Open a zip of a zarr: of what is in its folder, or of the folder itself.

    Raises
    ------
    ValueError
        If it is damaged, or holds something else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(f"The zip {path} is damaged: {error}. Copy it again.") from error
    folders = {name.partition("/")[0] for name in names}
    is_at_root = not folders.isdisjoint(METADATA_FILES)
    inside = "" if is_at_root or len(folders) != 1 else folders.pop()
    return _open_node(ZipStore(path, mode="r"), inside, str(path))


def open_url(
    url: str, storage_options: Mapping[str, Any] | None = None
) -> zarr.Array[Any] | zarr.Group:
    """Open a zarr at an address that fsspec knows, such as ``https://…`` or ``s3://…``.

    Raises
    ------
    ImportError
        If fsspec, or what it needs for such an address, is not installed.
    OSError
        If the server does not answer.
    ValueError
        If there is no zarr.
    """
    from napari_sam.image.remote import remote_store

    return _open_node(remote_store(url, storage_options), "", url)


def _open_node(store: Store, path: str, name: str) -> zarr.Array[Any] | zarr.Group:
    try:
        return zarr.open(store, path=path, mode="r")
    except FileNotFoundError as error:
        raise ValueError(
            f"{name} is no zarr: there is no {', '.join(METADATA_FILES[:3])} in it. An image is "
            f"opened from a zarr array or an OME-Zarr image, a TIFF or an npy file; read other "
            f"files yourself and pass the array."
        ) from error
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"The zarr {name} can't be opened: its metadata are damaged, or of a kind that zarr "
            f"{zarr.__version__} does not know ({error})."
        ) from error
