from __future__ import annotations

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label as connected

from napari_sam.labels.object_at import object_at


class CountingArray:
    """A numpy array that counts the elements that are read."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.n_read = 0

    def __getitem__(self, region):
        self.n_read += self.array[region].size
        return self.array[region]


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)), st.data())
def test_all_that_is_connected_to_a_pixel_is_found(array, data):
    array = np.kron(array, np.ones((23, 17), bool))  # larger than the first box
    if not array.any():
        return
    parts = connected(array, connectivity=1)
    y, x = data.draw(st.sampled_from(np.argwhere(array)[::53].tolist()))
    labels = np.where(array, 5, 0).astype(np.uint16)
    found = object_at(labels, 5, near=(y, x)).to_array(array.shape)
    assert found[parts == parts[y, x]].all()
    assert not found[~array].any()


def test_a_ring_is_found_from_any_side_and_others_are_left_out():
    y, x = np.ogrid[:500, :600]
    distance = np.hypot(y - 250, x - 300)
    ring = (distance < 200) & (distance > 180)
    labels = np.zeros((3, 500, 600), np.uint8)
    labels[1][ring] = 7
    labels[1][distance < 100] = 8
    for near in ((60, 300), (439.6, 300), (250, 110.2), (250, 490)):
        mask = object_at(labels, 7, plane=1, near=near)
        assert mask.area == ring.sum()
        assert mask.to_array((500, 600))[ring].all()


@pytest.mark.parametrize("kind", ["numpy", "zarr"])
def test_a_box_begins_where_the_object_was_and_finds_all_in_it(kind):
    labels = np.zeros((400, 400), np.uint16)
    labels[10:20, 10:20] = labels[300:320, 350:400] = 3
    if kind == "zarr":
        labels = zarr.array(labels, chunks=(50, 50))
    assert object_at(labels, 3, box=(12, 12, 18, 18)).box == (10, 10, 20, 20)
    assert object_at(labels, 3, box=(10, 10, 320, 400)).area == 100 + 1000
    assert object_at(labels, 3, box=(-5, -5, 20, 20), near=(310, 360)).area == 100 + 1000
    assert object_at(labels, 3, box=(12, 12, 15, 800)).area == 100


def test_only_a_box_around_the_object_is_read():
    labels = CountingArray(np.zeros((5000, 5000), np.uint8))
    labels.array[2000:2200, 3000:3100] = 1
    assert object_at(labels, 1, near=(2000, 3000)).area == 20_000
    assert labels.n_read < 30 * 20_000


def test_an_object_that_is_not_there_is_empty():
    labels = np.zeros((50, 50), np.uint8)
    assert object_at(labels, 1, near=(3, 3)).area == 0
    assert object_at(labels, 1, box=(60, 60, 90, 90)).area == 0
    assert object_at(labels, 1, near=(-900, 3)).area == 0


def test_without_a_place_there_is_nothing_to_look_at():
    with pytest.raises(ValueError, match="Neither near nor box"):
        object_at(np.zeros((50, 50), np.uint8), 1)
    with pytest.raises(ValueError, match="no plane 4"):
        object_at(np.zeros((3, 50, 50), np.uint8), 1, plane=4, near=(0, 0))
