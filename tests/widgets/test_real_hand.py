"""True events of mouse and keyboard in a real window: what no model of a viewer can tell."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMenuBar, QPushButton
from tools.hand import ALT, CONTROL, SHIFT

import napari_sam
from napari_sam.widgets.session import scene
from napari_sam.widgets.tools import Tool

PATIENCE_MS = 30_000  # a busy machine is no failure


@pytest.fixture
def until(qtbot):
    return lambda is_done: qtbot.waitUntil(is_done, timeout=PATIENCE_MS)


@pytest.fixture
def session(window, open_dock, until):
    open_dock()
    layers = window.layers.selection
    until(lambda: layers.active is not None and layers.active is scene(window).points.layer)
    return napari_sam.session(window)


def test_draw_choose_keep_open_again_delete(window, session, hand, until):
    """One object after the other, without leaving the canvas."""
    hand.click((100, 120))
    until(lambda: session.mask is not None)
    camera, active, rank = window.scene.camera.zoom, scene(window).points.layer, session.draft.rank
    hand.wheel((100, 120), 1, ALT)
    assert session.draft.rank == session.preferred_rank == rank + 1
    hand.key(Qt.Key.Key_Down)
    hand.key(Qt.Key.Key_Down)
    assert session.draft.rank == rank - 1
    hand.key(Qt.Key.Key_Up)
    assert window.scene.camera.zoom == camera
    assert window.layers.selection.active is active
    hand.key(Qt.Key.Key_Return)
    assert session.labels.data[100, 120] == 1

    hand.key(Qt.Key.Key_2)
    center = window.scene.camera.center
    with hand.dragging([(20, 20), (40, 40), (60, 70)]):
        until(lambda: session.hovered is not None and session.hovered[0].contains(50, 60))
        assert session.draft.is_empty
    until(lambda: session.mask is not None)
    np.testing.assert_allclose(session.draft.prompts.box, [20, 20, 60, 70], atol=1)
    hand.key(Qt.Key.Key_Return)
    hand.key(Qt.Key.Key_3)
    hand.drag((150, 150), (150, 200))
    until(lambda: session.mask is not None)
    assert len(session.draft.prompts.points) > 1
    hand.key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_4)
    with hand.dragging([(150, 30), (150, 60), (180, 60), (180, 30), (151, 31)]):
        pass
    until(lambda: session.mask is not None)
    assert session.draft.prompts.mask is not None
    hand.key(Qt.Key.Key_Escape)
    assert window.scene.camera.center == center
    assert scene(window).hand.tool is Tool.LASSO

    hand.double_click((100, 120))
    assert session.draft.label == 1
    assert window.scene.camera.zoom == camera
    hand.key(Qt.Key.Key_Escape)
    hand.move((100, 120))
    hand.key(Qt.Key.Key_Delete)
    assert session.labels.data[100, 120] == 0
    hand.key(Qt.Key.Key_Z, CONTROL)
    assert session.labels.data[100, 120] == 1
    hand.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    assert session.labels.data[100, 120] == 0


def test_point_after_point(window, session, hand, until):
    """The outline becomes the object; Shift makes it red, a click on a point drops that point."""
    drawn = scene(window)
    hand.move((100, 120))
    until(lambda: drawn.hover.shown is not None)
    outlined = session.hovered[0]
    assert drawn.hover.shown.positive
    hand.click((100, 120))
    until(lambda: session.mask is not None)
    first = session.mask
    np.testing.assert_allclose(first.box, outlined.box, atol=2)  # it may have moved by a pixel
    assert drawn.object.layer.data.any()
    hand.move((100, 130))
    with hand.holding(Qt.Key.Key_Shift):
        until(lambda: drawn.hover.shown is not None and not drawn.hover.shown.positive)
        hand.press((100, 130), SHIFT)
    until(lambda: not session.draft.is_waiting)
    assert session.draft.prompts.labels.tolist() == [1, 0]
    assert session.mask.area < first.area
    hand.click((100, 130))
    until(lambda: session.draft.prompts.labels.tolist() == [1] and session.mask is not None)
    np.testing.assert_array_equal(session.mask.array, first.array)
    hand.click((100, 120))
    assert session.draft.is_empty
    assert not drawn.object.layer.data.any()


def test_enter_keeps_tool_and_rank_for_the_next_object(window, session, hand, until):
    hand.key(Qt.Key.Key_3)
    hand.click((100, 120))
    until(lambda: session.mask is not None)
    hand.wheel((100, 120), 1, ALT)
    chosen = session.mask.area
    hand.key(Qt.Key.Key_Return)
    assert session.next_label == 2
    assert scene(window).hand.tool is Tool.SCRIBBLE
    hand.drag((60, 60), (60, 61))
    hand.drag((60, 60), (60, 80))
    until(lambda: session.mask is not None)
    hand.drag((80, 60), (80, 80), SHIFT)
    until(lambda: not session.draft.is_waiting)
    assert len(session.draft.prompts.negatives) > 0
    assert not session.mask.contains(80, 70)
    hand.key(Qt.Key.Key_Escape)
    hand.move((60, 60))
    until(lambda: session.hovered is not None)
    assert session.hovered[0].area == pytest.approx(chosen, rel=0.1)


def test_objects_that_are_there_stay_whole(session, hand, until):
    hand.click((100, 100))
    until(lambda: session.mask is not None)
    hand.key(Qt.Key.Key_Return)
    first = session.labels.data == 1
    hand.click((100, 122))
    until(lambda: session.mask is not None)
    shown = session.mask.to_array(first.shape)
    assert not (shown & first).any()
    hand.key(Qt.Key.Key_Return)
    np.testing.assert_array_equal(session.labels.data == 1, first)
    np.testing.assert_array_equal(session.labels.data == 2, shown)


def state_of(session):
    """What the user sees: prompts, what they belong to, and the labels."""
    draft = session.draft
    box = None if draft.prompts.box is None else draft.prompts.box.tolist()
    labels = None if session.labels is None else session.labels.data.tobytes()
    if labels is not None and not any(labels):
        labels = None  # as if there were none
    return draft.prompts.points.tolist(), box, draft.label, labels


def test_one_undo_for_all_of_it_and_one_redo(session, hand, until):
    """Prompts of each kind, keeping, opening again, replacing, deleting, turbo."""
    seen = []

    def answered():
        return session.n_steps == len(seen) and not session.draft.is_waiting

    def see():
        until(answered)
        seen.append(state_of(session))

    see()
    hand.click((100, 120))
    see()
    hand.click((100, 150), SHIFT)
    see()
    hand.click((100, 150))  # the point goes
    see()
    hand.key(Qt.Key.Key_Return)
    see()
    hand.key(Qt.Key.Key_2)
    hand.drag((20, 20), (60, 70))
    see()
    hand.key(Qt.Key.Key_3)
    hand.drag((40, 40), (40, 60))
    see()
    hand.key(Qt.Key.Key_4)
    with hand.dragging([(150, 30), (150, 60), (180, 60), (180, 30), (151, 31)]):
        pass
    see()
    hand.double_click((100, 110))  # though another object is being made
    see()
    assert session.draft.label == 1
    hand.click((100, 135))
    see()
    hand.key(Qt.Key.Key_Return)
    see()
    assert (session.labels.data == 1).sum() > 1000
    hand.move((100, 135))
    hand.key(Qt.Key.Key_Delete)
    see()
    hand.key(Qt.Key.Key_T)
    hand.click((40, 200))
    until(lambda: session.labels.data.any())
    see()

    for state in seen[-2::-1]:
        hand.key(Qt.Key.Key_Z, CONTROL)
        until(lambda: not session.draft.is_waiting)
        assert state_of(session) == state
    assert session.n_steps == 0
    for state in seen[1:]:
        hand.key(Qt.Key.Key_Z, CONTROL | SHIFT)
        until(lambda: not session.draft.is_waiting)
        assert state_of(session) == state


def test_delete_takes_all_planes_and_with_shift_one(window, session, hand):
    session.image = window.add_image(np.zeros((3, 200, 240), np.uint8))
    labels = np.zeros((3, 200, 240), np.uint8)
    labels[:, 90:110, 110:130] = 1
    session.labels = window.add_labels(labels)
    scene(window).hand.wake_keys()
    window.dims.set_point(0, 1)
    hand.move((100, 120))
    with hand.holding(Qt.Key.Key_Shift):
        hand.key(Qt.Key.Key_Delete, SHIFT)
    assert labels.any(axis=(1, 2)).tolist() == [True, False, True]
    hand.key(Qt.Key.Key_Z, CONTROL)
    assert labels.any(axis=(1, 2)).all()
    hand.move((100, 120))
    hand.key(Qt.Key.Key_Delete)
    assert not labels.any()
    hand.key(Qt.Key.Key_Z, CONTROL)
    assert labels.any(axis=(1, 2)).all()


def test_after_alt_and_wheel_the_keys_are_not_the_menu_s(window, session, hand, until):
    hand.click((100, 120))
    until(lambda: session.mask is not None)
    with hand.holding(Qt.Key.Key_Alt, ALT):
        hand.wheel((100, 120), 1, ALT)
    bars = [widget for widget in QApplication.allWidgets() if isinstance(widget, QMenuBar)]
    assert bars and not any(bar.activeAction() for bar in bars)


def test_shift_is_heard_while_the_mouse_rests(session, hand, until):
    hand.click((100, 120))
    until(lambda: session.mask is not None)
    hand.move((100, 150))
    until(lambda: session.hovered is not None and session.hovered[2])
    with hand.holding(Qt.Key.Key_Shift):
        until(lambda: session.hovered is not None and not session.hovered[2])
    until(lambda: session.hovered is not None and session.hovered[2])


def test_space_pans_with_a_drawing_tool(window, session, hand):
    hand.key(Qt.Key.Key_2)
    center = window.scene.camera.center
    with hand.holding(Qt.Key.Key_Space):
        hand.drag((100, 120), (60, 80))
    assert window.scene.camera.center != center
    assert session.draft.is_empty


def test_space_that_is_released_elsewhere_does_not_pan_for_good(window, session, hand, until, qapp):
    hand.key(Qt.Key.Key_2)
    center = window.scene.camera.center
    for widget, is_held in ((hand._canvas, True), (QPushButton(), False), (None, False)):
        QTest.keyPress(hand._canvas, Qt.Key.Key_Space)
        qapp.focusChanged.emit(hand._canvas, widget)
        assert scene(window).hand.is_panning == is_held
    hand.drag((20, 20), (60, 70))
    until(lambda: session.mask is not None)
    assert window.scene.camera.center == center


def test_turbo_keeps_what_the_outline_shows(window, session, hand, until):
    hand.key(Qt.Key.Key_T)
    hand.move((100, 120))
    until(lambda: session.hovered is not None)
    outlined = session.hovered[0]
    hand.click((100, 120))
    until(lambda: len(session.objects) == 1)
    y0, x0, y1, x1 = outlined.box
    kept = session.labels.data[y0:y1, x0:x1] == 1
    assert (kept == outlined.array).mean() > 0.95  # the mouse may have moved by a pixel since
    hand.double_click((100, 120))
    until(lambda: session.draft.label == 1)
    assert session.labels.data.max() == 1
    hand.key(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_Z, CONTROL)
    hand.key(Qt.Key.Key_Z, CONTROL)
    hand.key(Qt.Key.Key_Z, CONTROL)
    assert not session.labels.data.any()


def test_napari_s_own_wheel_comes_back_with_the_dock_s_end(window, open_dock, hand):
    window.add_labels(np.zeros((200, 240), np.uint8), name="another")
    dock, _ = open_dock()
    window.layers.selection.active = window.layers["cells"]
    dock.destroyOnClose()  # what its ✕ does
    hand.wheel((100, 120), 1, ALT)
    assert window.layers.selection.active is not window.layers["cells"]


def test_an_object_of_fewer_clicks_than_the_draft_has_is_opened(session):
    session.click(100, 120)
    session.click(20, 20, positive=False)
    session.commit()
    session.scribble([(60, 60), (60, 160)])
    assert len(session.draft.prompts.points) > 2
    session.reopen(1)
    assert session.draft.prompts.labels.tolist() == [1, 0]
