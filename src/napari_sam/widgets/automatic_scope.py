"""Which planes are to be segmented: that on screen, or all along some of the sliders."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.image import Image

Plane = tuple[int, ...]


@dataclass(frozen=True)
class Scope:
    """Planes of an image.

    Attributes
    ----------
    ranges : tuple of range
        Of the indices in front of rows and columns.
    """

    ranges: tuple[range, ...] = ()

    @classmethod
    def of(cls, image: Image, axes: str, plane: Plane) -> Scope:
        """Return all planes along some axes of an image, where a plane is along the others.

        Parameters
        ----------
        image : Image
            With a letter for each of its axes.
        axes : str
            Some of these letters.
        plane : tuple of int
            One index for each axis in front of rows and columns.
        """
        lengths = zip(_plane_axes(image), image.plane_shape, plane, strict=True)
        return cls(tuple(range(n) if axis in axes else range(i, i + 1) for axis, n, i in lengths))

    @property
    def n_planes(self) -> int:
        """How many there are."""
        return math.prod(map(len, self.ranges))

    @property
    def planes(self) -> list[Plane]:
        """All of them."""
        return list(product(*self.ranges))


def scopes(image: Image | None) -> list[tuple[str, str]]:
    """Return along which axes of an image all planes can be segmented, and how that is called.

    Channels come last: an object is rarely looked for in several.
    """
    offered = [("", "this plane")]
    if image is None:
        return offered
    lengths = dict(zip(_plane_axes(image), image.plane_shape, strict=True))
    n_channels = lengths.pop(image.channel_axis, 1)
    several = [axis for axis, n in lengths.items() if n > 1]
    if len(several) > 1:
        offered += [(axis, f"all {lengths[axis]:,} {axis}") for axis in reversed(several)]
    together = "".join(several)
    n_planes = math.prod(lengths.values())
    if several:
        offered.append((together, f"all {n_planes:,} planes"))
    if n_channels > 1:
        planes = f"all {n_planes:,} planes, " if several else ""
        offered.append((together + image.channel_axis, f"{planes}all {n_channels} channels"))
    return offered


def _plane_axes(image: Image) -> str:
    return "".join(axis for axis in image.axes if axis not in "cyx")
