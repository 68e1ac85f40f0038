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
def session(window, open_dock):
    open_dock()
    return napari_sam.session(window)


@pytest.fixture
def until(qtbot):
    return lambda is_done: qtbot.waitUntil(is_done, timeout=PATIENCE_MS)


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
