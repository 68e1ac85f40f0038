"""Which 2-D plane of an array with more axes."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable


def parse_plane(
    plane: int | Iterable[int], plane_shape: tuple[int, ...], where: str
) -> tuple[int, ...]:
    """Return a plane as a tuple of one index per axis in front of rows and columns.

    Parameters
    ----------
    plane : int or iterable of int
        An integer stands for a single axis, ``()`` for the only plane there is.
    plane_shape : tuple of int
        Lengths of these axes.
    where : str
        What the planes belong to, for messages.

    Raises
    ------
    TypeError
        If the plane is not made of integers.
    ValueError
        If it does not exist.
    """
    try:
        given = plane if isinstance(plane, Iterable) else (plane,)
        indices = tuple(operator.index(index) for index in given)
    except TypeError as error:
        raise TypeError(
            f"The plane is {plane!r}; expected an integer or a tuple of integers."
        ) from error
    if not indices and math.prod(plane_shape) == 1:
        return (0,) * len(plane_shape)
    if len(indices) != len(plane_shape) or not all(
        0 <= index < length for index, length in zip(indices, plane_shape, strict=True)
    ):
        raise ValueError(
            f"There is no plane {plane} in {where}: "
            + (
                f"it takes one index for each axis in front of rows and columns, below "
                f"{plane_shape}, such as plane={example(plane_shape)}."
                if plane_shape
                else "it is 2-D, so the only plane is ()."
            )
        )
    return indices


def example(plane_shape: tuple[int, ...]) -> int | tuple[int, ...]:
    """Return the plane in the middle, as users write it."""
    middle = tuple(length // 2 for length in plane_shape)
    return middle[0] if len(middle) == 1 else middle
