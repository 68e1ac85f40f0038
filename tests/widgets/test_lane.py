"""Threads that work for docks, and what becomes of them when nobody waits any more."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings

import pytest

from napari_sam.model import memory
from napari_sam.widgets.lane import Lane

PATIENCE_MS = 30_000  # a busy machine is no failure

LEAVE = """
import threading, time
from qtpy.QtWidgets import QApplication
from napari_sam.widgets.lane import Lane

class Work:
    def iter_answer(self):
        yield "Working …"
        begun.set()
        time.sleep(0.5)

begun = threading.Event()
app = QApplication([])
lane = Lane()
lane.submit(Work())
assert begun.wait(20)
lane.stop() if {stops} else None
"""


class Steps:
    """Work that yields what it is given; it waits where it finds an event, calls what it can."""

    def __init__(self, *steps):
        self.steps = steps

    def iter_answer(self):
        for step in self.steps:
            if isinstance(step, threading.Event):
                step.wait(20)
            elif callable(step):
                step()
            else:
                yield step


@pytest.fixture
def lane(qtbot):
    lane = Lane()
    yield lane
    lane.stop()


@pytest.fixture
def heard(lane):
    heard = []
    lane.progressed.connect(heard.append)
    lane.answered.connect(lambda work, answer: heard.append(answer))
    lane.failed.connect(lambda work, error: heard.append(error))
    lane.warned.connect(lambda work, text: heard.append(("warned", text)))
    return heard


@pytest.mark.parametrize("stops", [True, False])
def test_leaving_while_a_thread_works_is_no_crash(stops, monkeypatch):
    """A thread that ends after the window must not touch what Qt has deleted."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    code = LEAVE.format(stops=stops)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


class Answer(str):
    """A sentence that is an answer."""

    is_tentative = True


@pytest.mark.parametrize("is_waited_for", [False, True])
def test_a_tentative_answer_is_improved_unless_something_else_waits(
    lane, heard, qtbot, is_waited_for
):
    begun = threading.Event()
    lane.submit(Steps(begun, Answer("at first"), "better"))
    if is_waited_for:
        lane.submit(Steps("next"))
    begun.set()
    qtbot.waitUntil(lambda: lane.current is None, timeout=PATIENCE_MS)
    assert heard == ["at first", "next" if is_waited_for else "better"]


def test_news_come_in_order_on_the_main_thread(lane, heard, qtbot):
    threads = []
    lane.progressed.connect(lambda text: threads.append(threading.current_thread()))
    with qtbot.waitSignal(lane.idle, timeout=PATIENCE_MS):
        lane.submit(Steps("one", "two", 3))
    assert heard == ["one", "two", 3]
    assert set(threads) == {threading.main_thread()}


def test_of_those_that_wait_only_the_latest_is_done(lane, heard, qtbot):
    may_go = threading.Event()
    lane.submit(Steps(may_go, 1))
    lane.submit(Steps(2))
    lane.submit(Steps(3))
    with qtbot.waitSignal(lane.idle, timeout=PATIENCE_MS):
        may_go.set()
    assert heard == [1, 3]


def test_abandoned_work_is_not_waited_for_and_not_heard(lane, heard, qtbot):
    may_go, ended = threading.Event(), threading.Event()
    lane.submit(Steps(may_go, 1, ended.set))
    lane.abandon()
    with qtbot.waitSignal(lane.idle, timeout=PATIENCE_MS):
        lane.submit(Steps(2))
    may_go.set()
    qtbot.wait(50)
    assert heard == [2]
    assert not ended.is_set()  # it ended at its first news


def test_an_error_is_told_and_the_next_is_done(lane, heard, qtbot):
    begun = threading.Event()
    lane.submit(Steps("begun", begun.set, [].pop))
    assert begun.wait(20)
    lane.submit(Steps(2))
    qtbot.waitUntil(lambda: 2 in heard, timeout=PATIENCE_MS)
    assert heard[0] == "begun"
    assert isinstance(heard[1], IndexError)


def warn_as(path, text):
    """Return what gives a warning as if a line of that file did."""
    return lambda: warnings.warn_explicit(text, UserWarning, path, 1)


def test_a_warning_of_this_package_is_heard_and_others_are_logged(lane, heard, qtbot, caplog):
    warnings.simplefilter("always")
    before = warnings.showwarning
    ours = warn_as(memory.__file__, "Less memory.")
    theirs = warn_as("/somewhere/torch.py", "Old style.")
    with qtbot.waitSignal(lane.idle, timeout=PATIENCE_MS):
        lane.submit(Steps(ours, theirs, 1))
    assert heard == [("warned", "Less memory."), 1]
    assert "Old style." in caplog.text
    assert warnings.showwarning is before


def test_warnings_of_other_threads_go_where_they_went(lane, heard, qtbot):
    begun, may_go = threading.Event(), threading.Event()
    lane.submit(Steps(begun.set, may_go, 1))
    assert begun.wait(20)
    with pytest.warns(UserWarning, match="Mine"):
        warn_as(memory.__file__, "Mine")()
    with qtbot.waitSignal(lane.idle, timeout=PATIENCE_MS):
        may_go.set()
    assert heard == [1]


def test_the_main_thread_gives_way_until_there_is_an_answer(lane, heard, qtbot):
    may_go = threading.Event()
    threading.Timer(0.05, may_go.set).start()
    lane.submit(Steps(may_go, 1))
    lane.give_way(20)
    assert may_go.is_set() and heard == []  # the answer waits for the loop of events
    qtbot.waitUntil(lambda: heard == [1], timeout=PATIENCE_MS)


def test_the_main_thread_gives_way_for_a_moment_only(lane, heard, qtbot):
    may_go = threading.Event()
    lane.submit(Steps(may_go, 1))
    lane.give_way(0.02)
    assert not heard
    may_go.set()
    qtbot.waitUntil(lambda: heard == [1], timeout=PATIENCE_MS)


def test_the_main_thread_does_not_give_way_to_what_takes_long(lane, heard, qtbot):
    """Work that tells what it does first has something to encode or to open."""
    may_go = threading.Event()
    lane.submit(Steps("Encoding …", may_go, 1))
    lane.give_way(20)
    assert not may_go.is_set()
    qtbot.waitUntil(lambda: heard == ["Encoding …"], timeout=PATIENCE_MS)
    lane.submit(Steps(2))
    lane.give_way(20)
    assert not may_go.is_set()
    may_go.set()
    qtbot.waitUntil(lambda: heard == ["Encoding …", 1, 2], timeout=PATIENCE_MS)


def test_what_was_heard_before_is_no_news_of_what_is_submitted(lane, heard, qtbot):
    lane._has_news.set()
    may_go = threading.Event()
    threading.Timer(0.05, may_go.set).start()
    lane.submit(Steps(may_go, 1))
    lane.give_way(20)
    assert may_go.is_set()
    qtbot.waitUntil(lambda: heard == [1], timeout=PATIENCE_MS)
