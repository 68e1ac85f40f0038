"""What is closed or removed is let go: viewers, docks, images, features, labels, callbacks."""

from __future__ import annotations

import gc
import subprocess
import sys
import textwrap
import weakref

import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

import napari_sam
from napari_sam.widgets.automatic import AutomaticWidget
from napari_sam.widgets.embeddings_dock import EmbeddingsWidget
from napari_sam.widgets.installed import installed
from napari_sam.widgets.key_choices import key_choices
from napari_sam.widgets.models import ModelsWidget
from napari_sam.widgets.objects_dock import ObjectsWidget
from napari_sam.widgets.segment import SegmentWidget
from napari_sam.widgets.session import scene

DOCKS = (SegmentWidget, ObjectsWidget, EmbeddingsWidget, AutomaticWidget, ModelsWidget)


def collect():
    for _ in range(3):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        QApplication.processEvents()
        gc.collect()


def alive(references):
    collect()
    return [name for name, reference in references.items() if reference() is not None]


def refer(**things):
    return {name: weakref.ref(thing) for name, thing in things.items()}


def make_object(session):
    """Do everything once."""
    session.hover(100, 120)
    session.click(100, 120)
    session.click(100, 140, positive=False)
    session.commit()
    session.undo()
    session.redo()
    session.box(20, 20, 60, 60)


def parts_of(session):
    """All that is large, or holds something large."""
    return refer(
        image=session.image,
        pixels=session.image.data,
        predictor=session.predictor,
        embeddings=session.predictor.embeddings,
        labels=session.labels,
        ids=session.labels.data,
        candidates=session.candidates,
        mask=session.mask,
    )


def open_and_use(model, picture):
    viewer = ViewerModel()
    viewer.add_image(picture.copy())
    session = napari_sam.session(viewer)
    session.model = model
    make_object(session)
    return parts_of(session) | refer(viewer=viewer, session=session, scene=scene(viewer))


def test_a_viewer_takes_all_with_it(model, picture):
    assert alive(open_and_use(model, picture)) == []


def test_a_session_does_not_keep_its_viewer(model, picture):
    viewer = ViewerModel()
    viewer.add_image(picture)
    session = napari_sam.session(viewer)
    session.model = model
    make_object(session)
    gone = refer(viewer=viewer)
    del viewer
    assert alive(gone) == []
    with pytest.raises(RuntimeError, match="viewer of this session has been closed"):
        session.click(100, 120)


@pytest.mark.parametrize("is_replaced_first", [False, True])
def test_an_image_that_is_removed_is_let_go(viewer, make_session, picture, is_replaced_first):
    viewer.add_image(picture.copy(), name="cells")
    session = make_session(viewer)
    make_object(session)
    parts = parts_of(session)
    if is_replaced_first:
        session.image = viewer.add_image(picture.copy(), name="other")
    viewer.layers.remove("cells")
    viewer.layers.remove("cells labels")
    if not is_replaced_first:
        viewer.add_image(picture.copy(), name="other")
    session.click(100, 120)
    assert session.image.name == "other"
    assert alive(parts) == []
    assert "session.click(100, 120" in session.script()  # yet it is told


def test_other_data_let_those_before_go(viewer, make_session, picture):
    layer = viewer.add_image(picture.copy(), name="cells")
    session = make_session(viewer)
    make_object(session)
    parts = parts_of(session)
    for kept in ("image", "labels", "ids"):
        del parts[kept]
    layer.data = picture.copy()
    session.click(100, 120)
    assert alive(parts) == []


def counts(viewer):
    """How many listen, to each signal that lives longer than a dock."""
    session = napari_sam.session(viewer)
    found = {
        name: len(getattr(viewer, name))
        for name in (
            "mouse_move_callbacks",
            "mouse_drag_callbacks",
            "mouse_wheel_callbacks",
            "mouse_double_click_callbacks",
        )
    }
    groups = [viewer, viewer.dims, viewer.scene.camera, viewer.canvas, viewer.cursor]
    groups += [viewer.layers, viewer.layers.selection, *viewer.layers]
    for group in groups:
        events = group.events
        signals = events.signals if hasattr(events, "signals") else events.emitters
        for name, signal in signals.items():
            if signal is not None:
                size = len(signal.callbacks) if hasattr(signal, "callbacks") else len(signal)
                found[f"{type(group).__name__} {group!r:.40} {name}"] = size
    for name in ("asked", "draft_changed", "hover_changed", "status_changed", "layers_changed"):
        found[name] = len(getattr(session, name))
    found["objects_changed"] = len(session.objects_changed)
    found["installed"] = len(installed.changed)
    found["keys"] = len(key_choices.changed)
    return found


@pytest.fixture
def window(make_napari_viewer, picture, model):
    window = make_napari_viewer()
    window.add_image(picture.copy(), name="cells")
    napari_sam.session(window).model = model
    return window


def wake(viewer):
    """Have napari call all callbacks, when it drops those that are dead."""
    viewer.dims.ndisplay = 3
    viewer.dims.ndisplay = 2
    viewer.scene.camera.zoom *= 1.1
    viewer.add_points(name="passing")
    viewer.layers.remove("passing")
    viewer.layers.selection.clear()
    napari_sam.session(viewer).layers_changed.emit()
    installed.changed.emit()
    collect()


@pytest.mark.parametrize("kind", DOCKS, ids=lambda kind: kind.__name__)
def test_docks_that_come_and_go_leave_nothing(window, qtbot, kind):
    session = napari_sam.session(window)
    seen = []
    for turn in range(10):
        widget = kind(window)
        dock = window.window.add_dock_widget(widget, name="dock")
        qtbot.wait(10)
        if turn == 0:
            make_object(session)
        gone = refer(widget=widget, dock=dock)
        dock.destroyOnClose()  # what its ✕ does
        del widget, dock
        assert alive(gone) == []
        wake(window)
        seen.append(counts(window))
    assert seen[-1] == seen[1]
    session.clear()
    session.click(40, 180)  # the session works without a dock
    assert session.commit() == 2


def test_a_window_takes_all_with_it(make_napari_viewer, picture, model, qtbot):
    window = make_napari_viewer()
    window.add_image(picture.copy(), name="cells")
    session = napari_sam.session(window)
    session.model = model
    for kind in DOCKS:
        window.window.add_dock_widget(kind(window), name=kind.__name__)
    qtbot.wait(100)
    make_object(session)
    parts = parts_of(session) | refer(session=session, scene=scene(window), viewer=window)
    window.close()
    del window, session
    assert alive(parts) == []


def test_the_plugin_opened_twice_is_one_dock(window, qtbot):
    add = window.window.add_plugin_dock_widget
    (first, widget), (second, same) = (add("napari-sam", "Segment") for _ in range(2))
    assert first is second
    assert widget is same
    before = counts(window)
    first.hide()
    first.show()
    assert counts(window) == before


CLOSING = """
import threading, time
import napari, numpy as np, torch
from qtpy.QtCore import QTimer
import napari_sam
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.widgets.segment import SegmentWidget

started = threading.Event()

class Slow(Model):
    name, image_size, low_res_size = "slow", 256, 64
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
    def encode(self, windows):
        started.set()
        time.sleep(1)
        return Features((torch.zeros(len(windows), 1, 1, 1),))
    def decode(self, *args, **kwargs):
        return torch.zeros(1, 3, 64, 64), torch.ones(1, 3)

viewer = napari.Viewer(show=False)
layer = viewer.add_image(np.zeros((2000, 2000), np.uint8))
session = napari_sam.session(viewer)
session.model = Slow()
dock = viewer.window.add_dock_widget(SegmentWidget(viewer))
session.click(1000, 1000, wait=False)

def close():
    if not started.is_set():
        QTimer.singleShot(10, close)
        return
    {how}
    print("closed")
    QTimer.singleShot(1500, napari.Viewer.close_all)

QTimer.singleShot(0, close)
napari.run(force=True)
print("ended")
"""


@pytest.mark.parametrize(
    "how", ["viewer.close()", "dock.destroyOnClose()", "viewer.layers.remove(layer)"]
)
def test_closing_while_a_worker_runs(how):
    """No crash, and no process that hangs."""
    script = textwrap.dedent(CLOSING).replace("{how}", how)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["closed", "ended"]
    assert "Error" not in done.stderr
