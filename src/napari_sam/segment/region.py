"""A part of a plane, as a polygon."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from skimage.measure import points_in_poly


@dataclass(frozen=True)
class Region:
    """A polygon in a plane.

    Attributes
    ----------
    vertices : tuple of (float, float)
        (row, column) in level-0 pixel-center coordinates, three or more; the last one is joined
        with the first.
    """

    vertices: tuple[tuple[float, float], ...]

    @classmethod
    def parse(cls, region: ArrayLike, shape_yx: tuple[int, int]) -> Region:
        """Return the region that a user means.

        Parameters
        ----------
        region : (4,) or (N, 2) array
            A half-open box (y0, x0, y1, x1) of pixels, or the (row, column) of a polygon's
            vertices, as a napari Shapes layer has them.
        shape_yx : tuple of int
            Rows and columns of the image.

        Raises
        ------
        ValueError
            If it is neither, or lies outside the image.
        """
        try:
            given = np.asarray(region, np.float64)
        except (TypeError, ValueError):  # no numbers, or rows of different lengths
            given = np.zeros(0)
        is_box = given.shape == (4,)
        if is_box and (given[:2] >= given[2:]).any():
            raise ValueError(
                f"The region is {region!r}; expected a box (y0, x0, y1, x1) with its smaller "
                "row and column first."
            )
        if is_box:
            y0, x0, y1, x1 = (given - 0.5).tolist()
            given = np.array([(y0, x0), (y0, x1), (y1, x1), (y1, x0)])
        is_polygon = given.ndim == 2 and given.shape[1] == 2 and len(given) >= 3
        if not is_polygon or not np.isfinite(given).all() or not np.ptp(given, axis=0).all():
            raise ValueError(
                f"The region is {region!r}; expected a box (y0, x0, y1, x1), or "
                f"three or more vertices (row, column) of a polygon in one plane."
            )
        low, high = given.min(axis=0), given.max(axis=0)
        if (high <= -0.5).any() or (low >= np.subtract(shape_yx, 0.5)).any():
            corners = np.add([*low, *high], 0.5 if is_box else 0).tolist()
            raise ValueError(
                f"The region (y0, x0, y1, x1) = {tuple(corners)} lies outside the image of "
                f"{shape_yx[0]} rows and {shape_yx[1]} columns: choose "
                f"another, or draw it on the image."
            )
        return cls(tuple((float(y), float(x)) for y, x in given.tolist()))

    def contains(self, points_yx: ArrayLike) -> NDArray[np.bool_]:
        """Return which of (N, 2) points (row, column) lie inside."""
        return np.asarray(points_in_poly(np.reshape(points_yx, (-1, 2)), self.vertices), bool)

    def meets(self, box: tuple[int, int, int, int]) -> bool:
        """Whether a half-open box of pixels and the polygon have a point in common."""
        low, high = np.subtract(box[:2], 0.5), np.subtract(box[2:], 0.5)
        corners = [low, (low[0], high[1]), high, (high[0], low[1])]
        if self.contains(corners).any():
            return True
        return any(_crosses(start, stop, low, high) for start, stop in self._edges())

    def _edges(self) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        ends = np.array(self.vertices)
        yield from zip(ends, np.roll(ends, -1, axis=0), strict=True)


def _crosses(
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> bool:
    """Whether a line segment meets a box: both lie between two limits along each axis at once."""
    way = stop - start
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        times = np.stack([(low - start) / way, (high - start) / way])
    is_inside = (low <= start) & (start <= high)
    enter = np.where(way == 0, np.where(is_inside, -np.inf, np.inf), times.min(axis=0))
    leave = np.where(way == 0, np.where(is_inside, np.inf, -np.inf), times.max(axis=0))
    return bool(max(enter.max(), 0) <= min(leave.min(), 1))
