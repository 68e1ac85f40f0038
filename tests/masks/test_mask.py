from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.masks import Candidates, Mask

planes = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(planes, st.integers(-5, 5), st.integers(-5, 5))
def test_a_mask_is_tight_and_holds_every_pixel(plane, y0, x0):
    mask = Mask.from_array(plane, y0, x0)
    assert mask.area == plane.sum()
    assert mask.array.shape == (mask.box[2] - mask.box[0], mask.box[3] - mask.box[1])
    if mask.area:
        for edge in (mask.array[0], mask.array[-1], mask.array[:, 0], mask.array[:, -1]):
            assert edge.any()
    expected = np.zeros((12, 12), dtype=bool)
    for row, column in np.add(np.argwhere(plane), (y0, x0)):
        if 0 <= row < 12 and 0 <= column < 12:
            expected[row, column] = True
        assert mask.contains(row, column)
    np.testing.assert_array_equal(mask.to_array((12, 12)), expected)


@given(planes, planes, st.integers(-6, 6))
def test_iou_is_that_of_the_full_planes(a, b, shift):
    masks = Mask.from_array(a, 10, 10), Mask.from_array(b, 10 + shift, 10)
    full = [mask.to_array((40, 40)) for mask in masks]
    union = (full[0] | full[1]).sum()
    expected = (full[0] & full[1]).sum() / union if union else 0
    assert masks[0].iou(masks[1]) == pytest.approx(expected)


@given(planes)
def test_contours_enclose_exactly_the_mask(plane):
    from skimage.draw import polygon2mask

    mask = Mask.from_array(plane, 1, 1)
    inside = np.zeros((14, 14), dtype=bool)
    for line in mask.contours():
        np.testing.assert_array_equal(line[0], line[-1])
        inside ^= polygon2mask(inside.shape, line)
    np.testing.assert_array_equal(inside, mask.to_array(inside.shape))


def test_points_belong_to_the_pixel_around_their_center():
    mask = Mask.from_array(np.ones((2, 2), dtype=bool), 3, 3)
    assert mask.contains(2.5, 2.5)
    assert not mask.contains(2.49, 3)
    assert mask.contains(4.49, 4.49)
    assert not mask.contains(4.5, 4)


def test_components():
    plane = np.zeros((10, 10), dtype=bool)
    plane[1:4, 1:4] = True
    plane[4, 4] = True  # touches at a corner: the same part
    plane[8, 8] = True
    mask = Mask.from_array(plane, 100, 100, predicted_iou=0.7)
    largest = mask.largest_component()
    assert (largest.area, largest.box, largest.predicted_iou) == (10, (101, 101, 105, 105), 0.7)
    assert mask.components_at([[108, 108]]).box == (108, 108, 109, 109)
    assert mask.components_at([[108, 108], [101, 102], [100, 100]]).area == mask.area
    assert mask.components_at([[100, 100]]).area == 0
    empty = Mask.from_array(np.zeros((3, 3), dtype=bool))
    assert empty.largest_component().area == 0


def test_components_of_a_mask_larger_than_the_blocks():
    plane = np.zeros((5001, 300), dtype=bool)
    plane[:4000:2] = True  # lines less than a block apart are one part
    plane[4500:4503, 7:9] = True
    plane[5000, 299] = True
    mask = Mask.from_array(plane, 10, 20)
    assert mask.largest_component().iou(Mask.from_array(plane[:4000], 10, 20)) == 1
    assert mask.components_at([[4511, 27]]).box == (4510, 27, 4513, 29)
    assert mask.components_at([[5010, 319]]).box == (5010, 319, 5011, 320)
    assert mask.components_at([[11, 20]]).area == 0
    assert mask.components_at([[10, 20], [4510, 27], [5010, 319]]).iou(mask) == 1


def test_candidates_run_from_small_to_large():
    areas_and_scores = [(4, 0.3), (2, 0.9), (3, 0.5)]
    masks = [
        Mask.from_array(np.ones((side, side), dtype=bool), predicted_iou=score)
        for side, score in areas_and_scores
    ]
    candidates = Candidates(tuple(masks))
    assert [mask.area for mask in candidates] == [4, 9, 16]
    assert candidates.best_index == 0
    assert candidates.best is candidates[0] is masks[1]
    assert candidates[1:] == (masks[2], masks[0])


def test_no_candidates_have_no_best():
    nothing = Candidates((), note="nothing found here")
    assert len(nothing) == 0
    with pytest.raises(ValueError, match="nothing found here"):
        _ = nothing.best


def test_a_mask_prints_in_one_line() -> None:
    mask = Mask.from_array(np.ones((300, 300), bool), 5, 7, predicted_iou=0.5)
    assert "box=(5, 7, 305, 307), predicted_iou=0.5" in repr(mask)
    assert "\n" not in repr(mask)
