from __future__ import annotations

import json
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_sam.labels.change import Change
from napari_sam.labels.journal import SPARE_LINES, ObjectJournal
from napari_sam.labels.patch import Patch
from napari_sam.labels.store import ObjectStore

from .changes import commit, content, together


@pytest.fixture
def path(tmp_path):
    return tmp_path / "objects.jsonl"


@pytest.fixture
def labels():
    return np.zeros((60, 60), np.uint16)


def keep_three(path, labels):
    """Return the states of table and labels after none, one, two and three commits."""
    store = ObjectStore(journal=ObjectJournal.open(path, labels))
    states = [([], labels.copy())]
    for label in (1, 2, 3):
        store.apply(commit(labels, label, y=15 * label), labels)
        states.append((content(store.table), labels.copy()))
    return states


def test_people_can_read_it(path, labels):
    keep_three(path, labels)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {"napari_sam_objects": 1}
    (record,) = lines[3]["put"]
    assert record["label"] == 2
    assert record["points"] == [[30.5, 0.0, "+"], [39.0, 9.0, "-"]]
    assert record["prompt_box"] == [30.0, 0.0, 39.0, 9.0]
    assert (record["model"], record["predicted_iou"], record["reviewed"]) == ("nano", 0.9, False)
    assert record["stability_score"] is None
    assert lines[4] == {"written": True}


def test_nothing_is_made_before_something_happens(path, labels):
    assert not len(ObjectJournal.open(path, labels).table)
    assert not path.exists()


def test_it_goes_on_after_it_was_closed(path, labels):
    states = keep_three(path, labels)
    store = ObjectStore(journal=ObjectJournal.open(path, labels))
    assert content(store.table) == states[-1][0]
    store.apply(commit(labels, 4, y=0, x=30), labels)
    assert len(ObjectJournal.open(path, labels).table) == 4


def test_wherever_it_is_torn_the_lines_before_count_and_more_can_follow(path, labels):
    states = keep_three(path, labels)
    whole = path.read_bytes()
    complete = [0] + [i for i in range(len(whole)) if whole[i : i + 1] == b"\n"]
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        n_lines = sum(line < end for line in complete[1:])  # the header, then two for each
        table, pixels = states[n_lines // 2]
        again = pixels.copy()
        store = ObjectStore(journal=ObjectJournal.open(path, again))
        assert content(store.table) == table
        np.testing.assert_array_equal(again, pixels)
        if end % 5 == 0:
            store.apply(commit(again, 9, x=30), again)
            assert len(ObjectJournal.open(path, again).table) == len(table) + 1


def test_zeros_at_the_end_are_torn_too(path, labels):
    states = keep_three(path, labels)
    path.write_bytes(path.read_bytes() + b"\0" * 300)
    store = ObjectStore(journal=ObjectJournal.open(path, labels))
    assert content(store.table) == states[-1][0]
    store.apply(commit(labels, 4, x=30), labels)
    assert b"\0" not in path.read_bytes()


@pytest.mark.parametrize("n_rows", [0, 4, 10])
def test_a_change_that_is_half_written_is_completed(path, labels, n_rows):
    keep_three(path, labels)
    change = commit(labels, 4, y=20, x=30)
    expected = labels.copy()
    change.edits[0].write(expected)
    journal = ObjectJournal.open(path, labels)
    journal.append(change)  # and here the process dies
    labels[20 : 20 + n_rows] = expected[20 : 20 + n_rows]
    reopened = ObjectJournal.open(path, labels)
    np.testing.assert_array_equal(labels, expected)
    assert reopened.table.get(4, ()) is not None


@pytest.mark.parametrize("n_written", [0, 1, 3])
def test_a_change_of_several_planes_is_one_line_and_completed(path, monkeypatch, n_written):
    labels = np.zeros((4, 60, 60), np.uint16)
    store = ObjectStore(journal=ObjectJournal.open(path, labels))
    store.apply(commit(labels, 1, plane=(0,)), labels)
    n_lines, n_syncs = len(path.read_bytes().splitlines()), []
    monkeypatch.setattr(os, "fsync", n_syncs.append)
    change = together(*(commit(labels, 2, y=20, x=5 * z, plane=(z,)) for z in range(4)))
    store.journal.append(change)
    assert len(path.read_bytes().splitlines()) == n_lines + 1
    assert len(n_syncs) == 1
    expected = labels.copy()
    for n, edit in enumerate(change.edits):
        edit.write(expected)
        if n < n_written:  # and here the process dies
            edit.write(labels)
    reopened = ObjectJournal.open(path, labels)
    np.testing.assert_array_equal(labels, expected)
    assert [record.plane for record in reopened.table if record.label == 2] == [
        (0,),
        (1,),
        (2,),
        (3,),
    ]


def test_a_journal_with_one_region_a_line_can_still_be_read(path, labels):
    states = keep_three(path, labels)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    for line in lines:
        if "edit" in line:
            [line["edit"]["region"]] = line["edit"].pop("regions")
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = np.zeros_like(labels)
    assert content(ObjectJournal.replay(path, again).table) == states[-1][0]
    np.testing.assert_array_equal(again, labels)


def test_what_was_painted_after_a_change_stays(path, labels):
    keep_three(path, labels)
    labels[45:50, :] = 0  # erased by hand, in the last object
    painted = labels.copy()
    ObjectJournal.open(path, labels)
    np.testing.assert_array_equal(labels, painted)


@pytest.mark.parametrize("line", [1, 3, 4])
@pytest.mark.parametrize("damage", [b"garbage", b'{"put": 3}', b"[]", b""])
def test_a_damaged_line_is_named_and_the_file_stays(path, labels, line, damage):
    keep_three(path, labels)
    lines = path.read_bytes().split(b"\n")
    lines[line] = damage
    path.write_bytes(b"\n".join(lines))
    before = path.read_bytes()
    with pytest.raises(ValueError, match=rf"Line {line + 1} of .*objects.jsonl is damaged"):
        ObjectJournal.open(path, labels)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"napari_sam_objects": 7}\n', "journal of version 7, expected 1"),
        ('{"something": 1}\n', "no journal of objects"),
        ("a,b,c\n1,2,3\n", "no journal of objects"),
        ("[1]\n", "no journal of objects"),
        ("notes without an end", "no journal of objects"),
    ],
)
def test_other_files_and_versions_are_refused_and_stay(path, labels, text, sentence):
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        ObjectJournal.open(path, labels)
    assert path.read_text() == text


def test_many_lines_for_few_objects_are_rewritten(path, labels, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)  # it takes long
    store = ObjectStore(journal=ObjectJournal.begin(path, about={"image": "cells"}))
    (record,) = store.apply(commit(labels, 1), labels).put
    store.apply(commit(labels, 2, y=20), labels)
    for turn in range(SPARE_LINES + 10):
        store.apply(Change(put=(record.reviewed(turn % 2 == 0),)), labels)
    assert len(path.read_bytes().splitlines()) > SPARE_LINES
    reopened = ObjectStore(journal=ObjectJournal.open(path, labels))
    lines = path.read_text().splitlines()
    assert json.loads(lines[0]) == {"napari_sam_objects": 1, "image": "cells"}
    assert len(lines) == 3
    assert content(reopened.table) == content(store.table)
    reopened.apply(commit(labels, 3, y=40), labels)
    assert len(ObjectJournal.open(path, labels).table) == 3
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_file_that_cannot_be_rewritten_stays_long(path, labels, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    store = ObjectStore(journal=ObjectJournal.open(path, labels))
    (record,) = store.apply(commit(labels, 1), labels).put
    for _ in range(SPARE_LINES + 10):
        store.apply(Change(put=(record,)), labels)
    before = path.read_bytes()

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    assert len(ObjectJournal.open(path, labels).table) == 1
    assert path.read_bytes() == before


def test_a_full_disk_refuses_the_change_and_nothing_is_half_there(path, labels):
    resource = pytest.importorskip("resource", reason="limits the size of files on POSIX only")
    states = keep_three(path, labels)
    store = ObjectStore(journal=ObjectJournal.open(path, labels))
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(OSError, match=r"Nothing was changed, as .*jsonl cannot be written"):
            store.apply(commit(labels, 4, x=30), labels)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    np.testing.assert_array_equal(labels, states[-1][1])
    assert content(store.table) == states[-1][0]
    assert path.read_bytes() == before
    store.apply(commit(labels, 4, x=30), labels)
    assert len(ObjectJournal.open(path, labels).table) == 4


def test_a_line_that_is_not_on_the_disk_does_not_count(path, labels, monkeypatch):
    keep_three(path, labels)
    store = ObjectStore(journal=ObjectJournal.open(path, labels))
    before = path.read_bytes()

    def refuse(_):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(OSError, match="Input/output error: check the disk"):
            store.apply(commit(labels, 4, x=30), labels)
    assert path.read_bytes() == before
    assert not (labels == 4).any()


def test_two_programs_do_not_write_over_each_other(path, labels):
    keep_three(path, labels)
    mine, theirs = (ObjectStore(journal=ObjectJournal.open(path, labels)) for _ in range(2))
    theirs.apply(commit(labels, 4, x=30), labels)
    before = path.read_bytes()
    with pytest.raises(OSError, match="has been changed by another program"):
        mine.apply(commit(labels, 5, y=30, x=30), labels)
    assert path.read_bytes() == before
    assert not (labels == 5).any()


def test_a_journal_that_has_vanished_is_missed(path, labels):
    keep_three(path, labels)
    store = ObjectStore(journal=ObjectJournal.open(path, labels))
    path.parent.rename(path.parent.with_name("elsewhere"))
    with pytest.raises(FileNotFoundError, match="cannot be written, No such file"):
        store.apply(commit(labels, 4, x=30), labels)
    assert not (labels == 4).any()


def test_one_more_line_costs_the_same_among_many(path, labels, monkeypatch):
    store = ObjectStore(journal=ObjectJournal.open(path, labels))
    sizes = []
    write = os.fsync

    def watched(number):
        sizes.append(os.fstat(number).st_size)
        write(number)

    monkeypatch.setattr(os, "fsync", watched)
    for label in range(1, 40):
        store.apply(commit(labels, label, overlap="replace"), labels)
    growth = np.diff(sizes[1:])
    assert growth.max() - growth.min() < 10


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=20), st.floats(-1e9, 1e9), st.sampled_from([float("nan"), 0.1, 1 / 3]))
def test_what_a_record_says_comes_back_exactly(tmp_path_factory, model, y, score):
    from dataclasses import replace

    from napari_sam.prompts import Prompts

    labels = np.zeros((30, 30), np.uint16)
    path = tmp_path_factory.mktemp("journal") / "objects.jsonl"
    (record,) = commit(labels, 1).put
    prompts = Prompts([[y, y / 3]], [0])
    record = replace(record, model=model, predicted_iou=score, prompts=prompts, rank=2)
    ObjectStore(journal=ObjectJournal.open(path, labels)).apply(Change(put=(record,)), labels)
    (found,) = ObjectJournal.open(path, labels).table
    assert found.prompts == record.prompts
    assert (found.model, found.rank, found.box) == (model, 2, record.box)
    np.testing.assert_equal(found.predicted_iou, score)


def test_a_patch_is_written_again_without_a_look_at_what_is_there(labels):
    change = commit(labels, 1)
    patch = Patch.of(change.edits)
    patch.write(labels), patch.write(labels)
    assert (labels == 1).sum() == change.n_changed
