"""Any order of commands leaves in the labels what a simple model says must be there."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from napari.components import ViewerModel

from napari_sam.widgets.session import session as session_of

from .disc_model import DiscModel

N_PLANES, HEIGHT, WIDTH = 2, 60, 70

rows, columns = st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1)


class Commands(RuleBasedStateMachine):
    """The model: one array, the arrays before each step, and those after steps undone."""

    @initialize()
    def open(self):
        self.viewer = ViewerModel()
        image = np.zeros((N_PLANES, HEIGHT, WIDTH), np.uint8)
        self.layer = self.viewer.add_image(image, name="stack")
        self.session = session_of(self.viewer)
        self.session.model = DiscModel()
        self.session.image = self.layer
        self.labels = np.zeros(image.shape, np.uint16)
        self.before, self.after = [], []

    @property
    def plane(self):
        return (int(self.viewer.dims.current_step[0]),)

    @property
    def kept(self):
        return sorted(set(np.unique(self.labels[self.plane])) - {0})

    def stepped(self, command, labels=None):
        """Do a command; if it became a step, the labels are to be as given."""
        history = self.session._history
        n_steps = len(history)
        with self.session.telling():
            command()
        if len(history) > n_steps:
            self.before.append(self.labels)
            self.after.clear()
            if labels is not None:
                self.labels = labels

    @rule(y=rows, x=columns, positive=st.booleans())
    def click(self, y, x, positive):
        self.stepped(lambda: self.session.click(y, x, positive))

    @rule(y=rows, x=columns, height=st.integers(2, 30), width=st.integers(2, 30))
    def box(self, y, x, height, width):
        self.stepped(lambda: self.session.box(y, x, y + height, x + width))

    @rule(y=rows, x=columns, length=st.integers(1, 40))
    def scribble(self, y, x, length):
        path = [(y, x), (y, min(x + length, WIDTH - 1))]
        self.stepped(lambda: self.session.scribble(path))

    @rule(by=st.sampled_from([-1, 1]))
    def wheel(self, by):
        self.session.cycle(by)

    @rule(plane=st.integers(0, N_PLANES - 1))
    def go_to_plane(self, plane):
        self.viewer.dims.set_current_step(0, plane)

    @rule()
    def drop(self):
        self.stepped(self.session.clear)

    @rule(is_on=st.booleans())
    def make_negatives_of_neighbors(self, is_on):
        self.session.neighbors = is_on

    @rule(overlap=st.sampled_from(["keep", "replace", "erase"]))
    def choose_overlap(self, overlap):
        self.session.overlap = overlap

    @rule()
    def commit(self):
        draft, mask = self.session.draft, self.session.mask
        if mask is None:
            self.stepped(self.session.commit)
            return
        labels = self.labels.copy()
        plane = labels[draft.plane]
        label = self.session.next_label if draft.label is None else draft.label
        if draft.old is not None:
            plane[plane == label] = 0
        inside = mask.to_array(plane.shape)
        if self.session.overlap == "keep":
            inside &= plane == 0
        plane[inside] = 0 if self.session.overlap == "erase" else label
        self.stepped(self.session.commit, labels)

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def delete(self, data):
        label = int(data.draw(st.sampled_from(self.kept)))
        labels = self.labels.copy()
        plane = labels[self.plane]
        plane[plane == label] = 0
        self.stepped(lambda: self.session.delete(label), labels)

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def propagate(self, data):
        """Only the background of other planes changes, to the number of the object."""
        label = int(data.draw(st.sampled_from(self.kept)))
        before = self.labels
        self.stepped(lambda: self.session.propagate(label), before)
        self.labels = np.array(self.session.labels.data)
        changed = self.labels != before
        assert not before[changed].any()
        assert (self.labels[changed] == label).all()
        assert not changed[self.plane].any()

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def reopen(self, data):
        label = int(data.draw(st.sampled_from(self.kept)))
        self.stepped(lambda: self.session.reopen(label))
        assert self.session.draft.label == label
        expected = self.labels[self.plane] == label
        assert np.array_equal(self.session.mask.to_array((HEIGHT, WIDTH)), expected)

    @rule()
    def undo(self):
        if self.before:
            self.after.append(self.labels)
            self.labels = self.before.pop()
        self.session.undo()

    @rule()
    def redo(self):
        if self.after:
            self.before.append(self.labels)
            self.labels = self.after.pop()
        self.session.redo()

    @invariant()
    def labels_are_as_they_must_be(self):
        if self.session.labels is None:
            assert not self.labels.any()
        else:
            assert np.array_equal(self.session.labels.data, self.labels)

    @invariant()
    def records_agree_with_labels(self):
        there = {
            (int(label), plane): int(np.count_nonzero(self.labels[plane] == label))
            for plane in np.ndindex(N_PLANES)
            for label in np.unique(self.labels[plane])
            if label
        }
        assert {record.key: record.area for record in self.session.objects} == there

    @invariant()
    def a_new_object_gets_an_id_of_its_own(self):
        assert self.session.next_label > self.labels.max()


Commands.TestCase.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
test_commands = Commands.TestCase
