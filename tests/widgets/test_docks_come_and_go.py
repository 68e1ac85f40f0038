"""Docks and windows come and go: nothing listens twice, nothing stays, nothing crashes."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import weakref

import numpy as np
import psygnal
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QApplication

import napari_sam
from napari_sam.widgets.ahead import ahead
from napari_sam.widgets.automatic import AutomaticWidget
from napari_sam.widgets.embeddings_dock import EmbeddingsWidget
from napari_sam.widgets.installed import installed
from napari_sam.widgets.key_choices import key_choices
from napari_sam.widgets.models import ModelsWidget
from napari_sam.widgets.objects_dock import ObjectsWidget
from napari_sam.widgets.segment import SegmentWidget
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import scene

DOCKS = (SegmentWidget, ObjectsWidget, AutomaticWidget, EmbeddingsWidget, ModelsWidget)
PATIENCE_MS = 30_000  # a busy machine is no failure


def still_there(references):
    for _ in range(2):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QApplication.processEvents()
        gc.collect()
    return [name for name, reference in references.items() if reference() is not None]


def refer(**things):
    return {name: weakref.ref(thing) for name, thing in things.items()}


def n_listeners(viewer):
    """How many listen, to each signal that lives longer than a dock."""
    session, shown = napari_sam.session(viewer), scene(viewer)
    found = {
        name: len(getattr(viewer, name))
        for name in (
            "mouse_move_callbacks",
            "mouse_drag_callbacks",
            "mouse_wheel_callbacks",
            "mouse_double_click_callbacks",
        )
    }
    parts = [viewer, viewer.dims, viewer.scene.camera, viewer.canvas, viewer.cursor]
    parts += [viewer.layers, viewer.layers.selection, *viewer.layers]
    for index, part in enumerate(parts):
        events = part.events
        signals = events.signals if hasattr(events, "signals") else events.emitters
        for name, signal in signals.items():
            if signal is not None:
                listeners = signal.callbacks if hasattr(signal, "callbacks") else signal
                found[f"{index} {type(part).__name__}.{name}"] = len(listeners)
    for part in (session, shown.review, shown.hand, ahead(viewer), installed, key_choices):
        for name in dir(type(part)):
            if isinstance(getattr(type(part), name), psygnal.Signal):
                found[f"{type(part).__name__}.{name}"] = len(getattr(part, name))
    return found


def wake(viewer):
    """Have napari call all callbacks, when it drops those that are dead."""
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    viewer.scene.camera.zoom *= 1.1
    viewer.layers.selection.clear()
    viewer.add_points(name="passing")
    viewer.layers.remove("passing")
    napari_sam.session(viewer).layers_changed.emit()
    installed.changed.emit()


def make_object(session):
    """Do everything once."""
    session.hover(100, 120)
    session.click(100, 120)
    session.click(100, 140, positive=False)
    session.commit()
    session.undo()
    session.redo()
    session.box(20, 20, 60, 60)


@pytest.mark.parametrize("n_turns", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_docks_that_come_and_go_leave_nothing(window, qtbot, n_turns):
    session = napari_sam.session(window)
    make_object(session)
    seen = []
    for _ in range(n_turns):
        gone, docks = {}, []
        for kind in DOCKS:
            widget = kind(window)
            docks.append(window.window.add_dock_widget(widget, name=kind.__name__))
            gone |= {kind: weakref.ref(widget), f"{kind} dock": weakref.ref(docks[-1])}
        qtbot.wait(200)
        while docks:
            docks.pop().destroyOnClose()  # what its ✕ does
        del widget
        assert still_there(gone) == []
        wake(window)
        seen.append(n_listeners(window))
    assert seen[-1] == seen[0]
    assert seen[-1]["SegmentSession.asked"] == 0
    session.clear()
    session.click(40, 180)  # the session works without a dock
    assert session.commit() == 2


def test_a_window_takes_all_with_it(make_napari_viewer, picture, model, qtbot):
    window = make_napari_viewer()
    window.add_image(picture.copy(), name="cells")
    session = napari_sam.session(window)
    session.model = model
    gone = {}
    for kind in DOCKS:
        widget = kind(window)
        window.window.add_dock_widget(widget, name=kind.__name__)
        gone[kind.__name__] = weakref.ref(widget)
    qtbot.wait(200)
    make_object(session)
    gone |= refer(
        image=session.image,
        pixels=session.image.data,
        predictor=session.predictor,
        embeddings=session.predictor.embeddings,
        labels=session.labels,
        ids=session.labels.data,
        mask=session.mask,
        session=session,
        scene=scene(window),
        viewer=window,
    )
    window.close()
    del window, session, widget
    assert still_there(gone) == []


def test_a_session_does_not_keep_its_viewer(model, picture):
    viewer = ViewerModel()
    viewer.add_image(picture, name="cells")  # without a name, napari looks into this frame
    session = napari_sam.session(viewer)
    session.model = model
    make_object(session)
    gone = refer(viewer=viewer)
    del viewer
    assert still_there(gone) == []
    with pytest.raises(RuntimeError, match="viewer of this session has been closed"):
        session.click(100, 120)


def test_the_plugin_opened_twice_is_one_dock(window, qtbot):
    add = window.window.add_plugin_dock_widget
    (first, widget), (second, same) = (add("napari-sam", "Segment") for _ in range(2))
    assert first is second
    assert widget is same
    qtbot.wait(100)
    before = n_listeners(window)
    first.hide()
    first.show()
    assert n_listeners(window) == before


def test_two_docks_of_one_viewer_act_once(window, open_dock, hand, qtbot, model):
    session, asked = napari_sam.session(window), []
    encode = model.encode
    model.encode = lambda windows: (asked.append(windows), encode(windows))[1]
    (first, _), (second, _) = open_dock(), open_dock()
    for dock in (first, second):
        dock.setFloating(True)  # else one is under the other
        dock.show()
    listening = n_listeners(window)
    assert listening["SegmentSession.asked"] == 2  # the lanes, and what encodes ahead
    hand.click((100, 120))
    qtbot.waitUntil(lambda: session.mask is not None, timeout=PATIENCE_MS)
    assert len(session.draft.prompts.points) == 1
    assert len(asked) == 1
    second.destroyOnClose()
    hand.click((100, 140), Qt.KeyboardModifier.ShiftModifier)
    assert len(session.draft.prompts.points) == 2
    first.destroyOnClose()
    hand.click((40, 40))
    assert len(session.draft.prompts.points) == 2


def test_work_of_a_dock_that_is_closed_is_done_by_the_next(window, open_dock, qtbot):
    session = napari_sam.session(window)
    dock, _ = open_dock()
    session.click(100, 120, wait=False)
    session.commit(wait=False)
    dock.destroyOnClose()
    assert session.labels is None
    open_dock()
    qtbot.waitUntil(lambda: session.labels is not None, timeout=PATIENCE_MS)
    session.click(40, 180)
    assert session.commit() == 2


@pytest.mark.parametrize("kind", DOCKS[:4], ids=lambda kind: kind.__name__)
def test_an_image_that_will_not_do_does_not_keep_a_dock_from_opening(window, kind):
    session = napari_sam.session(window)
    window.add_image(np.zeros((1, 1, 1, 1, 8, 9), np.uint8), name="odd")
    widget = kind(window)
    window.window.add_dock_widget(widget)
    assert session.image is None
    assert "has 6 axes" in session.status
    if kind is SegmentWidget:
        assert "has 6 axes" in widget.findChild(Sentences, "status").text
    session.image = window.layers["cells"]
    session.click(100, 120)
    assert session.commit() == 1


CLOSING = """
    import threading, time
    import napari, numpy as np, torch
    from qtpy.QtCore import QTimer
    from qtpy.QtWidgets import QApplication
    import napari_sam
    from napari_sam.model.base import Model
    from napari_sam.model.features import Features
    from napari_sam.widgets.chore import Chore
    from napari_sam.widgets.segment import SegmentWidget

    started = threading.Event()

    class Slow(Model):
        name, image_size, low_res_size = "slow", 256, 64
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(1))
        def encode(self, windows):
            started.set()
            time.sleep(0.5)
            return Features((torch.zeros(len(windows), 1, 1, 1),))
        def decode(self, *args, **kwargs):
            return torch.zeros(1, 3, 64, 64), torch.ones(1, 3)

    def count():
        for turn in range(20):
            started.set()
            time.sleep(0.05)
            yield f"Counting {turn} ..."
        yield 20

    viewer = napari.Viewer(show=False)
    layer = viewer.add_image(np.zeros((2000, 2000), np.uint8))
    session = napari_sam.session(viewer)
    session.model = Slow()
    dock = viewer.window.add_dock_widget(SegmentWidget(viewer))
    {work}

    def close():
        if not started.is_set():
            QTimer.singleShot(10, close)
            return
        {how}
        print("closed")
        QTimer.singleShot(800, QApplication.instance().quit)

    QTimer.singleShot(0, close)
    napari.run(force=True)
    print("ended")
"""

CLICK = "session.click(1000, 1000, wait=False)"
CHORE = "session.asked.emit(Chore(count, print))"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("work", "how"),
    [
        (CLICK, "viewer.close()"),
        (CLICK, "viewer.window._qt_window.close()"),
        (CLICK, "dock.destroyOnClose()"),
        (CLICK, "viewer.layers.remove(layer)"),
        (CHORE, "viewer.close()"),
        (CHORE, "dock.destroyOnClose()"),
        (CHORE, "QApplication.instance().quit()"),
    ],
)
def test_closing_while_a_worker_runs(work, how):
    """No crash, and no process that hangs."""
    script = textwrap.dedent(CLOSING).replace("{work}", work).replace("{how}", how)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["closed", "ended"]
    assert "Error" not in done.stderr
    assert "Traceback" not in done.stderr


ENDING = """
    import napari, numpy as np
    from qtpy.QtWidgets import QApplication
    from napari_sam.widgets.segment import SegmentWidget

    viewer = napari.Viewer()
    viewer.add_image(np.zeros((60, 80), np.uint8))
    viewer.window.add_dock_widget(SegmentWidget(viewer))
    QApplication.processEvents()
"""


def test_a_script_ends_with_a_dock_open():
    script = [sys.executable, "-c", textwrap.dedent(ENDING)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr
