"""An image that is read window by window."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_sam.image.intensity import Intensity
from napari_sam.image.ome_zarr import open_levels
from napari_sam.image.plane import parse_plane
from napari_sam.image.pyramid import Level, Pyramid, make_pyramid
from napari_sam.image.resample import axis_weights, resample
from napari_sam.image.sample import sample_pixels
from napari_sam.image.window import Window

MAX_PIXELS = 1 << 22
"""Pixels that are held at once while a window is read."""


class Image:
    """Any image, of which one window of one plane is read at a time.

    Make one with :func:`open_image`. Nothing but metadata is read before the first window.

    Attributes
    ----------
    axes : str
        One letter of ``"tczyx"`` for each axis, in the order of the array.
    shape_yx : tuple of int
        Height and width in level-0 pixels.
    plane_shape : tuple of int
        Lengths of the axes other than c, y and x; a plane is an index into them.
    dtype : numpy.dtype
        Type of the raw values.
    n_channels : int
        Channels as they are read: 1 (gray) or 3 (red, green, blue).
    levels : tuple of Level
        Arrays of decreasing resolution, with their downsampling factors.
    """

    def __init__(self, pyramid: Pyramid, intensity: Intensity | None = None) -> None:
        self._pyramid = pyramid
        self._lock = threading.Lock()
        self.axes = pyramid.axes
        self.shape_yx = pyramid.levels[0].shape_yx
        self.plane_shape = pyramid.plane_shape
        self.dtype = pyramid.dtype
        self.n_channels = max(len(pyramid.channels), 1)
        self.levels = pyramid.levels
        if intensity is not None and len(intensity.low) != self.n_channels:
            raise ValueError(
                f"The intensity has limits for {len(intensity.low)} channels, but {self.n_channels}"
                f" are read."
            )
        self._intensity = intensity

    @property
    def intensity(self) -> Intensity:
        """The raw values that read as 0 and 1, measured on a bounded sample at first use.

        8-bit RGB (a last axis c) is taken as it is; all else by percentiles, per channel.
        """
        with self._lock:
            if self._intensity is None:
                if self.n_channels == 3 and self.axes.endswith("c") and self.dtype == np.uint8:
                    self._intensity = Intensity((0.0,) * 3, (255.0,) * 3)
                else:
                    self._intensity = Intensity.from_sample(sample_pixels(self._pyramid))
            return self._intensity

    def read(self, window: Window) -> NDArray[np.float32]:
        """Read one window, and no pixel outside it beyond what interpolation needs.

        The coarsest level that is at least as fine as the window's step is averaged down to it;
        a step below 1 is interpolated linearly.

        Returns
        -------
        (C, h, w) float32 array in [0, 1]
            h and w are the window's size, or less where the image ends.

        Raises
        ------
        ValueError
            If the window starts outside the image, or its plane does not exist.
        """
        plane = self.normalize_plane(window.plane)
        height, width = self.shape_yx
        if not (0 <= window.y < height and 0 <= window.x < width):
            raise ValueError(
                f"The window at ({window.y}, {window.x}) does not start inside the image of "
                f"{self.shape_yx} pixels."
            )
        parts = list(self._read_strips(window, plane, self._level_for(window.step)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def normalize_plane(self, plane: int | Sequence[int]) -> tuple[int, ...]:
        """Return a plane as a tuple of one index per axis in front of Y and X.

        An integer stands for a single axis, ``()`` for the only plane there is.

        Raises
        ------
        TypeError
            If the plane is not made of integers.
        ValueError
            If it does not exist.
        """
        return parse_plane(plane, self.plane_shape, f"the image with axes {self.axes!r}")

    def _level_for(self, step: float) -> Level:
        fine_enough = [level for level in self.levels if max(level.downsample) <= step]
        return fine_enough[-1] if fine_enough else self.levels[0]

    def _read_strips(
        self, window: Window, plane: tuple[int, ...], level: Level
    ) -> Iterator[NDArray[np.float32]]:
        """Read a window from top to bottom, in strips of at most `MAX_PIXELS` pixels."""
        factor_y, factor_x = level.downsample
        n_rows, n_columns = self._shape_inside(window)
        step_y, step_x = window.step / factor_y, window.step / factor_x
        columns, column_weights = axis_weights(
            window.x / factor_x, step_x, n_columns, level.shape_yx[1]
        )
        strip = max(1, int(MAX_PIXELS / (columns.stop - columns.start) / step_y))
        for first in range(0, n_rows, strip):
            rows, row_weights = axis_weights(
                window.y / factor_y + first * step_y,
                step_y,
                min(strip, n_rows - first),
                level.shape_yx[0],
            )
            raw = self._pyramid.read(level, plane, rows, columns)
            yield resample(self.intensity.normalize(raw), row_weights, column_weights)

    def _shape_inside(self, window: Window) -> tuple[int, int]:
        """Return how many samples of a window show the image, in y and x."""
        y0, x0, y1, x1 = window.extent
        height, width = self.shape_yx
        return (
            math.ceil((min(y1, height) - y0) / window.step),
            math.ceil((min(x1, width) - x0) / window.step),
        )


def open_image(
    data: Any,
    *,
    axes: str | None = None,
    channels: int | Sequence[int] | None = None,
    intensity: Intensity | None = None,
) -> Image:
    """Describe an image so that windows of it can be read; no pixel is read yet.

    Parameters
    ----------
    data : array, list of arrays, or path
        Anything with `shape`, `dtype` and indexing by integers and slices, such as numpy, dask,
        zarr and h5py arrays; a list of such arrays from fine to coarse, at any factors; a zarr
        array or OME-Zarr image (0.4, 0.5), opened or as a path.
    axes : str, optional
        One letter of ``"tczyx"`` for each axis, y in front of x. Taken from OME-Zarr metadata, or
        guessed where that is unambiguous (:func:`~napari_sam.image.axes.parse_axes`).
    channels : int or sequence of int, optional
        The channel to read, or three as red, green and blue. Needed unless the image has one or
        three; alpha is dropped.
    intensity : Intensity, optional
        The raw values that read as 0 and 1. Default: measured on a sample at first use.

    Raises
    ------
    TypeError
        If the data is not an array of real numbers.
    ValueError
        If it is empty, its levels do not belong together, or axes or channels do not fit.
    """
    if isinstance(data, str | os.PathLike | zarr.Group):
        data, found_axes = open_levels(data)
        axes = axes or found_axes
    arrays = list(data) if isinstance(data, Sequence) else [data]
    return Image(make_pyramid(arrays, axes, channels), intensity)
