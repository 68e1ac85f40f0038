"""Steps that are done one by one, when nobody waits."""

from __future__ import annotations

import pytest
from qtpy.QtCore import QObject, Qt
from qtpy.QtWidgets import QApplication

from napari_sam.widgets.in_turns import InTurns


@pytest.fixture
def owner(qapp):
    return QObject()


def steps(done, n=3):
    for i in range(n):
        done.append(i)
        yield


def test_steps_come_one_by_one_and_not_at_once(owner, qtbot):
    done = []
    InTurns(owner).start(steps(done))
    assert done == []
    qtbot.waitUntil(lambda: done == [0])
    qtbot.waitUntil(lambda: done == [0, 1, 2])


def test_beginning_anew_forgets_the_rest(owner, qtbot):
    done, others = [], []
    in_turns = InTurns(owner)
    in_turns.start(steps(done))
    qtbot.waitUntil(lambda: bool(done))
    in_turns.start(steps(others))
    qtbot.waitUntil(lambda: others == [0, 1, 2])
    assert len(done) < 3


def test_nothing_is_done_while_a_button_is_down(owner, qtbot, monkeypatch):
    done = []
    monkeypatch.setattr(QApplication, "mouseButtons", lambda: Qt.MouseButton.LeftButton)
    InTurns(owner).start(steps(done))
    qtbot.wait(150)
    assert done == []
    monkeypatch.undo()
    qtbot.waitUntil(lambda: done == [0, 1, 2])


def test_stopped_steps_are_not_done(owner, qtbot):
    done = []
    in_turns = InTurns(owner)
    in_turns.start(steps(done))
    in_turns.stop()
    qtbot.wait(150)
    assert done == []
