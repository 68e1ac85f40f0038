"""What was opened, whatever it was: arrays from fine to coarse, and what their metadata tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Transform(NamedTuple):
    """Where the pixels of a level lie in the world: at ``translation + scale * index``."""

    scale: tuple[float, ...]
    """Size of a pixel along each axis of the array."""

    translation: tuple[float, ...]
    """Center of the first pixel along each axis of the array."""


@dataclass(frozen=True)
class Source:
    """The arrays of an image and their metadata; what is not known is empty.

    Attributes
    ----------
    arrays : sequence of array
        From fine to coarse.
    axes : str or None
        One letter of ``"ptczyx"`` for each axis.
    transforms : tuple of Transform
        Of each level.
    units : tuple of str or None
        Of each axis, as OME-Zarr names them.
    channel_names : tuple of str
        Of all channels.
    name : str
        What it is called in messages.
    notes : tuple of str
        What the user should know.
    """

    arrays: Sequence[Any]
    axes: str | None = None
    transforms: tuple[Transform, ...] = ()
    units: tuple[str | None, ...] = ()
    channel_names: tuple[str, ...] = ()
    name: str = "the image"
    notes: tuple[str, ...] = ()


_UNITS = {
    "um": "micrometer",
    "µm": "micrometer",
    "μm": "micrometer",
    "\\u00b5m": "micrometer",
    "micron": "micrometer",
    "microns": "micrometer",
    "micrometre": "micrometer",
    "micrometers": "micrometer",
    "nm": "nanometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "å": "angstrom",
    "pm": "picometer",
    "s": "second",
    "sec": "second",
    "ms": "millisecond",
    "min": "minute",
    "h": "hour",
}


def parse_unit(name: Any) -> str | None:
    """Return a unit as OME-Zarr names it: ``"micrometer"`` for ``"µm"``; None for a pixel."""
    text = str(name or "").strip()
    if text.lower() in ("", "pixel", "pixels", "reference frame"):
        return None
    return _UNITS.get(text.lower(), text)
