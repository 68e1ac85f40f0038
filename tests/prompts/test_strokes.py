"""Scribbles as points, lassos as masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_sam.prompts.strokes import (
    LASSO_SAMPLES,
    MOST_POINTS,
    MOST_VERTICES,
    fill_outline,
    points_along,
    thin_outline,
)

paths = st.lists(
    st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=1, max_size=20
).map(np.array)


@given(paths, st.floats(0.5, 100))
def test_points_lie_on_the_path_at_equal_distances_from_end_to_end(path, apart):
    points = points_along(path, apart)
    assert 1 <= len(points) <= MOST_POINTS
    if len(points) > 1:
        assert np.allclose(points[0], path[0])
        assert np.allclose(points[-1], path[-1])
        length = np.hypot(*np.diff(path, axis=0).T).sum()
        assert length / (len(points) - 1) >= apart * (1 - 1e-9)
    low, high = path.min(axis=0), path.max(axis=0)
    assert (points >= low - 1e-6).all()
    assert (points <= high + 1e-6).all()


def test_a_short_stroke_is_its_middle():
    assert points_along([(10, 20), (10, 24)], apart=12).tolist() == [[10, 22]]


def test_a_point_is_a_stroke_too():
    assert points_along([(10, 20)], apart=12).tolist() == [[10, 20]]


def test_distances_are_along_the_way_of_the_hand():
    corner = [(0, 0), (0, 30), (30, 30)]
    points = points_along(corner, apart=20)
    assert points.tolist() == [[0, 0], [0, 20], [10, 30], [30, 30]]


def test_a_lasso_is_filled():
    mask, box = fill_outline([(10, 20), (10, 40), (30, 40), (30, 20)])
    assert box.tolist() == [10, 20, 30, 40]
    assert (mask.y, mask.x, mask.step) == (10, 20, 1)
    assert mask.logits.shape == (21, 21)
    assert (mask.logits > 0).all()


def test_only_the_inside_of_a_lasso_is_positive():
    mask, _ = fill_outline([(0, 50), (50, 100), (100, 50), (50, 0)])
    assert mask.logits[50, 50] > 0
    assert mask.logits[5, 5] < 0
    assert np.count_nonzero(mask.logits > 0) == pytest.approx(5000, rel=0.03)


def test_a_large_lasso_takes_no_more_memory():
    mask, _ = fill_outline([(0, 0), (0, 50_000), (30_000, 50_000), (30_000, 0)])
    assert max(mask.logits.shape) == LASSO_SAMPLES
    assert mask.step == pytest.approx(50_001 / LASSO_SAMPLES)


@given(
    path=arrays(float, st.tuples(st.integers(3, 300), st.just(2)), elements=st.floats(-1e4, 1e4))
)
def test_an_outline_is_kept_in_few_vertices(path):
    thinned = thin_outline(path)
    assert len(thinned) == min(len(path), MOST_VERTICES)
    np.testing.assert_array_equal(thinned[0], path[0])
    assert (thinned.min(axis=0) >= path.min(axis=0) - 1e-6).all()
    assert (thinned.max(axis=0) <= path.max(axis=0) + 1e-6).all()
    if len(path) <= MOST_VERTICES:
        np.testing.assert_array_equal(thinned, path)


@pytest.mark.parametrize("path", [[], [(1, 2, 3)], [(np.nan, 1)]])
def test_what_is_no_path_is_refused(path):
    with pytest.raises(ValueError, match="path"):
        points_along(path, 5)


def test_a_lasso_needs_three_points():
    with pytest.raises(ValueError, match="at least 3"):
        fill_outline([(0, 0), (5, 5)])
