"""The threads of the dock Segment."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from napari_sam.widgets.chore import Chore
from napari_sam.widgets.lane import Lane
from napari_sam.widgets.lanes import IN_STEP_S, Lanes
from napari_sam.widgets.predictor import Request

PATIENCE_MS = 30_000  # a busy machine is no failure


@pytest.fixture
def heard():
    return []


@pytest.fixture
def lanes(heard, qapp):
    session = SimpleNamespace(
        accept=lambda work, answer: heard.append((work, answer)),
        fail=lambda work, error: heard.append((work, str(error))),
    )
    lanes = Lanes(session)
    yield lanes
    lanes.stop()


def test_every_chore_is_done_in_turn(lanes, heard, qtbot):
    may_go = threading.Event()
    lanes.do(Chore(lambda: iter([may_go.wait(10)]), print))
    chores = [Chore(lambda number=number: iter([number]), print) for number in range(3)]
    for chore in chores:
        lanes.do(chore)
    with qtbot.waitSignal(lanes.idle, timeout=PATIENCE_MS):
        may_go.set()
    assert [answer for _, answer in heard] == [True, 0, 1, 2]
    assert [work for work, _ in heard[1:]] == chores


def test_to_cancel_what_is_over_stops_nothing_else(lanes, heard, qtbot):
    may_go, over = threading.Event(), Chore(lambda: iter([0]), print)
    lanes.do(over)
    qtbot.waitUntil(lambda: len(heard) == 1, timeout=PATIENCE_MS)
    lanes.do(Chore(lambda: iter([may_go.wait(10)]), print))
    lanes.cancel(over)
    may_go.set()
    qtbot.waitUntil(lambda: len(heard) == 2, timeout=PATIENCE_MS)


def test_after_a_failure_the_next_is_done(lanes, heard, qtbot):
    def fail():
        yield "Trying …"
        raise OSError("The disk is full.")

    with qtbot.waitSignal(lanes.failed, timeout=PATIENCE_MS):
        lanes.do(Chore(fail, print))
        lanes.do(Chore(lambda: iter([1]), print))
    qtbot.waitUntil(lambda: len(heard) == 2, timeout=PATIENCE_MS)
    assert [answer for _, answer in heard] == ["The disk is full.", 1]


@pytest.mark.parametrize("is_too_late", [True, False])
def test_what_cannot_be_called_off_is_heard_when_the_dock_is_closed(
    lanes, heard, qtbot, is_too_late
):
    may_go, dropped = threading.Event(), []
    lanes._session.drop = dropped.append
    for name in ("asked", "given_up", "layers_changed"):
        setattr(lanes._session, name, SimpleNamespace(connect=print, disconnect=print))
    last = Chore(lambda: iter([may_go.wait(10)]), print, call_off=lambda: not is_too_late)
    waiting = Chore(lambda: iter([1]), print)
    lanes.join("dock")
    for chore in (last, waiting):
        lanes.do(chore)
    lanes.leave("dock")
    may_go.set()
    if is_too_late:
        qtbot.waitUntil(lambda: heard == [(last, True)], timeout=PATIENCE_MS)
        assert dropped == [waiting]
    else:
        assert dropped == [last, waiting]


@pytest.mark.parametrize("is_hover", [True, False])
def test_the_window_is_drawn_with_the_answer_to_the_mouse(lanes, monkeypatch, is_hover):
    waited = []
    monkeypatch.setattr(Lane, "give_way", lambda lane, seconds: waited.append(seconds))
    request = Request(None, None, (), is_hover=is_hover)
    monkeypatch.setattr(Request, "iter_answer", lambda request: iter([1]))
    monkeypatch.setattr("napari_sam.widgets.lanes.predictor_of", lambda work: work)
    lanes.do(request)
    assert waited == [IN_STEP_S]
    lanes.do(Chore(lambda: iter([1]), print))
    assert waited == [IN_STEP_S]
