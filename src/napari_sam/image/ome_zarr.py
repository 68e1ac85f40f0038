"""The levels of an OME-Zarr image (0.4 and 0.5), or of a plain zarr array."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import zarr


def open_levels(
    source: str | os.PathLike[str] | zarr.Group,
) -> tuple[list[Any], str | None]:
    """Return the arrays from fine to coarse, and their axes if the metadata tells.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ValueError
        If it is no zarr, or a group without a multiscale image.
    """
    node = source if isinstance(source, zarr.Group) else _open_zarr(Path(source))
    if isinstance(node, zarr.Array):
        return [node], None
    attributes: dict[str, Any] = dict(node.attrs)
    images = attributes.get("ome", attributes).get("multiscales")
    if not images:
        raise ValueError(
            f"The zarr group {node.store_path} holds no OME-Zarr image (no multiscales metadata). "
            f"Its members are {sorted(node.keys())}: open one of these."
        )
    axes = "".join(axis["name"] for axis in images[0]["axes"])
    return [node[dataset["path"]] for dataset in images[0]["datasets"]], axes


def _open_zarr(path: Path) -> Any:
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    try:
        return zarr.open(path, mode="r")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ValueError(
            f"{path} is no zarr: an image is opened from the folder of a zarr array or an OME-Zarr "
            f"image; read other files yourself and pass the array."
        ) from error
