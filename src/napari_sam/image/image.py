"""An image that is read window by window."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.image.channels import Channels
from napari_sam.image.intensity import Conversion, Intensity
from napari_sam.image.level import Level
from napari_sam.image.open_source import open_source
from napari_sam.image.plane import parse_plane
from napari_sam.image.pyramid import Pyramid, make_pyramid
from napari_sam.image.ranges import Ranges
from napari_sam.image.resample import axis_weights, resample
from napari_sam.image.sample import Block, read_blocks
from napari_sam.image.window import Window

MAX_PIXELS = 1 << 22
"""Pixels that are held at once while a window is read."""

FINE_ENOUGH = 1.05
"""Pixels up to so many samples wide serve for them: of 1001 pixels, 500 are 2.002 wide each."""

MAX_REDUCTION = 4
"""Levels that merge planes are read only where those that don't are so much finer than needed."""


class Image:
    """Any image, of which one window of one plane is read at a time.

    Make one with :func:`open_image`. Nothing but metadata is read before the first window.

    Attributes
    ----------
    axes : str
        One letter of ``"ptczyx"`` for each axis, in the order of the array.
    shape_yx : tuple of int
        Height and width in level-0 pixels.
    plane_shape : tuple of int
        Lengths of the axes other than c, y and x; a plane is an index into them.
    dtype : numpy.dtype
        Type of the raw values.
    n_channels : int
        Channels that are read: 1 (gray), 2 (red, green) or 3 (red, green, blue).
    channel_axis : str
        The axis of planes whose positions are channels, each with an intensity of its own; "" if
        there is none.
    levels : tuple of Level
        Arrays of decreasing resolution, with their downsampling factors and offsets.
    scale : tuple of float
        Size of a level-0 pixel along each of the `axes`, in `units`; 1 where it is not known.
    origin : tuple of float
        Center of the first level-0 pixel along each of the `axes`, in `units`.
    units : tuple of str or None
        Of each of the `axes`, as OME-Zarr names them, such as ``"micrometer"``.
    channel_names : tuple of str
        Of all channels there are; empty if they have none.
    name : str
        Its path or address; "the image" if it was opened from arrays.
    conversion : str
        How the intensity is chosen, unless it was given: ``"percentiles"``, or ``"min-max"`` as
        micro-sam does.
    """

    def __init__(
        self,
        pyramid: Pyramid,
        intensity: Intensity | None = None,
        conversion: Conversion = "percentiles",
    ) -> None:
        self._pyramid = pyramid
        self._ranges = Ranges(pyramid, intensity, conversion)
        self.conversion = conversion
        self.axes = pyramid.axes
        self.shape_yx = pyramid.levels[0].shape_yx
        self.plane_shape = pyramid.plane_shape
        self.dtype = pyramid.dtype
        self.n_channels = pyramid.n_channels
        self.channel_axis = pyramid.channel_axis
        self.levels = pyramid.levels
        self.scale = pyramid.scale
        self.origin = pyramid.origin
        self.units = pyramid.units
        self.channel_names = pyramid.channel_names
        self.name = pyramid.name

    def __repr__(self) -> str:
        shape, axes = self.levels[0].array.shape, self.axes
        return f"Image(axes={axes!r}, shape={shape}, dtype={self.dtype}, levels={len(self.levels)})"

    def __reduce__(self) -> tuple[Any, ...]:
        """Let another process open the same arrays, with the intensity as it is here."""
        return Image, (self._pyramid, self.intensity, self.conversion)

    @property
    def intensity(self) -> Intensity:
        """The raw values that read as 0 and 1, measured on a bounded sample at first use.

        By percentiles, 8-bit RGB (a last axis c) is taken as it is, all else per channel. By
        extremes, everything is measured per channel, an image of up to 4 million pixels as a whole.
        With a `channel_axis`, the ranges of all positions along it, one behind the other.
        """
        return self._ranges.joined

    @property
    def note(self) -> str:
        """What the user should know: pixels that are no numbers, a constant image, what is unused.

        Measures the intensity, unless that has been done or it was given; with a `channel_axis`,
        it tells of those channels only that have been measured.
        """
        return "; ".join(filter(None, (*self._pyramid.notes, self._ranges.note)))

    def converted(self, conversion: Conversion) -> Image:
        """Return the same image with its intensity chosen in another way, not yet measured.

        An intensity that was given when the image was opened stays.
        """
        if self._ranges.is_given or conversion == self.conversion:
            return self
        return Image(self._pyramid, conversion=conversion)

    def with_limits(self, low: float, high: float) -> Image:
        """Return the same image with the raw values that read as 0 and 1, in all its channels."""
        n_channels = self._pyramid.n_places * self.n_channels
        return Image(self._pyramid, Intensity((low,) * n_channels, (high,) * n_channels))

    def read(self, window: Window) -> NDArray[np.float32]:
        """Read one window, and no pixel outside it beyond what interpolation needs.

        The coarsest level that is at least as fine as the window's step is averaged down to it;
        a step below 1 is interpolated linearly. Coarse levels that merge planes are read only at
        steps of more than `MAX_REDUCTION` times that of the coarsest one that does not.

        Returns
        -------
        (C, h, w) float32 array in [0, 1]
            C is 1 or 3: two channels get an empty third one. h and w are the window's size, or less
            where the image ends.

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
        samples = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
        return np.pad(samples, ((0, 1), (0, 0), (0, 0))) if self.n_channels == 2 else samples

    def read_raw(self, blocks: Sequence[Block]) -> list[NDArray[Any]]:
        """Read blocks of raw pixels of level 0; a chunk that holds several is decoded once.

        Parameters
        ----------
        blocks : sequence of tuple of slice
            A slice with start and stop for each axis in front of y and x, for y and for x.

        Returns
        -------
        list of (C, …) arrays
            The channels that are read, then the axes of the block.
        """
        return read_blocks(self._pyramid, blocks)

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
        widest = step * FINE_ENOUGH
        fine_enough = [level for level in self.levels if max(level.downsample) <= widest]
        quick = [
            one for one in fine_enough if step <= MAX_REDUCTION * FINE_ENOUGH * max(one.downsample)
        ]
        candidates = quick or fine_enough[-1:] or self.levels[:1]
        n_planes = max(map(self._pyramid.planes_of, candidates))
        return [one for one in candidates if self._pyramid.planes_of(one) == n_planes][-1]

    def _read_strips(
        self, window: Window, plane: tuple[int, ...], level: Level
    ) -> Iterator[NDArray[np.float32]]:
        """Read a window from top to bottom, in strips of at most `MAX_PIXELS` pixels."""
        (factor_y, factor_x), (offset_y, offset_x) = level.downsample, level.offset
        intensity = self._ranges.of_plane(plane)
        n_rows, n_columns = self._shape_inside(window)
        step_y, step_x = window.step / factor_y, window.step / factor_x
        columns, column_weights = axis_weights(
            (window.x - offset_x) / factor_x, step_x, n_columns, level.shape_yx[1]
        )
        strip = max(1, int(MAX_PIXELS / (columns.stop - columns.start) / step_y))
        for first in range(0, n_rows, strip):
            rows, row_weights = axis_weights(
                (window.y - offset_y) / factor_y + first * step_y,
                step_y,
                min(strip, n_rows - first),
                level.shape_yx[0],
            )
            raw = self._pyramid.read(level, plane, rows, columns)
            yield resample(intensity.normalize(raw), row_weights, column_weights)

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
    channels: Channels = None,
    channel_axis: str | None = None,
    intensity: Intensity | None = None,
    series: int | None = None,
    level: int = 0,
    storage_options: Mapping[str, Any] | None = None,
) -> Image:
    """Describe an image so that windows of it can be read; no pixel is read yet.

    Parameters
    ----------
    data : array, list of arrays, path or URL
        Anything with `shape`, `dtype` and indexing by integers and slices, such as numpy, dask,
        zarr, h5py and xarray arrays; a list of such arrays from fine to coarse, at any factors; a
        zarr array or OME-Zarr image (0.4, 0.5), opened, or the path of its folder or zip, or its
        URL; the path of a TIFF or npy file.
    axes : str, optional
        One letter of ``"ptczyx"`` for each axis, y in front of x. Taken from the metadata of files
        and the dims of xarray, or guessed where that is unambiguous
        (:func:`~napari_sam.image.axes.parse_axes`).
    channels : int, str or sequence of them, optional
        The number or name of the channel to read, or of two or three as red, green and blue; or
        ``"max"``, the maximum of the raw values of all. Needed unless the image has one or three;
        alpha is dropped. Of more, micro-sam's models expect the first three.
    channel_axis : str, optional
        One of ``"ptz"`` if the planes along this axis are channels: each has a range of raw values
        of its own, so that a dim one beside a bright one does not read as black. Instead of an
        axis c and `channels`, where all channels are to be looked at, one by one.
    intensity : Intensity, optional
        The raw values that read as 0 and 1. Default: measured on a sample at first use.
    series : int, optional
        Which image, of a file with several. Default: the first.
    level : int
        Of a pyramid: this one is the image, and finer ones are left out, whatever the factors
        between them. Coordinates, sizes and labels are in its pixels.
    storage_options : mapping, optional
        For fsspec, if `data` is a URL: ``{"anon": True}`` for a public bucket.

    Raises
    ------
    ImportError
        If `data` is a URL and the packages of the extra ``remote`` are not installed.
    OSError
        If there is nothing at the path, or a server does not answer.
    TypeError
        If the data is not an array of real numbers, or is masked.
    ValueError
        If it is empty, its levels do not belong together, or axes, channels or level do not fit.
    """
    source = open_source(data, axes, series, storage_options)
    return Image(make_pyramid(source, axes, channels, channel_axis, level), intensity)
