"""The dock in a real window, driven by real mouse and key events."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref

import numpy as np
import pytest
from napari.layers import Points
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QApplication, QPushButton
from tools.hand import CONTROL, SHIFT

import napari_sam
from napari_sam.widgets import segment
from napari_sam.widgets.advanced import Advanced
from napari_sam.widgets.banner import Banner
from napari_sam.widgets.installed import installed
from napari_sam.widgets.scrolled import Scrolled
from napari_sam.widgets.segment import SegmentWidget
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import scene
from napari_sam.widgets.tools import Tool
from napari_sam.widgets.two_pages import TwoPages

PATIENCE_MS = 30_000  # a busy machine is no failure


def test_hover_click_correct_keep_undo(window, open_dock, hand, qtbot):
    """The whole story with the hand."""
    open_dock()
    session = napari_sam.session(window)
    hand.move((60, 60))
    qtbot.waitUntil(lambda: session.hovered is not None, timeout=PATIENCE_MS)
    assert session.hovered[0].contains(60, 60)
    hand.click((100, 120))
    qtbot.waitUntil(lambda: session.candidates is not None, timeout=PATIENCE_MS)
    area = session.mask.area
    hand.click((100, 132), SHIFT)
    qtbot.waitUntil(
        lambda: session.mask is not None and session.mask.area < area, timeout=PATIENCE_MS
    )
    hand.key(Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: session.labels is not None, timeout=PATIENCE_MS)
    assert session.labels.data[100, 120] == 1
    assert session.labels.data[100, 132] == 0
    assert session.hovered is None
    hand.key(Qt.Key.Key_Z, CONTROL)
    assert not session.labels.data.any()
    assert len(session.draft.prompts.points) == 2
    hand.click((100, 132))  # on the negative point
    qtbot.waitUntil(
        lambda: session.mask is not None and session.mask.area == area, timeout=PATIENCE_MS
    )
    hand.key(Qt.Key.Key_Escape)
    assert session.draft.is_empty
    hand.key(Qt.Key.Key_Z, CONTROL)
    hand.key(Qt.Key.Key_Z, CONTROL | SHIFT)
    assert session.draft.is_empty


def test_the_keys_work_on_an_image_that_is_opened_after_the_dock(
    window, open_dock, hand, qtbot, picture
):
    window.layers.clear()
    open_dock()
    session, shown, selection = napari_sam.session(window), scene(window), window.layers.selection

    def has_keys():
        return selection.active is not None and selection.active is shown.points.layer

    _, image = (window.add_image(picture, name=name) for name in ("first", "second"))
    qtbot.waitUntil(lambda: session.image is image, timeout=PATIENCE_MS)
    qtbot.waitUntil(has_keys, timeout=PATIENCE_MS)
    hand.key(Qt.Key.Key_2)
    assert (image.mode, shown.hand.tool) == ("pan_zoom", Tool.BOX)


def test_enter_before_the_mask_is_there(window, open_dock, hand, qtbot, model):
    open_dock()
    session = napari_sam.session(window)
    may_go = threading.Event()
    encode = model.encode
    model.encode = lambda windows: (may_go.wait(10), encode(windows))[1]
    hand.click((100, 120))
    hand.key(Qt.Key.Key_Return)
    hand.click((40, 40))
    assert session.labels is None
    may_go.set()
    qtbot.waitUntil(
        lambda: session.mask is not None and session.mask.contains(40, 40), timeout=PATIENCE_MS
    )
    assert session.labels.data[100, 120] == 1


def test_dragging_still_pans(window, open_dock, hand):
    open_dock()
    center = window.scene.camera.center
    hand.drag((100, 120), (60, 80))
    assert window.scene.camera.center != center
    assert napari_sam.session(window).draft.is_empty


def test_a_rectangle_is_a_box_and_a_click_is_still_a_click(window, open_dock, hand, qtbot):
    _, widget = open_dock()
    session = napari_sam.session(window)
    button = widget.findChild(QPushButton, "box")
    button.click()
    hand.drag((40, 50), (90, 120))
    qtbot.waitUntil(lambda: session.mask is not None, timeout=PATIENCE_MS)
    np.testing.assert_allclose(session.draft.prompts.box, [40, 50, 90, 120], atol=1)
    hand.click((60, 70), SHIFT)
    qtbot.waitUntil(
        lambda: session.mask is not None and not session.mask.contains(60, 70), timeout=PATIENCE_MS
    )
    assert session.draft.prompts.box is not None
    hand.key(Qt.Key.Key_Return)
    assert session.labels.data[85, 115] == 1
    hand.drag((120, 50), (160, 120))
    qtbot.waitUntil(lambda: session.mask is not None, timeout=PATIENCE_MS)
    hand.key(Qt.Key.Key_Return)
    assert session.labels.data[140, 100] == 2


def test_the_mouse_leaves_other_tools_alone(window, open_dock, hand):
    open_dock()
    session = napari_sam.session(window)
    points = window.add_points(np.zeros((0, 2)))
    points.mode = "add"
    hand.click((100, 120))
    assert len(points.data) == 1
    assert session.draft.is_empty
    points.mode = "pan_zoom"
    hand.click((100, 120))
    assert len(points.data) == 1
    assert not session.draft.is_empty


def test_a_tool_that_is_taken_while_the_dock_opens_stays_in_the_hand(window, open_dock, qtbot):
    points = window.add_points(np.zeros((0, 2)))
    points.mode = "add"
    open_dock()
    qtbot.waitUntil(lambda: "box" in window.layers, timeout=PATIENCE_MS)
    assert window.layers.selection.active is points


class Heard(QObject):
    """Calls a function at each event of a kind."""

    def __init__(self, kind, call):
        super().__init__()
        self._kind, self._call = kind, call

    def eventFilter(self, watched, event):
        if event.type() == self._kind:
            self._call()
        return False


def test_the_dock_is_drawn_before_its_layers_are_made(window, qtbot):
    widget, order = SegmentWidget(window), []
    window.layers.events.inserted.connect(lambda event: order.append("layer"))
    painted = Heard(QEvent.Type.Paint, lambda: order.append("drawn"))
    widget.installEventFilter(painted)
    window.window.add_dock_widget(widget, name="Segment")
    qtbot.waitUntil(lambda: len(scene(window).layers) == 3)
    assert order[0] == "drawn"
    assert window.layers.selection.active is scene(window).points.layer


def test_another_image_gets_the_layers_too(window, open_dock, picture, qtbot):
    _, widget = open_dock()
    stack = window.add_image(np.stack([picture] * 2))
    widget._form.image_chosen.emit(stack)
    qtbot.waitUntil(lambda: [layer.ndim for layer in scene(window).layers] == [3, 3, 3])
    qtbot.waitUntil(lambda: all(layer in window.layers for layer in scene(window).layers))
    assert window.layers.selection.active is scene(window).points.layer


def test_keys_come_back_with_a_click(window, open_dock, hand, qtbot):
    """They are bound on the plugin's own layers, so no key of a user's layer is taken."""
    open_dock()
    session = napari_sam.session(window)
    image = window.layers["cells"]
    window.layers.selection.active = image
    assert not image.keymap
    hand.click((100, 120))
    qtbot.waitUntil(lambda: session.mask is not None, timeout=PATIENCE_MS)
    hand.key(Qt.Key.Key_Return)
    assert session.labels is not None


def test_closing_and_opening_again_doubles_nothing(window, open_dock, hand, qtbot):
    session = napari_sam.session(window)

    def open_and_close():
        dock, widget = open_dock()
        window.layers.append(Points())  # napari drops dead callbacks when it next calls all
        counts = (
            len(window.mouse_move_callbacks),
            len(window.mouse_drag_callbacks),
            len(window.layers.events.inserted.callbacks),
            len(session.asked),
            len(session.draft_changed),
        )
        dock.destroyOnClose()  # what its ✕ does
        return counts, weakref.ref(widget)

    all_counts = set()
    for _ in range(3):
        counts, gone = open_and_close()
        all_counts.add(counts)
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        qtbot.wait(50)
        gc.collect()
        assert gone() is None
    assert len(all_counts) == 1
    assert len(session.asked) == 0
    hand.click((100, 120))
    assert session.draft.is_empty
    open_dock()
    hand.click((100, 120))
    assert len(session.draft.prompts.points) == 1


def test_the_window_lives_while_the_image_goes(window, open_dock, hand, qtbot, model):
    open_dock()
    session = napari_sam.session(window)
    may_go, encode = threading.Event(), model.encode
    model.encode = lambda windows: (may_go.wait(10), encode(windows))[1]
    hand.click((100, 120))
    window.layers.remove("cells")
    may_go.set()
    qtbot.wait(100)
    assert session.image is None
    assert session.draft.is_empty
    window.add_image(np.zeros((50, 60), np.uint8))
    assert session.image is None


def test_a_click_takes_the_image_that_is_left(window, open_dock, hand, picture):
    open_dock()
    session = napari_sam.session(window)
    other = window.add_image(picture, name="other")
    window.layers.remove("cells")
    assert session.image is None
    hand.click((100, 120))
    assert session.image is other
    assert len(session.draft.prompts.points) == 1


def test_closing_the_window_while_encoding(window, open_dock, hand, model):
    open_dock()
    may_go, encode = threading.Event(), model.encode
    model.encode = lambda windows: (may_go.wait(10), encode(windows))[1]
    hand.click((100, 120))
    window.close()
    may_go.set()


def said(widget, name="status"):
    return widget.findChild(Sentences, name).text


def test_going_back_to_another_model_waits_for_none(window, open_dock, hand, qtbot, model):
    """A model that takes long to open keeps nobody who does not want it any more."""
    _, widget = open_dock()
    session = napari_sam.session(window)
    slow, may_go, encode = type(model)(), threading.Event(), model.encode
    slow.name = "slow"
    slow.encode = lambda windows: (may_go.wait(20), encode(windows))[1]
    session.model = slow
    hand.click((100, 120))
    qtbot.waitUntil(lambda: "Encoding" in said(widget), timeout=PATIENCE_MS)
    session.model = model
    qtbot.waitUntil(lambda: session.mask is not None, timeout=PATIENCE_MS)
    assert not may_go.is_set()
    may_go.set()


def test_notes_on_the_image_and_warnings_are_shown(window, open_dock, hand, qtbot, model):
    _, widget = open_dock()
    session = napari_sam.session(window)
    notes = widget.findChild(Sentences, "notes")
    hand.click((100, 120))
    qtbot.waitUntil(lambda: session.mask is not None, timeout=PATIENCE_MS)
    assert notes.isHidden()
    odd = np.full((50, 60), np.nan, np.float32)
    odd[:40] = 1
    session.image = window.add_image(odd, name="odd")
    qtbot.waitUntil(lambda: not notes.isHidden(), timeout=PATIENCE_MS)
    assert notes.text.startswith("Image: ")
    decode = model.decode

    def warn_and_decode(*args, **kwargs):
        warnings.warn_explicit("Less memory.", UserWarning, segment.__file__, 1)
        return decode(*args, **kwargs)

    model.decode = warn_and_decode
    warnings.simplefilter("always")
    hand.click((20, 30))
    qtbot.waitUntil(lambda: "Less memory." in notes.text, timeout=PATIENCE_MS)
    assert session.status != "Less memory."


def test_damaged_weights_are_a_sentence_and_open_once_they_are_there(
    window, open_dock, qtbot, model, monkeypatch
):
    _, widget = open_dock()
    session = napari_sam.session(window)

    def load_model(name, **options):
        if not is_whole:
            raise ValueError(f"{name}.pth is damaged: found {'0' * 64}.")
        return model

    is_whole = False
    monkeypatch.setattr("napari_sam.model.load_model", load_model, raising=False)
    session.model = "vit_b"
    qtbot.waitUntil(lambda: "damaged" in said(widget), timeout=PATIENCE_MS)
    assert said(widget) == "vit_b.pth is damaged: found 00000000…."
    is_whole = True
    installed.changed.emit()
    qtbot.waitUntil(lambda: said(widget).startswith("Click an object"), timeout=PATIENCE_MS)


def test_3d_says_what_to_do(window, open_dock, hand):
    _, widget = open_dock()
    window.dims.ndisplay = 3
    hand.click((100, 120))
    assert "Switch to 2-D" in napari_sam.session(window).status
    assert napari_sam.session(window).draft.is_empty
    banner = widget.findChild(Banner)
    assert "Switch to 2-D" in said(widget, "notice")
    banner.findChild(QPushButton).click()
    assert window.dims.ndisplay == 2
    assert banner.isHidden()


def test_two_windows(window, open_dock, make_napari_viewer, picture):
    open_dock()
    other = make_napari_viewer()
    other.add_image(picture)
    widget = SegmentWidget(other)
    other.window.add_dock_widget(widget)
    napari_sam.session(other).hover(50, 50, wait=False)
    assert napari_sam.session(window).hovered is None


@pytest.mark.parametrize("is_advanced", [False, True])
def test_it_fits_a_small_screen(window, open_dock, is_advanced):
    """With a notice; of 768 rows, title bar, menu, tabs and status take 100."""
    _, widget = open_dock()
    if is_advanced:
        widget.findChild(TwoPages).button.click()
    assert widget.findChild(Advanced).isVisible() == is_advanced
    window.dims.ndisplay = 3
    assert not widget.findChild(Banner).isHidden()
    column = widget.findChild(Scrolled).widget()  # the dock follows it in its own time
    assert column.sizeHint().height() < 668
    assert column.minimumSizeHint().width() < 330
