"""TIFF, OME-TIFF and ImageJ hyperstacks, read tile by tile; pyramids with all their levels.

Without tiles, a strip is read at once, which in many files is a whole plane; unless the image is
not compressed and lies in the file in one piece, which is mapped into memory.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from napari_sam.image.ome_xml import Described, parse_ome_xml
from napari_sam.image.source import Source, Transform, parse_unit


class TiffFile:
    """A TIFF file that stays open as long as somebody reads from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = tifffile.TiffFile(path)
        weakref.finalize(self, self.file.close)

    def __reduce__(self) -> tuple[Any, ...]:
        return TiffFile, (self.path,)


class TiffLevel:
    """One level of one series of a TIFF, an array that decodes what it is asked for.

    It can be sent to another process, which opens the file again.
    """

    def __init__(self, file: TiffFile, series: int, level: int) -> None:
        self._place = file, series, level
        store = file.file.series[series].aszarr(level=level)
        self._array = zarr.open_array(store, mode="r")
        self.shape: tuple[int, ...] = self._array.shape
        self.dtype: np.dtype = np.dtype(self._array.dtype)
        self.chunks: tuple[int, ...] = self._array.chunks

    def __getitem__(self, index: Any) -> NDArray[Any]:
        return np.asarray(self._array[index])

    def __reduce__(self) -> tuple[Any, ...]:
        return TiffLevel, self._place


def open_tiff(path: Path, series: int | None = None) -> Source:
    """Open one of the series of a TIFF file, the first unless another is chosen.

    Raises
    ------
    ValueError
        If the file is damaged, has no such series, or is compressed in a way that can't be decoded
        here.
    """
    try:
        file = TiffFile(path)
        all_series = file.file.series
    except Exception as error:
        raise ValueError(f"The TIFF {path} is damaged: {error}. Copy it again.") from error
    if not all_series:
        raise ValueError(f"The TIFF {path} is damaged: there is no image in it. Copy it again.")
    if not 0 <= (series or 0) < len(all_series):
        raise ValueError(f"{path} holds {len(all_series)} images, and no series={series}.")
    number = series or 0
    chosen = all_series[number]
    _check_codec(chosen, path)
    try:
        levels = _open_levels(file, number)
    except (OSError, ValueError) as error:
        raise ValueError(f"The TIFF {path} is damaged: {error}. Copy it again.") from error
    notes: tuple[str, ...] = ()
    if series is None and len(all_series) > 1:
        shapes = ", ".join(f"{n}: {one.shape}" for n, one in enumerate(all_series))
        notes = (f"of {len(all_series)} images in the file, series=0 is read ({shapes})",)
    axes = _axes(chosen.axes)
    described = _describe(file.file, number)
    letters = axes or "?" * len(chosen.shape)
    transform = Transform(
        tuple(described.sizes.get(letter, 1.0) for letter in letters), (0.0,) * len(letters)
    )
    return Source(
        levels,
        axes=axes,
        transforms=(transform,),
        units=tuple(described.units.get(letter) for letter in letters),
        channel_names=described.channel_names,
        name=str(path),
        notes=notes,
    )


def _open_levels(file: TiffFile, number: int) -> Sequence[Any]:
    series = file.file.series[number]
    if len(series.levels) == 1 and series.dataoffset is not None and not series.is_multifile:
        byte_order = file.file.byteorder
        dtype = series.dtype.newbyteorder(byte_order)
        return [np.memmap(file.path, dtype, "r", series.dataoffset, series.shape)]
    return [TiffLevel(file, number, level) for level in range(len(series.levels))]


def _check_codec(series: tifffile.TiffPageSeries, path: Path) -> None:
    page = series.keyframe
    try:
        if page.compression != tifffile.COMPRESSION.NONE:
            tifffile.TIFF.DECOMPRESSORS[page.compression]
        if page.predictor == tifffile.PREDICTOR.FLOATINGPOINT:
            tifffile.TIFF.UNPREDICTORS[page.predictor]
    except KeyError as error:
        name = tifffile.COMPRESSION(page.compression).name
        raise ValueError(
            f"{path} is compressed as {name}, which needs the package imagecodecs to be read: pip "
            f"install imagecodecs."
        ) from error


def _axes(found: str) -> str | None:
    """Return tifffile's letters as ours: samples are channels, pages of unknown meaning z."""
    axes = found.lower().replace("s", "c")
    if sum(letter in "iqr" for letter in axes) == 1 and "z" not in axes:
        axes = axes.replace("i", "z").replace("q", "z").replace("r", "z")
    is_known = set(axes) <= set("tczyx") and len(set(axes)) == len(axes)
    return axes if is_known else None


def _describe(file: tifffile.TiffFile, number: int) -> Described:
    if file.ome_metadata:
        return parse_ome_xml(file.ome_metadata, number)
    if file.imagej_metadata and number == 0:
        return _describe_imagej(file.imagej_metadata, file.pages.first.tags)
    return Described()


def _describe_imagej(metadata: dict[str, Any], tags: tifffile.TiffTags) -> Described:
    """Take the size of a voxel from where ImageJ writes it: pixels per unit, and the spacing."""
    unit = parse_unit(metadata.get("unit"))
    sizes: dict[str, float] = {}
    for axis, name in (("x", "XResolution"), ("y", "YResolution")):
        pixels, units = tags[name].value if name in tags else (0, 0)
        if unit and pixels > 0 and units > 0:
            sizes[axis] = units / pixels
    if unit and (spacing := float(metadata.get("spacing", 0))) > 0:
        sizes["z"] = spacing
    if (interval := float(metadata.get("finterval", 0))) > 0:
        sizes["t"] = interval
    units_by_axis = {axis: "second" if axis == "t" else unit for axis in sizes}
    return Described(sizes, units_by_axis)
