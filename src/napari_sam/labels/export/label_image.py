"""Labels to be written elsewhere: the array, what its axes are, and which of its blocks to read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import zarr

from napari_sam.labels.array import LabelsArray, check_labels
from napari_sam.labels.chunks import storage_shape, stored_chunks
from napari_sam.labels.ome_zarr import RUN
from napari_sam.labels.pyramid import LabelsPyramid

BLOCK_SIDE = 2048
"""About so many rows and columns are read at a time."""

AXES = "tczyx"


@dataclass(frozen=True)
class LabelImage:
    """Labels with their axes. Make one with `LabelImage.of`.

    Attributes
    ----------
    levels : tuple of array
        From the finest to the coarsest, each half as high and wide as the one before; at least one.
    axes : str
        Letters of "tczyx" in that order, one per axis.
    scale : tuple of float
        Size of a pixel along each axis, in `units`.
    units : tuple of str or None
        As OME-Zarr names them, such as "micrometer".
    source : str or None
        Path or address of the image that the labels are of, if they tell.
    """

    levels: tuple[LabelsArray, ...]
    axes: str
    scale: tuple[float, ...]
    units: tuple[str | None, ...]
    source: str | None = None

    @classmethod
    def of(
        cls,
        labels: LabelsArray | LabelsPyramid,
        *,
        axes: str | None = None,
        scale: Sequence[float] | None = None,
        units: Sequence[str | None] | None = None,
    ) -> LabelImage:
        """Describe labels; what is not given is taken from a pyramid's metadata, or is 1 pixel.

        Parameters
        ----------
        labels : numpy.ndarray, zarr.Array or LabelsPyramid
            (…, rows, columns) integers, up to five axes.
        axes, scale, units
            One entry per axis. Default of `axes`: "yx", "zyx", and so on.

        Raises
        ------
        TypeError, ValueError
            If these are no labels, or the other arguments do not fit them.
        """
        known: dict[str, Any] = {}
        levels: tuple[LabelsArray, ...]
        if isinstance(labels, LabelsPyramid):
            known, levels = _metadata(labels), labels.levels
        else:
            levels = (labels,)
        check_labels(levels[0])
        n = len(levels[0].shape)
        axes = axes or known.get("axes") or AXES[-n:]
        if len(axes) != n or axes[-2:] != "yx" or "".join(a for a in AXES if a in axes) != axes:
            raise ValueError(
                f"The labels have shape {levels[0].shape} and the axes {axes!r}; expected one "
                f"letter of 'tczyx' per axis, in that order, ending in 'yx'."
            )
        given_scale = tuple(float(s) for s in scale or known.get("scale") or (1.0,) * n)
        given_units = tuple(units or known.get("units") or (None,) * n)
        for name, values in {"scale": given_scale, "units": given_units}.items():
            if len(values) != n:
                raise ValueError(
                    f"The {name} is {values}; expected one entry for each of {axes!r}."
                )
        if not all(s > 0 and math.isfinite(s) for s in given_scale):
            raise ValueError(f"The scale is {given_scale}; expected sizes above 0.")
        return cls(levels, axes, given_scale, given_units, known.get("source"))

    @property
    def data(self) -> LabelsArray:
        """The finest level."""
        return self.levels[0]

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Rows and columns."""
        height, width = self.data.shape[-2:]
        return height, width

    def planes(self) -> Iterator[tuple[int, ...]]:
        """Yield the index of each plane."""
        yield from np.ndindex(*self.data.shape[:-2])

    def named(self, plane: tuple[int, ...]) -> dict[str, int]:
        """Return the index of a plane by the letters of its axes."""
        return dict(zip(self.axes, plane, strict=False))

    def blocks(self, plane: tuple[int, ...]) -> Iterator[tuple[int, int, int, int]]:
        """Yield the boxes (y0, x0, y1, x1) that cover what is stored of a plane."""
        height, width = self.shape_yx
        rows, columns = self._block_shape
        for y, x in product(range(0, height, rows), range(0, width, columns)):
            box = (y, x, min(y + rows, height), min(x + columns, width))
            if self._is_stored(plane, box):
                yield box

    @property
    def _block_shape(self) -> tuple[int, int]:
        """Rows and columns read at a time: whole chunks."""
        if not isinstance(self.data, zarr.Array):
            return BLOCK_SIDE, BLOCK_SIDE
        rows, columns = (n * max(1, BLOCK_SIDE // n) for n in self.data.chunks[-2:])
        return rows, columns

    @cached_property
    def _stored(self) -> set[tuple[int, ...]] | None:
        """Which chunks are stored; None if all may hold objects."""
        if isinstance(self.data, zarr.Array) and not self.data.fill_value:
            return stored_chunks(self.data)
        return None

    def _is_stored(self, plane: tuple[int, ...], box: tuple[int, int, int, int]) -> bool:
        if self._stored is None or not isinstance(self.data, zarr.Array):
            return True
        *leading, rows, columns = storage_shape(self.data)
        chunk = tuple(i // n for i, n in zip(plane, leading, strict=True))
        over = product(
            range(box[0] // rows, -(-box[2] // rows)),
            range(box[1] // columns, -(-box[3] // columns)),
        )
        return any((*chunk, row, column) in self._stored for row, column in over)


def _metadata(pyramid: LabelsPyramid) -> dict[str, Any]:
    """Return what an OME-Zarr label image tells of itself."""
    ome: Any = pyramid.group.attrs["ome"]
    run: Any = pyramid.group.attrs.get(RUN, {})
    multiscale = ome["multiscales"][0]
    return {
        "axes": "".join(axis["name"] for axis in multiscale["axes"]),
        "units": tuple(axis.get("unit") for axis in multiscale["axes"]),
        "scale": multiscale["datasets"][0]["coordinateTransformations"][0]["scale"],
        "source": run.get("image"),
    }
