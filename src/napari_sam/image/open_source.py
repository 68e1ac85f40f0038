"""Which reader an image needs: told by what it is, or by the first bytes of its file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import numpy as np
import zarr

from napari_sam.image.data_array import describe_data_arrays, is_data_array, is_data_set
from napari_sam.image.ome_zarr import describe_zarr
from napari_sam.image.source import Source
from napari_sam.image.tiff import open_tiff
from napari_sam.image.zarr_store import open_folder, open_url, open_zip

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
ZIP_START = b"PK\x03\x04"
NPY_START = b"\x93NUM"


def open_source(
    data: Any,
    axes: str | None = None,
    series: int | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Source:
    """Open anything that holds an image; only metadata is read.

    Parameters
    ----------
    data : array, list of arrays, zarr group, path or URL
        See :func:`~napari_sam.image.open_image`.
    axes : str, optional
        Given by the user: where it is, the metadata need not tell the axes.
    series : int, optional
        Which image of a TIFF file or of an OME-Zarr with several; default: the first.
    storage_options : mapping, optional
        For fsspec, if `data` is a URL.

    Raises
    ------
    FileNotFoundError
        If there is nothing at the path.
    ImportError
        If a URL is given and fsspec is not installed.
    OSError
        If a server does not answer.
    TypeError
        If it is a kind of object that holds several images.
    ValueError
        If there is no image in it, or not this series.
    """
    if isinstance(data, str | os.PathLike):
        return _open_address(os.fspath(data), axes, series, storage_options)
    if series is not None and not isinstance(data, zarr.Group):
        raise ValueError(
            f"series={series} chooses an image of a file, found {type(data).__name__}."
        )
    if isinstance(data, zarr.Group | zarr.Array):
        return describe_zarr(data, axes, series)
    if is_data_set(data):
        raise TypeError(
            f"An xarray Dataset holds several arrays: pass one of {sorted(map(str, data))}, for "
            f"example dataset[{next(map(str, data), 'name')!r}]."
        )
    levels = data if isinstance(data, Sequence) else [data]
    if levels and all(is_data_array(level) for level in levels):
        return describe_data_arrays(levels, axes)
    return Source(levels)


def _open_npy(path: Path, series: int | None) -> Source:
    if series:
        raise ValueError(f"{path} holds one image, and no series={series}.")
    try:
        return Source([np.load(path, mmap_mode="r", allow_pickle=False)], name=str(path))
    except ValueError as error:
        raise ValueError(
            f"{path} is damaged, or holds no array of numbers ({error}): save it again."
        ) from error


def _open_address(
    address: str, axes: str | None, series: int | None, storage_options: Mapping[str, Any] | None
) -> Source:
    if address.startswith("file://"):
        address = url2pathname(urlsplit(address).path)
    if "://" in address:
        return describe_zarr(open_url(address, storage_options), axes, series)
    path = Path(address)
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_dir():
        return describe_zarr(open_folder(path), axes, series)
    with path.open("rb") as file:
        start = file.read(4)
    if start in TIFF_STARTS:
        return open_tiff(path, series)
    if start == ZIP_START:
        return describe_zarr(open_zip(path), axes, series)
    if start == NPY_START:
        return _open_npy(path, series)
    raise ValueError(
        f"{path} is no zarr, TIFF or npy file: an image is opened from one of these, or from the "
        f"folder of a zarr array or an OME-Zarr image; read other files yourself and pass the "
        f"array."
    )
