"""What is in labels is found out in a thread, and commands that need to know it wait."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import zarr

from napari_sam.labels import create_labels, ids, on_disk
from napari_sam.labels.journal import ObjectJournal
from napari_sam.labels.save import open_saved
from napari_sam.widgets import filing
from napari_sam.widgets.ahead import Ahead
from napari_sam.widgets.lanes import Lanes

PATIENCE_MS = 30_000  # a busy machine is no failure


@pytest.fixture
def session(viewer, make_session, picture):
    viewer.add_image(picture, name="cells")
    return make_session(viewer)


@pytest.fixture
def lanes(session):
    lanes = Lanes(session)
    lanes.join("dock")
    yield lanes
    lanes.stop()


@pytest.fixture
def gate(monkeypatch):
    """Labels are not counted before it is opened; it notes in which threads they are."""
    gate = threading.Event()
    gate.threads = []
    read = ids.iter_blocks

    def read_late(labels):
        gate.threads.append(threading.current_thread())
        assert gate.wait(PATIENCE_MS / 1000)
        yield from read(labels)

    monkeypatch.setattr(ids, "iter_blocks", read_late)
    yield gate
    gate.set()


def adopt(session):
    labels = np.zeros((200, 240), np.uint16)
    labels[0, 0] = 7
    session.labels = session.viewer.add_labels(labels)


def wait_for(qtbot, condition):
    qtbot.waitUntil(condition, timeout=PATIENCE_MS)


def test_the_first_commit_waits_until_the_ids_are_counted(session, lanes, gate, qtbot):
    adopt(session)
    session.click(50, 50)
    assert session.commit(wait=False) is None
    assert session.is_held_up
    session.click(100, 150)  # put off, for the next object
    assert not session.labels.data[50, 50]
    gate.set()
    wait_for(qtbot, lambda: not session.is_held_up)
    assert session.labels.data[50, 50] == 8
    assert session.draft.prompts.points.tolist() == [[100, 150]]
    assert threading.main_thread() not in gate.threads


def test_so_does_the_first_click_that_keeps_at_once(session, lanes, gate, qtbot):
    adopt(session)
    session.turbo = True
    session.click(50, 50, wait=False)
    wait_for(qtbot, lambda: session._once_known is not None)
    gate.set()
    wait_for(qtbot, lambda: not session.is_held_up)
    assert session.labels.data[50, 50] == 8
    assert len(session._history) == 1


def test_from_the_console_it_is_counted_at_once(session, gate):
    gate.set()
    adopt(session)
    session.click(50, 50)
    assert session.commit() == 8
    assert gate.threads == [threading.main_thread()]


def test_what_was_to_be_kept_in_labels_that_are_gone_is_not_kept(session, lanes, gate, qtbot):
    adopt(session)
    session.click(50, 50)
    session.commit(wait=False)
    session.viewer.layers.remove(session.labels)
    gate.set()
    wait_for(qtbot, lambda: lanes.busy is None)
    assert session.labels is None
    assert not session.is_held_up
    assert len(session.draft.prompts.points) == 1


def test_when_nobody_counts_any_more_the_next_command_does(session, lanes, gate):
    adopt(session)
    session.click(50, 50)
    session.commit(wait=False)
    lanes.leave("dock")
    gate.set()
    session.click(100, 150)
    assert session.labels.data[50, 50] == 8
    assert session.commit() == 9


def test_who_stops_the_counting_is_not_kept_waiting(session, lanes, gate, qtbot):
    adopt(session)
    session.click(50, 50)
    wait_for(qtbot, lambda: bool(gate.threads))
    session.commit(wait=False)
    session.click(100, 150, wait=False)  # waits for the commit
    lanes.cancel(lanes.busy.current)
    gate.set()
    assert not session.is_held_up
    assert session.draft.prompts.points.tolist() == [[50, 50]]
    session.commit(wait=False)
    wait_for(qtbot, lambda: not session.is_held_up)
    assert session.labels.data[50, 50] == 8


def test_who_only_encodes_ahead_is_not_waited_for(session, qtbot):
    ahead = Ahead(session)
    ahead.join("another dock")
    adopt(session)
    session.click(50, 50)
    session.commit(wait=False)
    assert not session.is_held_up
    assert session.labels.data[50, 50] == 8
    ahead.leave("another dock")
    assert session.is_deserted


def test_labels_that_cannot_be_read_keep_nobody_waiting(
    session, lanes, qtbot, monkeypatch, tmp_path
):
    array = zarr.create_array(tmp_path / "mine.zarr", shape=(200, 240), dtype="uint8")

    def refuse(levels):
        raise OSError("The disk is gone.")

    monkeypatch.setattr(on_disk, "open_on_disk", refuse)
    session.labels = session.viewer.add_labels(array)
    session.click(50, 50)
    session.commit(wait=False)
    wait_for(qtbot, lambda: not session.is_held_up and lanes.busy is None)
    assert session.status == "The disk is gone."
    assert not np.asarray(array).any()
    monkeypatch.undo()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert session.commit() == 1


def test_records_of_labels_on_disk_are_read_in_a_thread(
    session, lanes, qtbot, monkeypatch, tmp_path
):
    path = tmp_path / "mine.zarr"
    zarr.create_array(path, shape=(200, 240), dtype="uint8")
    session.labels = session.viewer.add_labels(zarr.open_array(path))
    session.click(50, 50)
    session.commit()
    session.viewer.layers.remove(session.labels)
    threads = []
    read = ObjectJournal._read.__func__

    def noted(cls, path):
        threads.append(threading.current_thread())
        return read(cls, path)

    monkeypatch.setattr(ObjectJournal, "_read", classmethod(noted))
    session.labels = session.viewer.add_labels(zarr.open_array(path))
    session.labels.paint((150, 150), 3)  # before the records are known
    session.delete(1)
    wait_for(qtbot, lambda: not session.is_held_up and lanes.busy is None)
    session.undo()
    assert [record.label for record in session.objects] == [1]
    assert threads
    assert threading.main_thread() not in threads


def test_labels_are_opened_in_a_thread_and_what_comes_next_is_done_in_them(
    session, lanes, qtbot, monkeypatch, tmp_path
):
    create_labels(tmp_path / "cells.ome.zarr", (200, 240))
    threads = []

    def noted(path):
        threads.append(threading.current_thread())
        return open_saved(path)

    monkeypatch.setattr(filing, "open_saved", noted)
    session.open_labels(tmp_path / "cells.ome.zarr", wait=False)
    session.click(50, 50)
    session.commit(wait=False)
    assert session.labels is None
    wait_for(qtbot, lambda: not session.is_held_up and session.labels is not None)
    wait_for(qtbot, lambda: bool(np.asarray(session.labels.data).any()))
    assert threads
    assert threading.main_thread() not in threads
    assert open_saved(tmp_path / "cells.ome.zarr").pyramid.data[50, 50] == 1


def test_labels_that_cannot_be_opened_keep_nobody_waiting(session, lanes, qtbot, tmp_path):
    session.open_labels(tmp_path / "nothing", wait=False)
    session.click(50, 50)
    wait_for(qtbot, lambda: not session.is_held_up)
    assert "There is nothing at" in session.status or len(session.draft.prompts.points)
    assert session.draft.prompts.points.tolist() == [[50, 50]]
