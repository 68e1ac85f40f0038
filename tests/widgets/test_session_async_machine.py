"""Whenever the answers come, it is as if every command had waited for its own."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from napari.components import ViewerModel

from napari_sam.masks import Mask
from napari_sam.masks.mask_table import MaskTable
from napari_sam.widgets.predictor import Request
from napari_sam.widgets.session import session as session_of

from .disc_model import DiscModel

N_PLANES, HEIGHT, WIDTH = 2, 60, 70

rows, columns = st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1)


def open_session():
    viewer = ViewerModel()
    layer = viewer.add_image(np.zeros((N_PLANES, HEIGHT, WIDTH), np.uint8), name="stack")
    session = session_of(viewer)
    session.model = DiscModel()
    session.image = layer
    return viewer, session


def pixels(session):
    if session.labels is None:
        return np.zeros((N_PLANES, HEIGHT, WIDTH), np.uint16)
    return np.array(session.labels.data)


def is_pending(session):
    return session.draft.is_waiting and not session.is_held_up


class Commands(RuleBasedStateMachine):
    """Two sessions do the same: one is answered at once, the other late, in any order, or never.

    While the late one waits for the object being made, no command changes the labels under it:
    what is there when the model is asked may then be something else.
    """

    @initialize()
    def open(self):
        self.viewer, self.late = open_session()
        self.other_viewer, self.prompt = open_session()
        self.asked = []
        self.late.asked.connect(self.asked.append)

    def do(self, name, *args, waits=True, **options):
        with self.prompt.telling():
            getattr(self.prompt, name)(*args, **options)
        with self.late.telling():
            getattr(self.late, name)(*args, **options, **({"wait": False} if waits else {}))

    # What the hand does

    @rule(y=rows, x=columns, positive=st.booleans(), plane=st.integers(0, N_PLANES - 1))
    def click(self, y, x, positive, plane):
        self.do("click", y, x, positive, plane=(plane,))

    @rule(y=rows, x=columns, height=st.integers(2, 30), plane=st.integers(0, N_PLANES - 1))
    def box(self, y, x, height, plane):
        self.do("box", y, x, y + height, x + 9, plane=(plane,))

    @rule(y=rows, x=columns, side=st.integers(3, 30))
    def lasso(self, y, x, side):
        path = [(y, x), (y, x + side), (y + side, x + side)]
        self.do("lasso", path, plane=(0,))

    @rule()
    def remove_point(self):
        self.do("remove_point", 0)

    @rule()
    def commit(self):
        self.do("commit")

    @rule()
    def undo(self):
        self.do("undo")

    @rule()
    def redo(self):
        self.do("redo")

    @rule()
    def drop(self):
        self.do("clear", waits=False)

    @precondition(lambda self: not is_pending(self.late))
    @rule(y=rows, x=columns)
    def commit_all(self, y, x):
        masks = [Mask.from_array(np.ones((6, 7), bool), y, x + 9 * n) for n in range(2)]
        self.do("commit_all", MaskTable.of(masks), plane=(0,), waits=False)

    @precondition(lambda self: len(self.prompt.objects) and not is_pending(self.late))
    @rule(data=st.data())
    def delete(self, data):
        record = data.draw(st.sampled_from(list(self.prompt.objects)))
        self.do("delete", record.label, plane=record.plane, waits=False)

    @precondition(lambda self: len(self.prompt.objects))
    @rule(data=st.data(), is_reviewed=st.booleans())
    def review(self, data, is_reviewed):
        record = data.draw(st.sampled_from(list(self.prompt.objects)))
        options = {"plane": record.plane, "is_reviewed": is_reviewed}
        self.do("review", record.label, **options, waits=False)

    @precondition(lambda self: len(self.prompt.objects))
    @rule(data=st.data())
    def reopen(self, data):
        record = data.draw(st.sampled_from(list(self.prompt.objects)))
        self.do("reopen", record.label, plane=record.plane)

    @rule(is_on=st.booleans(), overlap=st.sampled_from(["keep", "replace", "erase"]))
    def choose(self, is_on, overlap):
        for session in (self.late, self.prompt):
            session.turbo, session.overlap = is_on, overlap

    @precondition(lambda self: self.late.candidates)
    @rule(rank=st.integers(0, 2))
    def choose_candidate(self, rank):
        self.do("choose", rank, waits=False)

    # What the model, and the dock, do

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def answer(self, data):
        request = self.asked.pop(data.draw(st.integers(0, len(self.asked) - 1)))
        if isinstance(request, Request):
            self.late.accept(request, request.answer())
        elif hasattr(request, "take"):
            *_, found = request.iter_answer()
            self.late.accept(request, found)

    @precondition(lambda self: self.asked and is_pending(self.late))
    @rule()
    def fail(self):
        """Nothing stays of prompts that cannot be answered."""
        request = self.late._request(self.late.draft, None)
        self.late.fail(request, OSError("out of memory"))
        while len(self.prompt._history) > len(self.late._history):
            draft = self.prompt._history.drop_last().before
            self.prompt._set_draft(draft)
        if self.late.draft.is_empty:
            self.prompt._set_draft(self.late.draft)
        if len(self.late._history):
            self.prompt._history.amend(self.prompt.draft)

    @rule()
    def close_dock(self):
        self.late.asked.disconnect()
        for work in self.asked:
            self.late.drop(work)
        self.asked.clear()

    @rule()
    def open_dock(self):
        if not len(self.late.asked):
            self.late.asked.connect(self.asked.append)
            self.late.take_over()

    # What must be

    @rule()
    def wait(self):
        if not len(self.late.asked):
            self.open_dock()
        while self.late.draft.is_waiting or self.late.is_held_up:
            requests = [work for work in self.asked if isinstance(work, Request)]
            assert requests, "commands wait for an answer that nobody has been asked for"
            self.asked.remove(requests[-1])
            self.late.accept(requests[-1], requests[-1].answer())
        assert not self.late.held_up
        assert np.array_equal(pixels(self.late), pixels(self.prompt))
        assert list(map(repr, self.late.objects)) == list(map(repr, self.prompt.objects))
        assert self.late.next_label == self.prompt.next_label
        assert self.late.draft.label == self.prompt.draft.label
        late, prompt = (session.draft.thinned() for session in (self.late, self.prompt))
        assert late.prompts == prompt.prompts

    @invariant()
    def what_waits_is_told_when(self):
        assert self.late.is_held_up or not self.late.held_up

    @invariant()
    def records_agree_with_labels(self):
        labels = pixels(self.late)
        there = {
            (int(label), plane): int(np.count_nonzero(labels[plane] == label))
            for plane in np.ndindex(N_PLANES)
            for label in np.unique(labels[plane])
            if label
        }
        assert {record.key: record.area for record in self.late.objects} == there

    def teardown(self):
        if hasattr(self, "late"):
            self.wait()


Commands.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
test_commands = Commands.TestCase
