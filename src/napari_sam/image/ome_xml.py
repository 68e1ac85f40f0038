"""What the OME-XML of a TIFF tells: sizes of pixels, units, names of channels."""

from __future__ import annotations

from typing import Any, NamedTuple
from xml.etree import ElementTree

from napari_sam.image.source import parse_unit

_SIZES = {
    "x": ("PhysicalSizeX", "µm"),
    "y": ("PhysicalSizeY", "µm"),
    "z": ("PhysicalSizeZ", "µm"),
    "t": ("TimeIncrement", "s"),
}
"""Attribute of the pixels, and its unit if none is told, for each axis."""


class Described(NamedTuple):
    """What is known of an image; nothing where it is not told."""

    sizes: dict[str, float] = {}  # noqa: RUF012 - never changed
    """Size of a pixel by axis."""

    units: dict[str, str | None] = {}  # noqa: RUF012
    """Unit of that size, as OME-Zarr names it."""

    channel_names: tuple[str, ...] = ()


def parse_ome_xml(text: str, number: int) -> Described:
    """Describe one of the images of an OME-XML; nothing is known if it can't be understood."""
    try:
        images = [node for node in ElementTree.fromstring(text) if _tag(node) == "Image"]
        pixels = next(node for node in images[number] if _tag(node) == "Pixels")
    except (ElementTree.ParseError, IndexError, StopIteration):
        return Described()
    sizes, units = {}, {}
    for axis, (attribute, unit) in _SIZES.items():
        size = _positive(pixels.get(attribute))
        if size is not None:
            sizes[axis] = size
            units[axis] = parse_unit(pixels.get(f"{attribute}Unit", unit))
    names = tuple(node.get("Name", "") for node in pixels if _tag(node) == "Channel")
    return Described(sizes, units, names)


def _tag(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


def _positive(text: Any) -> float | None:
    try:
        number = float(text)
    except (TypeError, ValueError):
        return None
    return number if 0 < number < float("inf") else None
