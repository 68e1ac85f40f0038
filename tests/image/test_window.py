"""Windows map coordinates exactly, in both directions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.image import Window

steps = st.integers(-4, 6).map(lambda exponent: 2.0**exponent)
coordinates = st.floats(-1e5, 1e5)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    step = draw(steps)
    y, x = (draw(st.integers(0, 100_000)) * min(step, 1) for _ in range(2))
    return Window(y, x, draw(st.integers(1, 2048)), step)


@given(windows(), st.lists(st.tuples(coordinates, coordinates), max_size=5))
def test_to_image_undoes_to_window(window: Window, yx: list[tuple[float, float]]) -> None:
    points = np.array(yx).reshape(-1, 2)
    np.testing.assert_allclose(window.to_image(window.to_window(points)), points, atol=1e-9)


@given(windows())
def test_corners_of_the_window_are_edges_of_its_first_and_last_sample(window: Window) -> None:
    edges = window.to_image([[-0.5, -0.5], [window.size - 0.5, window.size - 0.5]]) + 0.5
    np.testing.assert_allclose(edges.ravel(), window.extent, atol=1e-9)


def test_first_sample_of_two_pixels_stands_between_them() -> None:
    np.testing.assert_array_equal(Window(10, 20, 4, 2.0).to_image([0, 0]), [10.5, 20.5])


def test_shapes_are_kept() -> None:
    assert Window(0, 0, 8).to_window(np.zeros((3, 4, 2))).shape == (3, 4, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0, 0, 1.0), "at least 1 sample"),
        ((0, 0, 8, 3.0), "power of two"),
        ((0, 0, 8, 0.0), "power of two"),
        ((0, 0, 8, float("nan")), "power of two"),
        ((0.5, 0, 8, 1.0), "multiple of 1"),
        ((0.3, 0, 8, 0.5), "multiple of 0.5"),
    ],
)
def test_malformed_windows_are_refused(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Window(*arguments)
