"""What the sliders of an image layer go through: time, channels, depth."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam.image.axes import slider_axes
from napari_sam.image.open_source import open_source
from napari_sam.widgets.layers import MOST_SLIDERS

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer

MAX_TIFF_PLANES = 2000
"""A TIFF of more is not asked: it describes them one by one, 2000 in some 25 ms."""


def find_sliders(viewer: ViewerModel, layer: ImageLayer) -> str:
    """Return a letter of "ptcz" for each axis of an image layer in front of rows and columns.

    An axis is called what the user has written at its slider; else what the layer calls it; else
    what its data do, or what it was read from, as xarray, zarr, OME-Zarr and TIFF can. Where
    nothing tells, they stand in the order of OME, "tcz".
    """
    if not 3 <= layer.ndim <= MOST_SLIDERS + 2:
        return ""
    names = _filled(_written(viewer, layer.ndim), _named(layer.axis_labels))
    if not all(names[:-2]):
        names = _filled(names, _letters(layer))
    sliders = slider_axes(names[:-2])
    return sliders.replace("c", "p") if layer.rgb else sliders


def _written(viewer: ViewerModel, ndim: int) -> list[str]:
    """Return the names of the last sliders that the viewer has not taken from any layer."""
    shown, of_layers = viewer.dims.axis_labels, viewer.layers.axis_labels
    if len(shown) == len(of_layers):
        shown = tuple("" if a == b else a for a, b in zip(shown, of_layers, strict=True))
    return ([""] * ndim + _named(shown))[-ndim:]


def _named(labels: Sequence[str]) -> list[str]:
    """Return labels, but "" for napari's own: -3, -2, -1."""
    n = len(labels)
    return ["" if label == str(i - n) else label for i, label in enumerate(labels)]


def _filled(names: Sequence[str], others: Sequence[str]) -> list[str]:
    return [name or other for name, other in zip(names, others, strict=True)]


def _letters(layer: ImageLayer) -> Sequence[str]:
    """Return the letters of a layer's axes as its data tell, or what it was read from."""
    level = layer.data[0] if layer.multiscale else layer.data
    for place in (level, *_files(layer, math.prod(level.shape[:-2]))):
        with suppress(OSError, TypeError, ValueError, KeyError):  # then it tells nothing
            source = open_source(place)
            if source.axes and tuple(source.arrays[0].shape) == tuple(level.shape):
                return source.axes
    return [""] * layer.ndim


def _files(layer: ImageLayer, n_planes: int) -> Iterator[Path]:
    """Yield what a layer was read from, if its metadata can be read in no time."""
    if layer.source.path is not None:
        path = Path(layer.source.path)
        is_tiff = path.suffix.lower() in (".tif", ".tiff") and n_planes <= MAX_TIFF_PLANES
        if path.is_dir() or (is_tiff and path.is_file()):
            yield path
