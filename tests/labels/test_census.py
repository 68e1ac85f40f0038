from __future__ import annotations

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from zarr.storage import MemoryStore

from napari_sam.labels import census as census_module
from napari_sam.labels.census import Census, Progress, iter_census


def count(labels, **limits):
    *progress, census = iter_census(labels, **limits)
    assert isinstance(census, Census)
    assert all(isinstance(each, Progress) for each in progress)
    assert [each.n_done for each in progress] == list(range(1, len(progress) + 1))
    return census


def expected(labels):
    """Return {(label, plane): (box, area)}, counted one by one."""
    found = {}
    for plane in np.ndindex(*labels.shape[:-2]):
        for label in np.unique(labels[plane][labels[plane] > 0]):
            y, x = np.nonzero(labels[plane] == label)
            box = (y.min(), x.min(), y.max() + 1, x.max() + 1)
            found[int(label), plane] = tuple(map(int, box)), len(y)
    return found


def as_dict(parts):
    return {
        (int(part["label"]), tuple(part["plane"].tolist())): (
            tuple(part["box"].tolist()),
            int(part["area"]),
        )
        for part in parts
    }


arrays = hnp.arrays(
    np.int16,
    hnp.array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=7),
    elements=st.integers(-1, 4),
)


@given(arrays, st.integers(1, 4), st.sampled_from(["numpy", "zarr", "sharded", "v2"]))
def test_it_is_what_counting_one_by_one_gives(labels, side, kind):
    array = labels
    if kind != "numpy":
        chunks = tuple(min(side, n) for n in labels.shape)
        layout = {"sharded": {"shards": tuple(2 * n for n in chunks)}, "v2": {"zarr_format": 2}}
        array = zarr.create_array(
            MemoryStore(), shape=labels.shape, chunks=chunks, dtype=labels.dtype, fill_value=0,
            **layout.get(kind, {}),
        )  # fmt: skip
        array[...] = labels
    found = count(array)
    assert as_dict(found.parts) == expected(labels)
    keys = list(as_dict(found.parts))
    assert keys == sorted(keys)
    assert found.highest == max(0, labels.max())
    assert found.is_complete
    assert found.shape == labels.shape
    assert np.isnan(found.parts["predicted_iou"]).all()


def test_objects_reach_over_blocks_of_a_plane(monkeypatch):
    monkeypatch.setattr(census_module, "BLOCK_SIDE", 10)
    labels = np.zeros((2, 25, 35), np.uint8)
    labels[1, 3:24, 8:31] = 5
    labels[0, 24, 34] = 5
    assert as_dict(count(labels).parts) == expected(labels)
    assert len(list(iter_census(labels))) == 2 * 3 * 4 + 1


def test_of_a_huge_zarr_array_only_the_stored_chunks_are_read():
    labels = zarr.create_array(
        MemoryStore(), shape=(500, 10**6, 10**6), chunks=(1, 500, 500), dtype="uint32", fill_value=0
    )
    assert len(count(labels).parts) == 0
    labels[3, 999_990:, 999_990:] = 17
    labels[400, 499:502, 10:20] = 5
    *progress, found = iter_census(labels)
    assert progress[-1] == Progress(3, 3)
    assert as_dict(found.parts) == {
        (5, (400,)): ((499, 10, 502, 20), 30),
        (17, (3,)): ((999_990, 999_990, 1_000_000, 1_000_000), 100),
    }


def test_what_is_not_stored_holds_the_fill_value():
    labels = zarr.create_array(
        MemoryStore(), shape=(90, 90), chunks=(30, 30), dtype="uint8", fill_value=9
    )
    labels[:3, :3] = 4
    assert as_dict(count(labels).parts) == expected(labels[...])


def test_a_list_that_would_be_too_long_ends_and_says_so():
    labels = np.zeros((50, 20, 20), np.uint16)
    labels[:, 4:8, 4:8] = np.arange(1, 51)[:, None, None]
    found = count(labels, most_parts=10)
    assert not found.is_complete
    assert found.parts["label"].tolist() == list(range(1, 11))
    assert found.highest == 50  # of those that are not listed too
    assert count(labels, most_parts=51).is_complete


def test_it_can_be_stopped_at_any_block():
    counting = iter_census(np.ones((30, 5, 5), np.uint8))
    assert next(counting) == Progress(1, 30)
    counting.close()


def test_labels_are_integers():
    with pytest.raises(TypeError, match="float64"):
        next(iter_census(np.zeros((4, 4))))
