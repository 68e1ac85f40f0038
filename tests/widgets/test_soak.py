"""Two thousand actions at random, as a user would: what nobody can come back to is let go."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from napari.utils.events import EventEmitter
from psygnal import SignalInstance

import napari_sam
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.history import N_WHOLE
from napari_sam.widgets.keys import ACTIONS, LIST_ACTIONS
from napari_sam.widgets.predictor import Request
from napari_sam.widgets.session import scene
from napari_sam.widgets.spot import Spot

N_ACTIONS = 1000
N_PLANES, HEIGHT, WIDTH = 3, 160, 180
KEYS = (*ACTIONS, *LIST_ACTIONS)
OURS = str(Path(napari_sam.__file__).parent / "*")
CACHED = {"Window", "Features"}
"""What was encoded is kept as long as memory allows."""

WHOLE_STEP_BYTES, STEP_BYTES = 100_000, 4_000
"""What a step needs to be undone, with its candidates and without, on average."""

SLACK_BYTES = 100_000
"""Less than a mask for each tenth action; Python's own tables grow by leaps."""


class User:
    """Does something at random; what is asked is answered later, as threads do it.

    Parameters
    ----------
    drawn : Scene
        What the user works in.
    """

    def __init__(self, drawn):
        self.drawn, self.session = drawn, drawn.session
        self.rng = np.random.default_rng(0)
        self.asked = {}
        self.session.asked.connect(self._on_asked)

    def _on_asked(self, work):
        if isinstance(work, Request):
            self.asked[work.is_hover] = work  # the latest of each kind
        elif isinstance(work, Chore):
            work.do()

    def answer(self):
        while self.asked:
            _, request = self.asked.popitem()
            self.session.accept(request, request.answer())

    def act(self):
        session, rng, hand = self.session, self.rng, self.drawn.hand
        y, x = rng.integers(0, (HEIGHT, WIDTH)).tolist()
        plane = (int(session.viewer.dims.current_step[0]),)
        with session.telling():
            match rng.integers(12):
                case 0 | 1 | 2:
                    session.click(y, x, bool(rng.integers(4)), wait=False)
                case 3:
                    session.box(y, x, y + 30, x + 30, wait=False)
                case 4:
                    session.scribble([(y, x), (y, x + 20)], bool(rng.integers(2)), wait=False)
                case 5:
                    session.lasso([(y, x), (y + 30, x), (y, x + 30)], wait=False)
                case 6:
                    session.hover_box(y, x, y + 20, x + 20, wait=False)
                case 7:
                    session.viewer.dims.set_point(0, rng.integers(N_PLANES))
                case 8:
                    session.overlap = str(rng.choice(["keep", "replace", "erase"]))
                    session.neighbors = bool(rng.integers(2))
                case _:
                    hand.cursor.move_to(Spot(plane, y, x), bool(rng.integers(2)))
                    KEYS[rng.integers(len(KEYS))].run(hand)
        if rng.integers(3):
            self.answer()

    def start_anew(self):
        """Take away all there is, and forget how it came; what was done last is always the same."""
        session = self.session
        self.answer()
        session.clear()
        session.turbo, session.overlap, session.preferred_rank = False, "keep", None
        for record in list(session.objects):
            session.delete(record.label, near=record.box, plane=record.plane)
        session.click(80, 90, plane=(0,))
        session.delete(session.commit(), plane=(0,))
        session._history.clear()
        self.drawn.hand.cursor.move_to(None)
        session.viewer.dims.set_point(0, 0)


def count():
    """Count the objects of this package, and those who listen to anything."""
    there = gc.get_objects()
    ours = Counter(
        type(one).__qualname__
        for one in there
        if str(type(one).__module__).startswith("napari_sam.")
    )
    signals = [one for one in there if issubclass(type(one), SignalInstance)]
    emitters = [one for one in there if issubclass(type(one), EventEmitter)]
    ours["listeners"] = sum(map(len, signals)) + sum(len(one.callbacks) for one in emitters)
    return {name: n for name, n in ours.items() if name not in CACHED}


def collect():
    for _ in range(3):
        gc.collect()


def traced_bytes():
    """Return how much memory is held that was taken in files of this package."""
    ours = tracemalloc.Filter(inclusive=True, filename_pattern=OURS)
    snapshot = tracemalloc.take_snapshot().filter_traces([ours])
    return sum(each.size for each in snapshot.statistics("filename"))


@pytest.mark.slow
def test_2000_actions_leave_nothing_behind(viewer, make_session, qapp):
    viewer.add_image(np.zeros((N_PLANES, HEIGHT, WIDTH), np.uint8))
    session = make_session(viewer)
    session.adopt_image()
    user = User(scene(viewer))
    for _ in range(N_ACTIONS):
        user.act()
    user.start_anew()
    collect()
    before = count()
    tracemalloc.start()
    for _ in range(N_ACTIONS):
        user.act()
    collect()
    n_steps, with_steps = session.n_steps, traced_bytes()
    user.start_anew()
    collect()
    left = traced_bytes()
    tracemalloc.stop()
    assert count() == before
    assert left < SLACK_BYTES
    assert with_steps < left + N_WHOLE * WHOLE_STEP_BYTES + n_steps * STEP_BYTES
