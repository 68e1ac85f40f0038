from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from zarr.storage import MemoryStore, WrapperStore

from napari_sam.labels import write_mask
from napari_sam.labels.chunks import stored_chunks
from napari_sam.labels.write import plan_mask
from napari_sam.masks import Candidates, Mask

SQUARE = Mask.from_array(np.ones((10, 10), dtype=bool), 20, 30)


class CountingStore(WrapperStore[MemoryStore]):
    """Remembers which chunks were read and written."""

    def __init__(self, store):
        super().__init__(store)
        self.read: set[str] = set()
        self.written: set[str] = set()

    async def get(self, key, *args, **kwargs):
        self.read.add(key)
        return await super().get(key, *args, **kwargs)

    async def set(self, key, *args, **kwargs):
        self.written.add(key)
        await super().set(key, *args, **kwargs)


class CountingArray:
    """A numpy array that counts the elements that are read and written."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.n_read = self.n_written = 0

    def __getitem__(self, region):
        part = self.array[region].copy()
        self.n_read += part.size
        return part

    def __setitem__(self, region, values):
        self.array[region] = values
        self.n_written += np.size(values)


def new_labels(kind, values):
    if kind == "numpy":
        return values.copy()
    chunks = (1,) * (values.ndim - 2) + (7, 9)
    labels = zarr.create_array(MemoryStore(), shape=values.shape, chunks=chunks, dtype=values.dtype)
    labels[...] = values
    return labels


@given(st.data())
def test_any_write_changes_exactly_its_pixels_and_is_undone_exactly(data):
    kind = data.draw(st.sampled_from(["numpy", "zarr"]))
    dtype = data.draw(st.sampled_from([np.uint8, np.int16, np.uint32]))
    values = data.draw(hnp.arrays(dtype, (2, 15, 20), elements=st.integers(0, 5)))
    array = data.draw(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)))
    mask = Mask.from_array(array, data.draw(st.integers(-8, 16)), data.draw(st.integers(-8, 21)))
    overlap = data.draw(st.sampled_from(["keep", "replace", "erase"]))
    label, plane = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 1))

    labels = new_labels(kind, values)
    edit = write_mask(labels, mask, label, plane=plane, overlap=overlap)

    expected = values.copy()
    covered = mask.to_array((15, 20))
    if overlap == "keep":
        covered &= values[plane] == 0
    expected[plane][covered] = 0 if overlap == "erase" else label
    np.testing.assert_array_equal(np.asarray(labels[...]), expected)
    assert edit.n_changed == (expected != values).sum()

    edit.undo(labels)
    assert np.asarray(labels[...]).tobytes() == values.tobytes()
    edit.redo(labels)
    assert np.asarray(labels[...]).tobytes() == expected.tobytes()


@pytest.mark.parametrize("percent", [0, 50, 95, 100])
def test_overlap_rules_on_an_object_that_is_covered(percent):
    old = np.zeros((60, 60), dtype=np.uint16)
    old[20:30, 20:30] = 1
    array = np.zeros((10, 10), dtype=bool)
    array.ravel()[: 100 * percent // 100] = True
    array = np.vstack([np.ones((5, 10), dtype=bool), array])  # and half as much beside it
    mask = Mask.from_array(array, 15, 20)

    kept, replaced, erased = (old.copy() for _ in range(3))
    assert write_mask(kept, mask, 2).n_changed == 50
    assert ((kept == 1).sum(), (kept == 2).sum()) == (100, 50)

    assert write_mask(replaced, mask, 2, overlap="replace").n_changed == 50 + percent
    assert ((replaced == 1).sum(), (replaced == 2).sum()) == (100 - percent, 50 + percent)

    assert write_mask(erased, mask, 2, overlap="erase").n_changed == percent
    assert ((erased == 1).sum(), (erased == 2).sum()) == (100 - percent, 0)


def test_a_fully_covered_object_is_reported_not_lost_silently():
    labels = np.full((60, 60), 3, dtype=np.uint8)
    edit = write_mask(labels, SQUARE, 4)
    assert edit.n_changed == 0
    edit.undo(labels)
    assert (labels == 3).all()


def test_only_the_chunks_under_the_box_are_touched():
    store = CountingStore(MemoryStore())
    labels = zarr.create_array(
        store, name="labels", shape=(100, 20_000, 20_000), chunks=(1, 100, 100), dtype="uint32"
    )
    store.read.clear(), store.written.clear()
    mask = Mask.from_array(np.ones((50, 120), dtype=bool), 12_340, 999)
    edit = write_mask(labels, mask, 70_000, plane=42)
    under = {f"labels/c/42/123/{column}" for column in (9, 10, 11)}
    assert store.read == under
    assert store.written == under

    store.read.clear(), store.written.clear()
    edit.undo(labels)
    assert store.read == under
    assert store.written <= under
    assert stored_chunks(labels) == set()


def test_only_the_elements_under_the_box_are_touched():
    labels = CountingArray(np.zeros((3, 500, 500), dtype=np.uint16))
    edit = write_mask(labels, SQUARE, 1, plane=(1,))
    assert (labels.n_read, labels.n_written) == (100, 100)
    edit.undo(labels)
    assert (labels.n_read, labels.n_written) == (200, 200)
    assert not labels.array.any()
    assert edit.before.size == edit.changed.size == 100


@pytest.mark.parametrize(
    "box", [(-100, 0), (0, 200), (60, 0), (0, -10)], ids=["above", "right", "below", "left"]
)
def test_a_mask_outside_touches_nothing(box):
    labels = CountingArray(np.zeros((60, 60), dtype=np.uint16))
    edit = write_mask(labels, Mask.from_array(SQUARE.array, *box), 1)
    edit.undo(labels), edit.redo(labels)
    assert (edit.n_changed, labels.n_read, labels.n_written) == (0, 0, 0)


def test_an_empty_mask_touches_nothing():
    labels = CountingArray(np.zeros((60, 60), dtype=np.uint16))
    assert write_mask(labels, Mask.from_array(np.zeros((4, 4), dtype=bool)), 1).n_changed == 0
    assert (labels.n_read, labels.n_written) == (0, 0)


def read_only_numpy():
    labels = np.zeros((60, 60), dtype=np.uint8)
    labels.flags.writeable = False
    return labels


def read_only_zarr():
    store = MemoryStore()
    zarr.create_array(store, shape=(60, 60), dtype="uint8")
    return zarr.open_array(store, mode="r")


def numpy_of(dtype, shape=(60, 60)):
    return lambda: np.zeros(shape, dtype=dtype)


@pytest.mark.parametrize(
    ("make", "arguments", "error", "sentence"),
    [
        (lambda: da.zeros((60, 60), dtype=int), {}, TypeError, "dask array, which cannot be writ"),
        (lambda: [np.zeros((60, 60), int)], {}, TypeError, "pass the array of level 0"),
        (numpy_of(float), {}, TypeError, "dtype float64; expected integers"),
        (numpy_of(bool), {}, TypeError, "dtype bool; expected integers"),
        (numpy_of("uint8", 60), {}, ValueError, "expected at least rows"),
        (
            numpy_of("uint8", (3, 60, 60)),
            {},
            ValueError,
            r"no plane \(\) in labels of shape \(3, 60, 60\)",
        ),
        (
            numpy_of("uint8"),
            {"plane": 3},
            ValueError,
            r"no plane 3 .* 2-D, so the only plane is \(\)",
        ),
        (numpy_of("uint8", (3, 60, 60)), {"plane": 3}, ValueError, r"no plane 3 .* below \(3,\)"),
        (numpy_of("uint8", (3, 60, 60)), {"plane": -1}, ValueError, "no plane -1"),
        (numpy_of("uint8", (3, 60, 60)), {"plane": 1.0}, TypeError, "plane is 1.0; expected an in"),
        (numpy_of("uint8"), {"label": 0}, ValueError, "label is 0; expected at least 1"),
        (numpy_of("uint8"), {"label": -3}, ValueError, "label is -3"),
        (numpy_of("uint8"), {"label": 256}, ValueError, "uint8 and hold at most 255; convert"),
        (numpy_of("int8"), {"label": 128}, ValueError, "hold at most 127"),
        (numpy_of("uint8"), {"label": 1.5}, TypeError, "label is 1.5; expected an integer"),
        (numpy_of("uint8"), {"overlap": "merge"}, ValueError, "'merge'; expected keep, replace"),
        (read_only_numpy, {}, ValueError, "read-only; open them for writing"),
        (read_only_zarr, {}, ValueError, "read-only; open them for writing"),
    ],
)
def test_what_cannot_be_written_is_refused_with_a_sentence(make, arguments, error, sentence):
    labels = make()
    with pytest.raises(error, match=sentence):
        write_mask(labels, SQUARE, arguments.pop("label", 1), **arguments)
    assert not np.asarray(labels).any()


def test_what_is_no_mask_is_refused_with_a_sentence():
    labels = np.zeros((60, 60), dtype=np.uint8)
    for found in (Candidates((SQUARE,)), SQUARE.array):
        with pytest.raises(TypeError, match=f"Expected a Mask, .* found {type(found).__name__}"):
            write_mask(labels, found, 1)
    assert not labels.any()


def test_the_only_plane_needs_no_index():
    labels = np.zeros((1, 60, 60), dtype=np.uint8)
    assert write_mask(labels, SQUARE, 1).region == (0, slice(20, 30), slice(30, 40))


def test_a_plan_writes_nothing_and_is_what_a_write_does():
    labels = np.zeros((60, 60), dtype=np.uint16)
    labels[25, :] = 8
    written = labels.copy()
    edit = plan_mask(labels, SQUARE, 1)
    assert (np.unique(labels).tolist(), edit.n_changed) == ([0, 8], 90)
    write_mask(written, SQUARE, 1)
    edit.write(labels)
    np.testing.assert_array_equal(labels, written)
