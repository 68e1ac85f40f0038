"""Whatever is done by hand, the script of it gives the same labels."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from napari.components import ViewerModel
from napari.layers import Labels

from napari_sam.masks import Mask, MaskTable
from napari_sam.widgets.predictor import Request
from napari_sam.widgets.session import scene

from .replay import MindfulModel, assert_same, carry_out

N_PLANES, HEIGHT, WIDTH = 2, 60, 70

rows, columns = st.integers(0, HEIGHT - 1), st.integers(0, WIDTH - 1)


class Hand(RuleBasedStateMachine):
    """Somebody who does anything; the answers may come late."""

    @initialize()
    def open(self):
        self.viewer = ViewerModel()
        stack = np.random.default_rng(0).integers(0, 255, (N_PLANES, HEIGHT, WIDTH), np.uint8)
        mine = np.zeros(stack.shape, np.uint8)
        mine[:, 40:50, 50:60] = 3
        self.viewer.add_image(stack, name="stack")
        self.viewer.add_image(stack[0], name="plane")
        self.viewer.add_labels(mine, name="mine")
        self.layers = {
            "stack": ("image", stack, "stack"),
            "plane": ("image", stack[0], "plane"),
        }
        self.mine = self.viewer.layers["mine"]
        self.model = MindfulModel()
        self.scene = scene(self.viewer)
        self.session = self.scene.session
        self.session.model = self.model
        self.session.image = self.viewer.layers["stack"]
        self.asked = []

    @property
    def planes(self):
        return [()] if self.session.image.ndim == 2 else [(0,), (1,)]

    @property
    def labels(self):
        ours = self.scene.layers
        every = [layer for layer in self.viewer.layers if isinstance(layer, Labels)]
        return [layer for layer in every if layer not in ours]

    def position(self, layer, y, x):
        return (*self.viewer.dims.current_step[:-2], y, x)[-layer.ndim :]

    def kept(self):
        """Return all objects of the labels that are chosen: label, plane and a pixel."""
        found = []
        for plane in self.planes if self.session.labels is not None else ():
            data = np.asarray(self.session.labels.data)[plane]
            for label in np.unique(data[data > 0]):
                y, x = np.argwhere(data == label)[0].tolist()
                found.append((int(label), plane, (y, x)))
        return found

    def do(self, command, *args, **options):
        with self.session.telling():
            getattr(self.session, command)(*args, **options)

    @invariant()
    def labels_are_given_as_they_are_when_they_are_chosen(self):
        if self.session._names.known(self.mine) is None:
            self.layers["mine"] = ("labels", np.array(self.mine.data), "mine")

    # Prompts

    @rule(y=rows, x=columns, positive=st.booleans(), wait=st.booleans())
    def click(self, y, x, positive, wait):
        self.do("click", y, x, positive, wait=wait)

    @rule(y=rows, x=columns, wait=st.booleans())
    def click_where_one_has_hovered(self, y, x, wait):
        self.do("hover", y, x)
        self.do("click", y, x, wait=wait)

    @rule(y=rows, x=columns, side=st.integers(2, 30))
    def box(self, y, x, side):
        self.do("box", y, x, y + side, x + side, wait=False)

    @rule(y=rows, x=columns, length=st.integers(1, 40))
    def scribble(self, y, x, length):
        self.do("scribble", [(y, x), (y, min(x + length, WIDTH - 1))], wait=False)

    @rule(y=rows, x=columns, side=st.integers(3, 30))
    def lasso(self, y, x, side):
        self.do("lasso", [(y, x), (y, x + side), (y + side, x + side)], wait=False)

    @rule()
    def remove_point(self):
        self.do("remove_point", 0, wait=False)

    @rule()
    def remove_box(self):
        self.do("remove_box", wait=False)

    @rule(step=st.sampled_from([None, 2.0]))
    def ask_again(self, step):
        self.do("ask_again", step=step, wait=False)

    @rule(by=st.sampled_from([-1, 1]))
    def wheel(self, by):
        self.session.cycle(by)

    @rule()
    def drop(self):
        self.do("clear")

    # Choices

    @rule(plane=st.integers(0, N_PLANES - 1))
    def go_to_plane(self, plane):
        self.viewer.dims.set_current_step(0, plane)

    @rule(is_on=st.booleans(), turbo=st.booleans())
    def switch(self, is_on, turbo):
        self.session.neighbors, self.session.turbo = is_on, turbo

    @rule(overlap=st.sampled_from(["keep", "replace", "erase"]))
    def choose_overlap(self, overlap):
        self.session.overlap = overlap

    @rule(diameter=st.sampled_from([None, 15]), rank=st.sampled_from([None, 0, 2]))
    def tell(self, diameter, rank):
        self.session.object_diameter, self.session.preferred_rank = diameter, rank

    @rule(is_on=st.booleans())
    def preserve(self, is_on):
        for layer in self.labels:
            layer.preserve_labels = is_on

    @rule(name=st.sampled_from(["time", "channel", "0"]))
    def name_the_slider(self, name):
        self.viewer.dims.axis_labels = (name, *self.viewer.dims.axis_labels[1:])

    @rule(name=st.sampled_from(["stack", "plane"]))
    def choose_image(self, name):
        self.session.image = self.viewer.layers[name]

    @rule(data=st.data())
    def choose_labels(self, data):
        layer = data.draw(st.sampled_from([None, *self.labels]))
        with self.session.telling():
            self.session.labels = layer

    @precondition(lambda self: len(self.labels) > 1)
    @rule(data=st.data())
    def remove_labels(self, data):
        self.viewer.layers.remove(data.draw(st.sampled_from(self.labels)))

    # Labels

    @rule(wait=st.booleans())
    def commit(self, wait):
        self.do("commit", wait=wait)

    @rule(y=rows, x=columns)
    def commit_all(self, y, x):
        masks = [Mask.from_array(np.ones((6, 7), bool), y, x + 9 * n) for n in range(2)]
        self.do("commit_all", MaskTable.of(masks))

    @precondition(lambda self: self.kept())
    @rule(data=st.data())
    def delete(self, data):
        label, plane, near = data.draw(st.sampled_from(self.kept()))
        self.do("delete", label, near=near, plane=plane)

    @precondition(lambda self: self.kept())
    @rule(data=st.data())
    def reopen(self, data):
        label, plane, near = data.draw(st.sampled_from(self.kept()))
        self.do("reopen", label, near=near, plane=plane, wait=False)

    @precondition(lambda self: self.kept())
    @rule(data=st.data())
    def review(self, data):
        label, plane, near = data.draw(st.sampled_from(self.kept()))
        self.do("review", label, near=near, plane=plane)

    @rule()
    def widen(self):
        self.do("widen_labels")

    @precondition(lambda self: self.labels)
    @rule(data=st.data(), y=rows, x=columns, label=st.integers(0, 5), size=st.integers(1, 20))
    def paint(self, data, y, x, label, size):
        layer = data.draw(st.sampled_from(self.labels))
        layer.brush_size = size
        layer.paint(self.position(layer, y, x), label)

    @precondition(lambda self: self.labels)
    @rule(data=st.data(), y=rows, x=columns, label=st.integers(0, 5))
    def fill(self, data, y, x, label):
        layer = data.draw(st.sampled_from(self.labels))
        layer.fill(self.position(layer, y, x), label)

    # Back and forth

    @rule()
    def undo(self):
        self.do("undo", wait=False)

    @rule()
    def redo(self):
        self.do("redo", wait=False)

    @precondition(lambda self: self.labels)
    @rule(data=st.data(), way=st.sampled_from(["undo", "redo"]))
    def move_in_the_history_of_napari(self, data, way):
        getattr(data.draw(st.sampled_from(self.labels)), way)()

    # The model, and the dock

    @rule()
    def open_or_close_dock(self):
        if len(self.session.asked):
            self.session.asked.disconnect()
            for work in self.asked:
                self.session.drop(work)
            self.asked.clear()
        else:
            self.session.asked.connect(self.asked.append)
            self.session.take_over()

    @rule(step=st.sampled_from([0.5, 2.0]))
    def encode_meanwhile(self, step):
        embeddings = self.session.predictor.embeddings
        for plane in self.planes if embeddings is not None else ():
            embeddings.features(embeddings.window_at(30, 35, step=step, plane=plane))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def answer(self, data):
        work = self.asked.pop(data.draw(st.integers(0, len(self.asked) - 1)))
        if isinstance(work, Request):
            self.session.accept(work, work.answer())
        elif hasattr(work, "take"):
            *_, found = work.iter_answer()
            self.session.accept(work, found)

    @precondition(lambda self: self.asked)
    @rule()
    def answer_all(self):
        while self.asked:
            work = self.asked.pop()
            if isinstance(work, Request):
                self.session.accept(work, work.answer())
            elif hasattr(work, "take"):
                *_, found = work.iter_answer()
                self.session.accept(work, found)

    def teardown(self):
        if hasattr(self, "session"):
            self.answer_all()
            assert_same(
                self.session, carry_out(self.session, self.layers.values(), model=self.model)
            )


Hand.TestCase.settings = settings(max_examples=10, stateful_step_count=25, deadline=None)
test_hand = Hand.TestCase
