from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.labels import LabelsPyramid, create_labels, write_mask
from napari_sam.labels.block_mode import block_mode, mode_2x2
from napari_sam.labels.levels import level_factors, update_levels
from napari_sam.masks import Mask


def slow_mode(labels, factors=(2, 2)):
    """Count each block by hand; the last row or column of one that is cut off counts again."""
    shape = [-(-n // by) for n, by in zip(labels.shape, factors, strict=True)]
    coarse = np.zeros(shape, dtype=labels.dtype)
    for index in np.ndindex(*shape):
        places = np.ndindex(*factors)
        corners = (np.multiply(index, factors) + place for place in places)
        block = [labels[tuple(np.minimum(at, np.array(labels.shape) - 1))] for at in corners]
        coarse[index] = Counter(block).most_common(1)[0][0]
    return coarse


@given(
    hnp.arrays(
        np.uint16,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
        elements=st.integers(0, 3),
    )
)
def test_mode_is_the_most_frequent_label_first_come_first(labels):
    np.testing.assert_array_equal(mode_2x2(labels), slow_mode(labels))
    np.testing.assert_array_equal(mode_2x2(labels[None])[0], slow_mode(labels))


@given(
    hnp.arrays(
        np.uint8,
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=7),
        elements=st.integers(0, 3),
    ),
    st.tuples(*[st.integers(1, 4)] * 3),
)
def test_so_it_is_in_blocks_of_any_size(labels, factors):
    np.testing.assert_array_equal(block_mode(labels, factors), slow_mode(labels, factors))


def assert_up_to_date(pyramid):
    for fine, coarse in zip(pyramid.levels, pyramid.levels[1:], strict=False):
        for plane in np.ndindex(*fine.shape[:-2]):
            np.testing.assert_array_equal(coarse[plane], slow_mode(fine[plane]))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_updating_what_changed_is_as_good_as_all(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("pyramid") / "labels.zarr"
    pyramid = create_labels(path, (2, 41, 67), chunks=(2, 8, 9))
    for label in range(1, 4):
        array = np.ones(data.draw(st.tuples(st.integers(1, 30), st.integers(1, 30))), dtype=bool)
        y0, x0 = data.draw(st.tuples(st.integers(-5, 40), st.integers(-5, 66)))
        mask, plane = Mask.from_array(array, y0, x0), data.draw(st.integers(0, 1))
        edit = write_mask(pyramid.data, mask, label, plane=plane, overlap="replace")
        pyramid.update(edit.region)
        assert_up_to_date(pyramid)
    edit.undo(pyramid.data)
    pyramid.update(edit.region)
    assert_up_to_date(pyramid)


def test_update_of_everything_forgets_what_is_gone(tmp_path):
    pyramid = create_labels(tmp_path / "a.zarr", (100, 100), chunks=(16, 16))
    pyramid.data[:, :] = np.random.default_rng(0).integers(0, 4, (100, 100))
    pyramid.update()
    assert_up_to_date(pyramid)
    pyramid.data[:, :] = 0
    pyramid.update()
    assert not any(level[...].any() for level in pyramid.levels)


def test_open_ended_regions(tmp_path):
    pyramid = create_labels(tmp_path / "a.zarr", (2, 50, 50), chunks=(1, 16, 16))
    pyramid.data[1] = 3
    pyramid.update((slice(1, None), slice(None), slice(None)))
    assert_up_to_date(pyramid)


def test_a_click_on_a_huge_image_reads_a_few_chunks(tmp_path, monkeypatch):
    pyramid = create_labels(tmp_path / "a.zarr", (10, 100_000, 100_000))
    mask = Mask.from_array(np.ones((60, 60), dtype=bool), 70_000, 1_000)
    edit = write_mask(pyramid.data, mask, 1, plane=5)
    n_elements = []
    read = zarr.Array.__getitem__

    def counted(array, region):
        part = read(array, region)
        n_elements.append(np.size(part))
        return part

    monkeypatch.setattr(zarr.Array, "__getitem__", counted)
    pyramid.update(edit.region)
    assert sum(n_elements) < 2 * 62**2
    n_elements.clear()
    pyramid.update()
    assert max(n_elements) <= 1024**2
    assert len(n_elements) < 10 * len(pyramid.levels)
    assert pyramid.levels[1][5, 35_000:35_030, 500:530].all()


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize(
    "factors", [(1, 3, 3), (1, 4, 4), (2, 2, 2), (1, 2, 3), (1, 1, 1)], ids=str
)
def test_levels_of_any_whole_factors_follow(factors, in_memory):
    shapes = [(3, 50, 67)]
    while len(shapes) < 3:  # rounded up, then down
        rounded = -np.array(shapes[-1]) if len(shapes) == 1 else np.array(shapes[-1])
        shapes.append(tuple(np.maximum(abs(rounded // factors), 1).tolist()))
    if in_memory:
        levels = [np.zeros(shape, np.uint16) for shape in shapes]
    else:
        levels = [
            zarr.create_array({}, shape=shape, chunks=(1, 9, 8), dtype="uint16") for shape in shapes
        ]
    rng = np.random.default_rng(0)
    for label in range(1, 6):
        y, x = rng.integers(-5, 60, 2).tolist()
        mask = Mask.from_array(rng.random((19, 23)) < 0.9, y, x)
        edit = write_mask(levels[0], mask, label, plane=label % 3, overlap="replace")
        update_levels(levels, edit.region)
    for fine, coarse in pairwise(levels):
        expected = slow_mode(np.asarray(fine), level_factors(fine.shape, coarse.shape))
        there = tuple(map(slice, coarse.shape))  # rounded down, the last block is left out
        np.testing.assert_array_equal(coarse[...], expected[there])


def test_levels_of_no_whole_factor_are_refused(tmp_path):
    group = zarr.create_group(tmp_path / "a.zarr")
    levels = [
        group.create_array(name, shape=shape, dtype="uint8")
        for name, shape in (("0", (64, 64)), ("1", (25, 25)))
    ]
    with pytest.raises(ValueError, match=r"shape \(25, 25\) .*\(64, 64\); expected each axis"):
        LabelsPyramid(group, tuple(levels)).update()


def test_what_is_written_into_the_pyramid_itself_is_in_all_levels(tmp_path):
    pyramid = create_labels(tmp_path / "a.zarr", (2, 50, 50), chunks=(1, 16, 16), dtype="uint8")
    assert (pyramid.shape, pyramid.dtype) == ((2, 50, 50), np.uint8)
    mask = Mask.from_array(np.ones((20, 30), dtype=bool), 7, 9)
    edit = write_mask(pyramid, mask, 4, plane=1)
    assert_up_to_date(pyramid)
    assert (pyramid[1, 7:27, 9:39] == 4).all()
    edit.undo(pyramid)
    assert not any(level[...].any() for level in pyramid.levels)
