from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.labels import create_labels
from napari_sam.labels.change import Change
from napari_sam.labels.journal import ObjectJournal
from napari_sam.labels.store import ObjectStore

from .changes import commit, content, together


class FailingArray:
    """An array that refuses to be written the second time."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.n_left = 1

    def __getitem__(self, region):
        return self.array[region]

    def __setitem__(self, region, values):
        half = (values.shape[0] + 1) // 2
        if self.n_left == 0:
            self.array[region][:half] = values[:half]
            self.n_left = 1
            raise OSError(28, "No space left on device")
        self.n_left -= 1
        self.array[region] = values


def test_a_change_and_its_inverse_go_through_labels_and_table():
    labels = np.zeros((50, 50), np.uint16)
    store = ObjectStore()
    done = store.apply(commit(labels, 1, y=5, x=5), labels)
    assert (labels == 1).sum() == done.n_changed > 0
    assert [record.label for record in store.table] == [1]
    undone = store.apply(done.inverse(), labels)
    assert not labels.any()
    assert not len(store.table)
    store.apply(undone.inverse(), labels)
    assert (labels == 1).sum() == done.n_changed
    assert len(store.table) == 1


def test_a_record_that_is_replaced_comes_back():
    labels = np.zeros((50, 50), np.uint16)
    store = ObjectStore()
    (record,) = store.apply(commit(labels, 1), labels).put
    reviewed = store.apply(Change(put=(record.reviewed(),)), labels)
    assert store.table.get(1, ()).is_reviewed
    store.apply(reviewed.inverse(), labels)
    assert not store.table.get(1, ()).is_reviewed


def test_what_was_painted_since_stays():
    labels = np.zeros((50, 50), np.uint16)
    store = ObjectStore()
    done = store.apply(commit(labels, 1, y=5, x=5), labels)
    labels[5:8, 5] = 9
    undone = store.apply(done.inverse(), labels)
    assert labels[5:8, 5].tolist() == [9, 9, 9]
    assert np.count_nonzero(labels) == 3
    labels[12:14, 5] = 4
    store.apply(undone.inverse(), labels)
    assert labels[12:14, 5].tolist() == [4, 4]
    assert (labels == 1).sum() == done.n_changed - 5


def test_labels_that_refuse_the_rest_are_put_back(tmp_path):
    array = np.zeros((50, 50), np.uint16)
    labels = FailingArray(array)
    store = ObjectStore(journal=ObjectJournal.begin(tmp_path / "objects.jsonl"))
    store.apply(commit(labels, 1), labels)
    before, size = array.copy(), (tmp_path / "objects.jsonl").stat().st_size
    with pytest.raises(OSError, match="as the labels cannot be written, the disk is full"):
        store.apply(commit(labels, 2, y=20), labels)
    np.testing.assert_array_equal(array, before)
    assert [record.label for record in store.table] == [1]
    assert (tmp_path / "objects.jsonl").stat().st_size == size
    labels.n_left = 9
    store.apply(commit(labels, 3, y=20), labels)
    reopened = ObjectJournal.open(tmp_path / "objects.jsonl", labels)
    assert content(reopened.table) == content(store.table)


def test_what_is_refused_on_one_plane_is_on_none(tmp_path):
    array = np.zeros((3, 50, 50), np.uint16)
    labels = FailingArray(array)
    store = ObjectStore(journal=ObjectJournal.begin(tmp_path / "objects.jsonl"))
    change = together(*(commit(labels, 1, plane=(z,)) for z in range(3)))
    with pytest.raises(OSError, match="as the labels cannot be written"):
        store.apply(change, labels)
    assert not array.any()
    assert not len(store.table)
    assert not len(ObjectJournal.open(tmp_path / "objects.jsonl", array).table)
    labels.n_left = 9
    store.apply(change, labels)
    assert array.any(axis=(1, 2)).all()


@settings(max_examples=30)
@given(st.data())
def test_replaying_all_lines_gives_the_labels_and_the_records(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("store")
    labels = create_labels(folder / "a.zarr", (2, 40, 40), chunks=(1, 16, 16))
    path = folder / "objects.jsonl"
    store = ObjectStore(journal=ObjectJournal.open(path, labels))
    done = []
    for label in range(1, data.draw(st.integers(2, 12))):
        if done and data.draw(st.booleans()):
            step = done.pop(data.draw(st.integers(0, len(done) - 1)))
            store.apply(step.inverse(), labels)
        else:
            place = {name: data.draw(st.integers(-3, 35)) for name in "yx"}
            rule = data.draw(st.sampled_from(["keep", "replace", "erase"]))
            planes = data.draw(st.sampled_from([[0], [1], [0, 1]]))
            changes = (commit(labels, label, plane=(z,), overlap=rule, **place) for z in planes)
            done.append(store.apply(together(*changes), labels))

    empty = np.zeros((2, 40, 40), np.uint16)
    replayed = ObjectJournal.replay(path, empty)
    np.testing.assert_array_equal(empty, labels.data[...])
    assert content(replayed.table) == content(store.table)
    assert content(ObjectJournal.open(path, labels).table) == content(store.table)
    np.testing.assert_array_equal(empty, labels.data[...])
