"""The dock of automatic segmentation in a real window."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
import zarr
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QProgressBar, QPushButton

import napari_sam
from napari_sam.segment import find
from napari_sam.segment.output import read_record
from napari_sam.widgets.ahead import ahead
from napari_sam.widgets.automatic import AutomaticWidget
from napari_sam.widgets.automatic_apply import AutomaticApply
from napari_sam.widgets.automatic_knobs import AutomaticKnobs
from napari_sam.widgets.automatic_preview import AutomaticPreview
from napari_sam.widgets.embeddings_dock import EmbeddingsWidget
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import scene

from .bright_discs import PixelModel, draw_discs, find_discs, spread

PATIENCE_MS = 60_000  # a busy machine is no failure
LEFT = Qt.MouseButton.LeftButton
SHAPE = (150, 200)
N_DISCS = 20


@pytest.fixture
def window(make_napari_viewer, qtbot, monkeypatch):
    """A viewer on screen with a stack of discs; its session uses a model that finds them."""
    monkeypatch.setitem(find.FINDERS, "seeds", find_discs)
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 700)
    plane = draw_discs(SHAPE, spread(SHAPE, N_DISCS))
    viewer.add_image(np.stack([plane, plane]), name="discs", scale=(1, 2, 2))
    napari_sam.session(viewer).model = PixelModel()
    viewer.dims.set_point(0, 0)
    qtbot.wait(50)
    return viewer


@pytest.fixture
def open_dock(window, qtbot):
    def open_it():
        widget = AutomaticWidget(window)
        dock = window.window.add_dock_widget(widget, name="Automatic")
        qtbot.wait(100)
        window.reset_view()
        return dock, widget

    return open_it


def button(widget, title):
    (found,) = (each for each in widget.findChildren(QPushButton) if each.text() == title)
    return found


def press(widget, title):
    assert button(widget, title).isEnabled()
    QTest.mouseClick(button(widget, title), LEFT)


def said(widget):
    return [each.text for each in widget.findChildren(Sentences)]


def counted(widget):
    texts = [label.text() for label in widget.findChildren(QLabel)]
    return next((text for text in texts if " of " in text or "No objects" in text), "")


def preview(widget, qtbot):
    press(widget, "Preview")
    part = widget.findChild(AutomaticPreview)
    qtbot.waitUntil(lambda: part.found is not None and not part.is_searching, timeout=PATIENCE_MS)


def apply(widget, qtbot):
    press(widget, "Apply")
    part = widget.findChild(AutomaticApply)
    qtbot.waitUntil(lambda: not part.is_running, timeout=PATIENCE_MS)


def test_preview_slider_keep_undo(window, open_dock, qtbot):
    _, widget = open_dock()
    assert not button(widget, "Keep these").isEnabled()
    preview(widget, qtbot)
    layer = scene(window).found.layer
    assert counted(widget).startswith("<b>20 of 20</b>")
    assert len(np.unique(layer.data)) == 21
    assert layer.data.shape[-1] <= SHAPE[1]
    assert layer.translate[0] == 0
    slider = widget.findChild(AutomaticKnobs)._iou.slider
    slider.setValue(0.8)
    qtbot.waitUntil(lambda: "<b>20" not in counted(widget), timeout=PATIENCE_MS)
    n_left = len(np.unique(layer.data)) - 1
    assert 0 < n_left < 20
    assert counted(widget).startswith(f"<b>{n_left} of 20</b>")
    slider.setValue(slider.maximum())
    qtbot.waitUntil(lambda: not layer.data.any(), timeout=PATIENCE_MS)
    assert "lower predicted IoU" in counted(widget)
    assert not button(widget, "Keep these").isEnabled()
    slider.setValue(0.8)
    qtbot.waitUntil(lambda: button(widget, "Keep these").isEnabled(), timeout=PATIENCE_MS)
    press(widget, "Keep these")
    labels = napari_sam.session(window).labels
    assert len(np.unique(labels.data[0])) == n_left + 1
    assert not labels.data[1].any()
    assert not layer.data.any()
    press(widget, "Undo")
    assert not labels.data.any()
    assert layer.data.any()


def test_while_nothing_is_searched_the_progress_is_not_drawn(open_dock, qtbot, monkeypatch):
    _, widget = open_dock()
    resets = []
    monkeypatch.setattr(QProgressBar, "reset", lambda bar: resets.append(bar))
    widget._session.layers_changed.emit()
    assert not resets


def test_what_was_found_in_another_way_says_so(window, open_dock, qtbot):
    _, widget = open_dock()
    preview(widget, qtbot)
    window.dims.set_point(0, 1)
    assert button(widget, "Preview again")
    window.dims.set_point(0, 0)
    assert button(widget, "Preview")
    mode = widget.findChildren(QComboBox)[0]
    mode.setCurrentIndex(mode.findData("grid"))
    mode.activated.emit(mode.currentIndex())
    assert button(widget, "Preview again")
    assert "other settings" in counted(widget)


def test_the_stack_goes_to_a_file_and_what_is_there_stays(window, open_dock, qtbot, tmp_path):
    _, widget = open_dock()
    session = napari_sam.session(window)
    preview(widget, qtbot)
    slider = widget.findChild(AutomaticKnobs)._iou.slider
    slider.setValue(0.9)
    press(widget, "Keep these")
    n_kept = session.next_label - 1
    slider.setValue(slider.minimum())
    part = widget.findChild(AutomaticApply)
    part._use_out(tmp_path / "out.zarr")
    part._scope.setCurrentIndex(part._scope.findData("stack"))
    qtbot.waitUntil(lambda: "2 tiles" in "".join(said(widget)), timeout=PATIENCE_MS)
    apply(widget, qtbot)
    (layer,) = (layer for layer in window.layers if layer.name == "discs objects")
    found = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    assert found.shape == (2, *SHAPE)
    assert len(np.unique(found[1])) == N_DISCS + 1
    kept = np.asarray(session.labels.data)
    assert (found[kept > 0] == kept[kept > 0]).all()
    assert 0 < n_kept < N_DISCS
    assert tuple(layer.scale) == (1, 2, 2)
    assert str(tmp_path / "out.zarr") in said(widget)[-1]
    assert zarr.open_group(tmp_path / "out.zarr", mode="r")


def test_only_in_a_polygon(window, open_dock, qtbot, tmp_path):
    _, widget = open_dock()
    part = widget.findChild(AutomaticApply)
    part._use_out(tmp_path / "out.zarr")
    corner = np.array([(0, 0), (0, 120), (120, 120), (120, 0)])  # in world units: 60 × 60 pixels
    shapes = window.add_shapes([corner], shape_type="polygon", name="here")
    part._region.setCurrentIndex(part._region.findText("here"))
    apply(widget, qtbot)
    layer = window.layers["discs objects"]
    found = np.asarray(layer.data[0] if layer.multiscale else layer.data)
    assert len(np.unique(found)) == 4 + 1
    shapes.data = []
    press(widget, "Apply")
    assert "draw one" in said(widget)[-1]


def test_cancel_and_go_on(window, open_dock, qtbot, tmp_path, monkeypatch):
    _, widget = open_dock()
    part = widget.findChild(AutomaticApply)
    part._use_out(tmp_path / "out.zarr")
    part._scope.setCurrentIndex(part._scope.findData("stack"))
    began, may_go = threading.Event(), threading.Event()

    def slowly(*args):
        began.set()
        may_go.wait(20)
        return find_discs(*args)

    monkeypatch.setitem(find.FINDERS, "seeds", slowly)
    press(widget, "Apply")
    qtbot.waitUntil(began.is_set, timeout=PATIENCE_MS)
    assert not button(widget, "Apply").isEnabled()
    press(widget, "Cancel")
    assert "goes on" in said(widget)[-1]
    assert not button(widget, "Cancel").isEnabled()
    may_go.set()
    qtbot.wait(300)
    assert not (tmp_path / "out.zarr").exists()
    apply(widget, qtbot)
    assert (tmp_path / "out.zarr").exists()


def test_what_was_made_otherwise_is_replaced_if_asked(window, open_dock, qtbot, tmp_path):
    _, widget = open_dock()
    part = widget.findChild(AutomaticApply)
    out = tmp_path / "out.zarr"
    part._use_out(out)
    apply(widget, qtbot)
    before = read_record(out)
    assert not button(widget, "Replace").isVisible()
    preview(widget, qtbot)
    slider = widget.findChild(AutomaticKnobs)._iou.slider
    slider.setValue(0.8)
    part._use_out(out)
    apply(widget, qtbot)
    assert "made from something else" in said(widget)[-1]
    assert read_record(out) == before
    press(widget, "Replace")
    qtbot.waitUntil(lambda: not part.is_running, timeout=PATIENCE_MS)
    assert read_record(out)["settings"] != before["settings"]
    assert not button(widget, "Replace").isVisible()


def test_it_says_why_not(window, open_dock, qtbot):
    _, widget = open_dock()
    window.dims.ndisplay = 3
    press(widget, "Preview")
    assert "2-D" in said(widget)[-1]
    window.dims.ndisplay = 2
    model = PixelModel()
    model.has_instance_maps = False
    napari_sam.session(window).model = model
    mode = widget.findChildren(QComboBox)[0]
    mode.setCurrentIndex(mode.findData("watershed"))
    press(widget, "Preview")
    qtbot.waitUntil(lambda: "instance decoder" in said(widget)[-1], timeout=PATIENCE_MS)
    assert not button(widget, "Cancel").isEnabled()
    window.layers.clear()
    press(widget, "Preview")
    assert "Open an image" in said(widget)[-1]
    assert not button(widget, "Apply").isEnabled()


@pytest.mark.filterwarnings("default:No object was found")
def test_an_output_that_cannot_be_and_one_without_objects(window, open_dock, qtbot, tmp_path):
    _, widget = open_dock()
    part = widget.findChild(AutomaticApply)
    (tmp_path / "mine").mkdir()
    part._use_out(tmp_path / "mine")
    apply(widget, qtbot)
    assert "no output" in said(widget)[-1]
    preview(widget, qtbot)
    slider = widget.findChild(AutomaticKnobs)._iou.slider
    slider.setValue(slider.maximum())
    part._use_out(tmp_path / "out.zarr")
    apply(widget, qtbot)
    assert "No object was found" in said(widget)[-1]
    assert (tmp_path / "out.zarr").exists()


def test_the_image_goes_while_it_is_searched(window, open_dock, qtbot, monkeypatch):
    _, widget = open_dock()
    began, may_go = threading.Event(), threading.Event()

    def slowly(*args):
        began.set()
        may_go.wait(20)
        return find_discs(*args)

    monkeypatch.setitem(find.FINDERS, "seeds", slowly)
    press(widget, "Preview")
    qtbot.waitUntil(began.is_set, timeout=PATIENCE_MS)
    window.layers.remove("discs")
    may_go.set()
    qtbot.wait(300)
    assert widget.findChild(AutomaticPreview).found is None
    assert not button(widget, "Cancel").isEnabled()
    assert "⚠" not in "".join(said(widget))


def test_closing_leaves_nothing(window, open_dock, qtbot):
    session = napari_sam.session(window)

    def open_and_close():
        dock, widget = open_dock()
        preview(widget, qtbot)
        assert "candidates" in window.layers
        counts = len(session.layers_changed), len(ahead(window).changed)
        dock.destroyOnClose()  # what its ✕ does
        return counts, weakref.ref(widget)

    all_counts = set()
    for _ in range(2):
        counts, gone = open_and_close()
        all_counts.add(counts)
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        qtbot.wait(100)
        gc.collect()
        assert gone() is None
        assert "candidates" not in window.layers
    assert len(all_counts) == 1


def test_it_is_a_tab_and_fits_a_small_screen(window, open_dock, qtbot):
    other = window.window.add_dock_widget(EmbeddingsWidget(window), name="Embeddings")
    qtbot.wait(100)
    dock, widget = open_dock()
    tabs = window.window._qt_window.tabifiedDockWidgets
    qtbot.waitUntil(lambda: tabs(other) == [dock], timeout=PATIENCE_MS)
    assert widget.minimumSizeHint().height() < 600
    assert widget.minimumSizeHint().width() < 360
