"""Runs are those of COCO's own tools, whatever the mask and the plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from napari_sam.masks import Mask
from napari_sam.masks.run_length import compress, decompress, mask_to_rle, rle_to_mask

planes = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(planes)
def test_runs_are_those_of_pycocotools(plane: np.ndarray) -> None:
    rle = mask_to_rle(Mask.from_array(plane), plane.shape)
    expected = coco.encode(np.asfortranarray(plane.astype(np.uint8)))
    assert rle == {"size": expected["size"], "counts": expected["counts"].decode()}
    assert coco.area(rle) == plane.sum()


@given(planes)
def test_runs_are_those_of_the_definition(plane: np.ndarray) -> None:
    counts = mask_to_rle(Mask.from_array(plane), plane.shape, compressed=False)["counts"]
    pixels = np.repeat(np.arange(len(counts)) % 2, counts)
    np.testing.assert_array_equal(pixels, plane.ravel(order="F"))
    assert all(counts[1:])


@given(planes, st.booleans())
def test_a_mask_comes_back(plane: np.ndarray, compressed: bool) -> None:
    mask = Mask.from_array(plane)
    again = rle_to_mask(mask_to_rle(mask, plane.shape, compressed=compressed))
    np.testing.assert_array_equal(again.to_array(plane.shape), plane)
    if mask.area:
        assert again.box == mask.box


@given(st.lists(st.integers(0, 1 << 58), max_size=20))
def test_large_counts_come_back(counts: list[int]) -> None:
    assert decompress(compress(counts)).tolist() == counts


def test_what_lies_beyond_the_plane_is_left_out() -> None:
    mask = Mask.from_array(np.ones((4, 4), bool), -2, 8)
    assert rle_to_mask(mask_to_rle(mask, (10, 10))).box == (0, 8, 2, 10)
    assert rle_to_mask(mask_to_rle(mask, (10, 5))).area == 0


def test_the_plane_may_be_larger_than_memory() -> None:
    mask = Mask.from_array(np.ones((3, 5), bool), 900_000, 1_000_000)
    rle = mask_to_rle(mask, (1_000_000, 2_000_000))
    assert rle_to_mask(rle).box == mask.box
    assert len(rle["counts"]) < 60


def test_bytes_are_read_too() -> None:
    plane = np.eye(7, dtype=bool)
    rle = coco.encode(np.asfortranarray(plane.astype(np.uint8)))
    np.testing.assert_array_equal(rle_to_mask(rle).to_array((7, 7)), plane)


@pytest.mark.parametrize("counts", [[3, 2], [3, -1, 2], [5, 5, 5]])
def test_counts_that_do_not_fill_the_plane_are_refused(counts: list[int]) -> None:
    with pytest.raises(ValueError, match="expected the 4 of a plane of 2 x 2"):
        rle_to_mask({"size": [2, 2], "counts": counts})


@pytest.mark.parametrize("text", ["T", "1!", "1\x7f"])
def test_what_is_no_string_of_counts_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no compressed run-length string"):
        decompress(text)
