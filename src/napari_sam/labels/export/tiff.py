"""Labels as a tiled OME-TIFF."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_sam.labels.export.label_image import LabelImage

TILE = 512

SOFTWARE = "napari-sam labels"
"""What such a file says it was made with."""

BAND = 16 * TILE
"""Columns that are read at a time."""

CLASSIC_BYTES = (1 << 32) - (1 << 25)
"""A file that may grow larger is a BigTIFF."""

SYMBOLS = {"micrometer": "µm", "nanometer": "nm", "millimeter": "mm", "second": "s"} | {
    "millisecond": "ms",
    "minute": "min",
    "angstrom": "Å",
    "centimeter": "cm",
    "meter": "m",
    "hour": "h",
}
"""OME-Zarr's names of units, and OME-XML's."""


def write_tiff(labels: LabelImage, path: Path) -> None:
    """Write all planes, tile by tile; the axes, pixel size and units go into the OME metadata.

    64-bit labels become uint32, since readers of TIFF do not know them.

    Raises
    ------
    ValueError
        If a label does not fit into 32 bits.
    """
    shape, dtype = tuple(labels.data.shape), np.dtype(labels.data.dtype)
    stored = np.dtype(np.uint32) if dtype.itemsize == 8 else dtype
    tifffile.imwrite(
        path,
        _tiles(labels, stored),
        shape=shape,
        dtype=stored,
        tile=(TILE, TILE),
        bigtiff=bool(np.prod(shape, dtype=np.float64) * stored.itemsize > CLASSIC_BYTES),
        compression="zlib",
        photometric="minisblack",
        ome=True,
        software=SOFTWARE,
        metadata=_metadata(labels),
        maxworkers=1,
    )


def is_label_tiff(path: str | Path) -> bool:
    """Whether a file is a TIFF that `write_tiff` wrote."""
    try:
        with tifffile.TiffFile(path) as file:
            return file.pages.first.software == SOFTWARE
    except (OSError, ValueError):
        return False


def _tiles(labels: LabelImage, dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """Yield all tiles of all planes from left to right and top to bottom, filled up with 0."""
    height, width = labels.shape_yx
    for plane in labels.planes():
        for y, x in product(range(0, height, TILE), range(0, width, BAND)):
            rows, columns = slice(y, min(y + TILE, height)), slice(x, min(x + BAND, width))
            band = np.asarray(labels.data[(*plane, rows, columns)])
            if band.dtype != dtype and band.size and not 0 <= band.min() <= band.max() < 1 << 32:
                raise ValueError(
                    f"The labels are {band.dtype} and hold numbers that do not fit into uint32, "
                    f"which is what TIFF can hold; number the objects anew."
                )
            for start in range(0, band.shape[1], TILE):
                tile = np.zeros((TILE, TILE), dtype)
                part = band[:, start : start + TILE]
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile


def _metadata(labels: LabelImage) -> dict[str, Any]:
    """Return what tifffile writes into the OME-XML."""
    metadata: dict[str, Any] = {"axes": labels.axes.upper()}
    names = {"z": "PhysicalSizeZ", "y": "PhysicalSizeY", "x": "PhysicalSizeX", "t": "TimeIncrement"}
    for axis, size, unit in zip(labels.axes, labels.scale, labels.units, strict=True):
        if axis in names and unit in SYMBOLS:
            metadata[names[axis]] = size
            metadata[f"{names[axis]}Unit"] = SYMBOLS[unit]
    return metadata
