"""Which axis of an array is which: a string such as ``"zyx"``, guessed or given."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

AXES = "ptczyx"
"""The letters an axes string is made of: position, time, channel, depth, row, column. A position,
of the stage, stands for any further axis whose planes are looked at one by one."""

PLANE_AXES = "ptz"
"""Those that a plane has an index for."""


_NAMES = {
    "t": ("t", "time", "frame", "frames"),
    "c": ("c", "ch", "channel", "channels", "band", "rgb", "s", "sample"),
    "z": ("z", "depth", "slice"),
    "y": ("y", "row", "rows", "height"),
    "x": ("x", "col", "cols", "column", "columns", "width"),
}


def axes_from_names(names: Sequence[str]) -> str:
    """Return the letters of named axes, such as ``"tyx"`` for time, row and column.

    Raises
    ------
    ValueError
        If a name means no axis of an image, or two names mean the same.
    """
    letters = {name: letter for letter, known in _NAMES.items() for name in known}
    axes = "".join(letters.get(name.lower(), "?") for name in names)
    if "?" in axes or len(set(axes)) < len(axes):
        raise ValueError(
            f"The axes of the image are named {', '.join(names)}, which are not, each once, time, "
            f"channel, z, y or x: give axes, a letter of {AXES!r} for each, or choose along the "
            f"others first."
        )
    return axes


def slider_axes(names: Sequence[str]) -> str:
    """Return the letters of the axes in front of rows and columns, at most three, by their names.

    An axis whose name means nothing, or the same as another, gets a letter that is left: z, then t,
    then c, in the order of "tcz".
    """
    meanings = {name: letter for letter in "tcz" for name in _NAMES[letter]}
    letters = [meanings.get(name.lower(), "") for name in names]
    letters = [letter if letters.count(letter) == 1 else "" for letter in letters]
    free = [letter for letter in "ztc" if letter not in letters][: letters.count("")]
    left = iter(sorted(free, key="tcz".index))
    return "".join(letter or next(left) for letter in letters)


def parse_axes(axes: str | None, shape: tuple[int, ...], dtype: np.dtype) -> str:
    """Return the axes of an array, guessed if they are not given.

    The letters may stand in any order, each at most once, with y in front of x; the order of the
    others is the order of the indices of a plane. Guessed is only what is unambiguous: two axes
    are ``"yx"``; three are ``"yxc"`` if the last has length 3 or 4 and the type is uint8 (RGB),
    else ``"zyx"``.

    Parameters
    ----------
    axes : str or None
        One letter of ``"ptczyx"`` for each axis of the array, in its order.
    shape : tuple of int
        Shape of the array.
    dtype : numpy.dtype
        Type of its elements.

    Raises
    ------
    ValueError
        If the axes are not valid, do not fit the shape, or cannot be guessed.
    """
    if axes is None:
        return _guess_axes(shape, dtype)
    axes = axes.lower()
    if set(axes) - set(AXES) or len(set(axes)) < len(axes):
        raise ValueError(
            f"axes={axes!r} is not valid: it takes each of the letters p, t, c, z, y, x at most "
            "once."
        )
    if not {"y", "x"} <= set(axes) or axes.index("y") > axes.index("x"):
        raise ValueError(f"axes={axes!r} is not valid: it needs y, and x after it.")
    if len(axes) != len(shape):
        raise ValueError(
            f"axes={axes!r} names {len(axes)} axes, but the image has {len(shape)}, "
            f"with shape {shape}."
        )
    return axes


def _guess_axes(shape: tuple[int, ...], dtype: np.dtype) -> str:
    maybe_rgb = len(shape) == 3 and shape[-1] in (3, 4)
    if len(shape) == 2:
        return "yx"
    if maybe_rgb and dtype == np.uint8:
        return "yxc"
    if len(shape) == 3 and not maybe_rgb:
        return "zyx"
    if len(shape) < 2:
        raise ValueError(f"An image has at least two axes, y and x, found the shape {shape}.")
    raise ValueError(
        f"The axes of an image of shape {shape} and type {dtype} cannot be guessed: name them, "
        f"for example axes={'zyx or yxc' if maybe_rgb else 'tzyx, czyx or tczyx'}."
    )
