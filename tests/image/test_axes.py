"""Axes are guessed only where nothing else is meant, and checked where they are given."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.image.axes import parse_axes


@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        ((50, 60), "uint8", "yx"),
        ((50, 3), "uint8", "yx"),
        ((50, 60, 3), "uint8", "yxc"),
        ((50, 60, 4), "uint8", "yxc"),
        ((3, 50, 60), "uint8", "zyx"),
        ((7, 50, 60), "float32", "zyx"),
    ],
)
def test_guess(shape: tuple[int, ...], dtype: str, axes: str) -> None:
    assert parse_axes(None, shape, np.dtype(dtype)) == axes


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((50, 60, 3), "uint16"), ((2, 3, 50, 60), "uint8"), ((2, 3, 4, 50, 60), "uint8")],
)
def test_ambiguous_axes_are_asked_for(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(ValueError, match=r"cannot be guessed.*axes="):
        parse_axes(None, shape, np.dtype(dtype))


def test_one_axis_is_no_image() -> None:
    with pytest.raises(ValueError, match="at least two axes"):
        parse_axes(None, (50,), np.dtype("uint8"))


@pytest.mark.parametrize("axes", ["yx", "cyx", "yxc", "tczyx", "zcyx", "tzyxc", "yxz", "YX"])
def test_any_order_with_y_in_front_of_x_is_fine(axes: str) -> None:
    assert parse_axes(axes, (4,) * len(axes), np.dtype("f4")) == axes.lower()


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ("xy", "y, and x after it"),
        ("zy", "y, and x after it"),
        ("yyx", "at most once"),
        ("ayx", "at most once"),
        ("", "y, and x after it"),
        ("zyx", "names 3 axes, but the image has 2"),
    ],
)
def test_wrong_axes_are_refused(axes: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_axes(axes, (50, 60), np.dtype("uint8"))
