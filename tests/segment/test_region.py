"""A polygon in a plane: what lies in it, and which boxes it meets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.segment.region import Region

SHAPE = (60, 80)
positions = st.tuples(st.floats(-5, 65), st.floats(-5, 85))


def test_a_box_is_half_open() -> None:
    region = Region.parse((10, 20, 30, 50), SHAPE)
    inside = region.contains([[10, 20], [29, 49], [30, 20], [10, 50], [9.4, 20]])
    assert inside.tolist() == [True, True, False, False, False]
    assert region.meets((29, 49, 60, 80))
    assert not region.meets((31, 0, 60, 80))
    assert region.meets((0, 0, 60, 80)), "a box around it"
    assert region.meets((15, 25, 16, 26)), "a box inside it"


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("all", r"The region is 'all'; expected a box"),
        ([(1, 2, 3), (1, 2)], r"The region is \[\(1, 2, 3\), \(1, 2\)\]; expected a box"),
        ((30, 40, 10, 50), r"with its smaller row and column first"),
        ((70, 90, 80, 99), r"x1\) = \(70.0, 90.0, 80.0, 99.0\) lies outside the image of 60 rows"),
    ],
)
def test_what_is_no_region(region: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Region.parse(region, SHAPE)


def test_a_polygon_that_is_not_convex() -> None:
    region = Region.parse(
        [[0, 0], [50, 0], [50, 70], [0, 70], [0, 60], [40, 60], [40, 10], [0, 10]], SHAPE
    )
    assert region.contains([[45, 30], [5, 5], [5, 65]]).all()
    assert not region.contains([[10, 30]]).any()
    assert not region.meets((2, 15, 30, 50)), "between its arms"
    assert region.meets((2, 15, 45, 50))


@given(st.lists(positions, min_size=3, max_size=7), positions, st.integers(1, 30))
def test_a_box_with_a_point_of_the_polygon_meets_it(
    vertices: list[tuple[float, float]], corner: tuple[float, float], side: int
) -> None:
    region = Region(tuple(vertices))
    y0, x0 = (int(c) for c in corner)
    box = (y0, x0, y0 + side, x0 + side)
    pixels = np.indices((side, side)).reshape(2, -1).T + np.array([y0, x0])
    low, high = np.subtract(box[:2], 0.5), np.subtract(box[2:], 0.5)
    holds_vertex = ((low < np.array(vertices)) & (np.array(vertices) < high)).all(axis=1).any()
    if region.contains(pixels).any() or holds_vertex:
        assert region.meets(box)
    far = Region(tuple((y + 200, x) for y, x in vertices))
    assert not far.meets(box)
