from __future__ import annotations

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.labels.planes_of import planes_of

BOX = (10, 20, 18, 30)


def put(labels, *planes, box=BOX, label=3):
    y0, x0, y1, x1 = box
    for plane in planes:
        labels[(*plane, slice(y0, y1), slice(x0, x1))] = label


@pytest.mark.parametrize("kind", ["numpy", "zarr"])
def test_an_object_is_followed_both_ways_until_it_ends(kind):
    labels = np.zeros((9, 40, 50), np.uint16)
    put(labels, (2,), (3,), (4,), (5,))
    put(labels, (6,), label=4)
    put(labels, (5,), box=(14, 26, 25, 40))  # it may move, and grow
    if kind == "zarr":
        labels = zarr.array(labels, chunks=(1, 20, 20))
    found = planes_of(labels, 3, {(4,): BOX})
    assert list(found) == [(2,), (3,), (4,), (5,)]
    assert found[2,] == BOX
    assert found[5,] == (10, 20, 25, 40)


def test_beyond_a_gap_it_is_found_if_that_is_known():
    labels = np.zeros((9, 40, 50), np.uint16)
    put(labels, (1,), (2,), (5,), (6,))
    assert list(planes_of(labels, 3, {(1,): BOX})) == [(1,), (2,)]
    assert list(planes_of(labels, 3, {(1,): BOX, (6,): BOX})) == [(1,), (2,), (5,), (6,)]


def test_a_box_that_is_known_goes_before_one_that_is_guessed():
    labels = np.zeros((2, 40, 50), np.uint8)
    put(labels, (0,), (1,))
    put(labels, (1,), box=(30, 40, 35, 45))  # apart from the rest
    whole = (10, 20, 35, 45)
    assert planes_of(labels, 3, {(1,): whole, (0,): BOX})[1,] == whole
    assert planes_of(labels, 3, {(0,): BOX, (1,): whole})[1,] == whole


def test_branches_are_followed_back_from_where_they_meet():
    labels = np.zeros((5, 40, 300), np.uint8)
    there, whole = (10, 200, 18, 210), (10, 20, 18, 210)
    put(labels, (0,), (1,), (2,))
    put(labels, (1,), (2,), box=there)
    put(labels, (3,), box=whole)
    found = planes_of(labels, 3, {(0,): BOX})
    assert found == {(0,): BOX, (1,): whole, (2,): whole, (3,): whole}


def test_it_is_followed_through_time_and_space_and_a_flat_image_has_one_plane():
    labels = np.zeros((3, 4, 40, 50), np.uint8)
    put(labels, (0, 1), (1, 1), (1, 2))
    put(labels, (2, 3))  # touches none of the others
    assert list(planes_of(labels, 3, {(1, 1): BOX})) == [(0, 1), (1, 1), (1, 2)]
    assert planes_of(labels[0, 1], 3, {(): BOX}) == {(): BOX}


def test_what_is_not_there_is_on_no_plane():
    assert planes_of(np.zeros((3, 40, 50), np.uint8), 3, {(1,): BOX}) == {}


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.data())
def test_it_is_the_run_of_planes_around_a_known_one(is_there, data):
    labels = np.zeros((len(is_there), 40, 50), np.uint8)
    put(labels, *((z,) for z, there in enumerate(is_there) if there))
    known = data.draw(st.integers(0, len(is_there) - 1))
    expected, z = [], known
    if is_there[known]:
        while z > 0 and is_there[z - 1]:
            z -= 1
        while z < len(is_there) and is_there[z]:
            expected.append((z,))
            z += 1
    assert list(planes_of(labels, 3, {(known,): BOX})) == expected
