"""xarray DataArrays, known by what it has, so that xarray need not be installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from napari_sam.image.axes import axes_from_names
from napari_sam.image.source import Source, Transform, parse_unit


def is_data_array(data: Any) -> bool:
    """Tell whether this is an xarray DataArray."""
    return all(hasattr(data, name) for name in ("dims", "coords", "shape", "dtype"))


def is_data_set(data: Any) -> bool:
    """Tell whether this is an xarray Dataset or DataTree."""
    return hasattr(data, "data_vars")


def describe_data_arrays(levels: Sequence[Any], axes: str | None = None) -> Source:
    """Take axes, channel names, pixel sizes and units from dims and coords.

    The DataArrays themselves are indexed later, so that what is lazy stays lazy.

    Parameters
    ----------
    levels : sequence of DataArray
        From fine to coarse.
    axes : str, optional
        Given by the user: then the dims need not be understood.

    Raises
    ------
    ValueError
        If its dims do not name the axes of an image.
    """
    data = levels[0]
    axes = axes or axes_from_names([str(dim) for dim in data.dims])
    channel = data.coords.get(data.dims[axes.index("c")]) if "c" in axes[: data.ndim] else None
    return Source(
        levels,
        axes=axes,
        transforms=tuple(_transform(level) for level in levels),
        units=tuple(
            parse_unit(data.coords[dim].attrs.get("units")) if dim in data.coords else None
            for dim in data.dims
        ),
        channel_names=() if channel is None else tuple(str(name) for name in channel.values),
        name="the DataArray" + (f" {data.name!r}" if data.name else ""),
    )


def _transform(data: Any) -> Transform:
    sizes, starts = zip(*(_spacing(data, dim) for dim in data.dims), strict=True)
    return Transform(sizes, starts)


def _spacing(data: Any, dim: Any) -> tuple[float, float]:
    """Return the distance of even coordinates and the first one; 1 and 0 if there are none."""
    if dim not in data.coords or data.coords[dim].dtype.kind not in "iuf":
        return 1.0, 0.0
    values = np.asarray(data.coords[dim].values, np.float64)
    steps = np.diff(values)
    if not len(steps) or steps[0] <= 0 or not np.allclose(steps, steps.mean(), rtol=1e-3):
        return 1.0, 0.0
    return float(steps.mean()), float(values[0])
