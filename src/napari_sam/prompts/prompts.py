"""The prompts of one object."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sam.prompts.mask_prompt import MaskPrompt


@dataclass(frozen=True, eq=False, init=False)
class Prompts:
    """Points, a box and a mask that together mean one object. Immutable.

    Coordinates are (row, column) in level-0 pixels of the image, with pixel centers at integers.

    Parameters
    ----------
    points : (N, 2) array-like of float
        Where the user pointed.
    labels : (N,) array-like of int, optional
        1 for a positive point (on the object), 0 for a negative one. Default: all positive.
    box : (4,) array-like of float, optional
        (y0, x0, y1, x1): the centers of the object's first and last row and column.
    mask : MaskPrompt, optional
        An earlier mask of the same object.

    Raises
    ------
    ValueError
        If a shape is wrong, a coordinate is not finite, a label is neither 1 nor 0, or the corners
        of the box are in the wrong order.
    """

    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    box: NDArray[np.float64] | None
    mask: MaskPrompt | None

    def __init__(
        self,
        points: ArrayLike = (),
        labels: ArrayLike | None = None,
        box: ArrayLike | None = None,
        mask: MaskPrompt | None = None,
    ) -> None:
        parsed = _parse_points(points)
        if mask is not None and not isinstance(mask, MaskPrompt):
            raise TypeError(
                f"The mask prompt is a {type(mask).__name__}; make one with "
                "MaskPrompt.from_mask(array, y0, x0)."
            )
        set_field = partial(object.__setattr__, self)
        set_field("points", parsed)
        set_field("labels", _parse_labels(labels, len(parsed)))
        set_field("box", None if box is None else _parse_box(box))
        set_field("mask", mask)

    @property
    def positives(self) -> NDArray[np.float64]:
        """Positive points, (P, 2)."""
        return np.compress(self.labels == 1, self.points, axis=0)

    @property
    def negatives(self) -> NDArray[np.float64]:
        """Negative points, (Q, 2)."""
        return np.compress(self.labels == 0, self.points, axis=0)

    @property
    def is_empty(self) -> bool:
        """Whether there is no prompt at all."""
        return len(self.points) == 0 and self.box is None and self.mask is None

    def with_point(self, y: float, x: float, positive: bool = True) -> Prompts:
        """Return these prompts and one more point, at the end."""
        return self.with_points([[y, x]], positive)

    def with_points(self, points: ArrayLike, positive: bool = True) -> Prompts:
        """Return these prompts and more points, (N, 2), all of one sign, at the end."""
        added = _parse_points(points)
        signs = np.full(len(added), int(positive))
        return Prompts(
            np.vstack([self.points, added]),
            np.concatenate([self.labels, signs]),
            self.box,
            self.mask,
        )

    def without_point(self, index: int) -> Prompts:
        """Return these prompts without the point at `index`."""
        index = range(len(self.points))[index]
        points, labels = np.delete(self.points, index, axis=0), np.delete(self.labels, index)
        return Prompts(points, labels, self.box, self.mask)

    def with_box(self, box: ArrayLike | None) -> Prompts:
        """Return these prompts with this box, (y0, x0, y1, x1), or without one."""
        return Prompts(self.points, self.labels, box, self.mask)

    def with_mask(self, mask: MaskPrompt | None) -> Prompts:
        """Return these prompts with this mask, or without one."""
        return Prompts(self.points, self.labels, self.box, mask)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Prompts):
            return NotImplemented
        return bool(
            np.array_equal(self.points, other.points)
            and np.array_equal(self.labels, other.labels)
            and _same(self.box, other.box)
            and self.mask == other.mask
        )


def _parse_points(points: ArrayLike) -> NDArray[np.float64]:
    array = _finite(points, "points")
    array = array.reshape(0, 2) if array.size == 0 else array
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(
            f"The points have shape {array.shape}; expected (N, 2): one (row, column) pair each, "
            "such as [[120.5, 340.0]]."
        )
    return array


def _parse_labels(labels: ArrayLike | None, n_points: int) -> NDArray[np.int64]:
    array = np.ones(n_points) if labels is None else np.asarray(labels)
    if array.shape != (n_points,):
        raise ValueError(
            f"The labels have shape {array.shape}; expected ({n_points},): one for each point."
        )
    if ((array != 0) & (array != 1)).any():
        raise ValueError(
            f"The labels are {array.tolist()}; expected only 1 (positive) and 0 (negative)."
        )
    parsed = array.astype(np.int64)
    parsed.flags.writeable = False
    return parsed


def _parse_box(box: ArrayLike) -> NDArray[np.float64]:
    array = _finite(box, "box")
    if array.shape != (4,):
        raise ValueError(
            f"The box has shape {array.shape}; expected the four numbers (y0, x0, y1, x1)."
        )
    if (array[2:] < array[:2]).any():
        raise ValueError(
            f"The box is {array.tolist()}; expected (y0, x0, y1, x1) with y0 <= y1 and x0 <= x1."
        )
    return array


def _finite(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return a read-only float copy of `values`."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The {what} are not an array of numbers: {values!r}.") from error
    if not np.isfinite(array).all():
        raise ValueError(f"The {what} hold NaN or infinity: {array.tolist()}; give real positions.")
    array.flags.writeable = False
    return array


def _same(a: NDArray[np.float64] | None, b: NDArray[np.float64] | None) -> bool:
    return a is b if a is None or b is None else np.array_equal(a, b)
