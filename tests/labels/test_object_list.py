from __future__ import annotations

import copy

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.labels.census import iter_census
from napari_sam.labels.change import Change
from napari_sam.labels.object_list import ObjectList
from napari_sam.labels.objects import ObjectRecord
from napari_sam.labels.replace import plan_removal
from napari_sam.labels.store import ObjectStore
from napari_sam.labels.write import plan_mask
from napari_sam.masks import Mask

SHAPE = (3, 30, 40)


def counted(labels):
    *_, census = iter_census(labels)
    return census


def commit(labels, label, plane, y, x, *, side=6, overlap="replace", recorded=True):
    mask = Mask.from_array(np.ones((side, side), bool), y, x, predicted_iou=0.9)
    edit = plan_mask(labels, mask, label, plane=plane, overlap=overlap)
    put = (ObjectRecord.of(mask, label, plane),) if recorded else ()
    return Change(put=put, edits=(edit,))


def removal(labels, table, label, plane):
    mask = Mask.from_array(labels[plane] == label)
    record = table.get(label, plane)
    gone = () if record is None else (record,)
    return Change(drop=gone, edits=(plan_removal(labels, mask, label, plane=plane),))


actions = st.tuples(
    st.sampled_from(["commit", "paint", "delete", "undo", "review"]),
    st.integers(1, 4),
    st.integers(0, 2),
    st.integers(0, 24),
    st.integers(0, 34),
)


@given(st.lists(actions, max_size=12))
def test_kept_up_to_date_it_is_what_a_new_one_would_be(plan):
    labels = np.zeros(SHAPE, np.uint16)
    labels[0, 2:9, 3:12], labels[1, 5:9, 3:12], labels[2, 20:, 30:] = 1, 1, 2
    store, done = ObjectStore(), []
    listed = ObjectList(SHAPE, counted(labels))
    for what, label, z, y, x in plan:
        if what == "undo":
            change = done.pop().inverse() if done else Change()
        elif what == "delete":
            change = removal(labels, store.table, label, (z,))
        elif what == "review":
            record = store.table.get(label, (z,))
            change = Change(put=() if record is None else (record.reviewed(),))
        else:
            change = commit(labels, label, (z,), y, x, recorded=what == "commit")
        change = store.apply(change, labels)
        listed.apply(change)
        if what != "undo":
            done.append(change)
    new = ObjectList(SHAPE, counted(labels), store.table)
    assert listed.rows["label"].tolist() == new.rows["label"].tolist()
    for field in ("first", "last", "n_planes", "area", "n_missing", "is_reviewed"):
        assert listed.rows[field].tolist() == new.rows[field].tolist()
    for row in range(len(new.rows)):
        assert listed.index(int(new.rows["label"][row])) == row


@given(st.lists(actions, max_size=8), st.lists(st.integers(0, 2), max_size=8))
def test_what_was_changed_while_it_was_counted_is_counted_once(plan, steps):
    """The census reads one plane after the other, changes come in between."""
    labels = np.zeros(SHAPE, np.uint16)
    labels[0, 2:9, 3:12], labels[1, 5:9, 3:12], labels[2, 20:, 30:] = 1, 1, 2
    store, done = ObjectStore(), []
    counting, census = iter_census(labels), None
    for (what, label, z, y, x), n_blocks in zip(plan, [*steps, *[1] * 8], strict=False):
        for _ in range(n_blocks):
            census = next(counting, census)
        if what == "delete":
            change = removal(labels, store.table, label, (z,))
        elif what == "undo":
            change = done[-1].inverse() if done else Change()
        else:
            change = commit(labels, label, (z,), y, x, recorded=what == "commit")
        done.append(store.apply(change, labels))
    *_, census = [census, *counting]
    listed = ObjectList(SHAPE, census)
    listed.catch_up(done, labels)
    new = ObjectList(SHAPE, counted(labels), store.table)
    assert listed.rows["label"].tolist() == new.rows["label"].tolist()
    assert listed.rows["area"].tolist() == new.rows["area"].tolist()


def test_a_copy_keeps_what_there_was():
    labels = np.zeros(SHAPE, np.uint16)
    listed = ObjectList(SHAPE, counted(labels))
    before = copy.copy(listed)
    listed.apply(commit(labels, 3, (1,), 4, 4))
    assert listed.rows["label"].tolist() == [3]
    assert len(before.rows) == 0
    assert listed.index(3) == 0
    assert before.index(3) is None


def test_parts_of_one_object():
    labels = np.zeros(SHAPE, np.uint16)
    labels[:2, 5:9, 5:9] = 7
    record = ObjectRecord(7, (1,), (5, 5, 9, 9), 16, predicted_iou=0.4)
    listed = ObjectList(SHAPE, counted(labels), [record])
    parts = listed.parts(7)
    assert parts["plane"].tolist() == [[0], [1]]
    assert parts["predicted_iou"].tolist()[1] == 0.4
    assert listed.reasons(0) == ["low IoU 0.40"]
    assert len(listed.parts(8)) == 0


def test_an_empty_change_changes_nothing():
    listed = ObjectList((30, 40))
    listed.apply(Change())
    assert len(listed.rows) == len(listed.suspicion) == 0


def test_among_many_an_object_more_is_no_look_at_all_of_them(monkeypatch):
    """What is already listed is not even copied."""
    labels = np.zeros((1, 400, 400), np.uint16)
    records = [
        ObjectRecord(i + 1, (0,), (i // 20, 0, i // 20 + 9, 9), 60 + i % 7) for i in range(300)
    ]
    listed = ObjectList(labels.shape, None, records)
    listed.apply(commit(labels, 301, (0,), 4, 4))
    before = listed.rows
    listed.apply(commit(labels, 302, (0,), 20, 20, side=90))
    assert np.shares_memory(before, listed.rows)
    new = ObjectList(labels.shape, None, records)
    assert listed.suspicion[:300].tolist() == new.suspicion.tolist()
    assert listed.suspicion[301] > 0
    assert any("usual size" in reason for reason in listed.reasons(301))
    copied = copy.copy(listed)
    listed.apply(commit(labels, 7, (0,), 30, 30))
    assert copied.rows["area"][6] == 66
    assert listed.rows["area"][6] == 36
    assert listed.rows["label"].tolist() == list(range(1, 303))
