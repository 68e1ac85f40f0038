"""The dock of embeddings in a real window."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QCheckBox, QFileDialog, QPushButton

import napari_sam
from napari_sam.widgets.ahead import ahead
from napari_sam.widgets.embeddings_dock import EmbeddingsWidget
from napari_sam.widgets.layers import SWITCH_TO_2D
from napari_sam.widgets.level_table import LevelTable
from napari_sam.widgets.segment import SegmentWidget
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import scene
from napari_sam.widgets.store_jobs import store_path

PATIENCE_MS = 30_000  # a busy machine is no failure
LEFT = Qt.MouseButton.LeftButton


@pytest.fixture
def window(make_napari_viewer, model, qtbot):
    """A viewer on screen with a stack; its session uses the quick model."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 700)
    stack = np.random.default_rng(0).integers(0, 255, (3, 600, 700), dtype=np.uint8)
    viewer.add_image(stack, name="cells")
    napari_sam.session(viewer).model = model
    qtbot.wait(50)
    return viewer


@pytest.fixture
def open_dock(window, qtbot):
    def open_it():
        widget = EmbeddingsWidget(window)
        dock = window.window.add_dock_widget(widget, name="Embeddings")
        qtbot.wait(100)
        window.reset_view()
        return dock, widget

    return open_it


def press(widget, title):
    (button,) = (each for each in widget.findChildren(QPushButton) if each.text() == title)
    assert button.isEnabled()
    QTest.mouseClick(button, LEFT)


def said(widget):
    _, place, status, forecast = (each.text for each in widget.findChildren(Sentences))
    return place, forecast, status


def counts(widget):
    table = widget.findChild(LevelTable)
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def test_a_plane_and_the_stack_are_encoded_and_counted(window, open_dock, qtbot, model):
    _, widget = open_dock()
    qtbot.waitUntil(lambda: len(counts(widget)) == 3, timeout=PATIENCE_MS)
    assert not model.n_encoded
    assert counts(widget)[0] == ["full", "0 of 12", "0 of 36"]
    assert "Nothing is encoded before" in said(widget)[2]
    widget.findChild(QCheckBox).setChecked(False)  # encode ahead
    QTest.mouseClick(
        widget.findChild(LevelTable).viewport(),
        LEFT,
        pos=widget.findChild(LevelTable)
        .visualItemRect(widget.findChild(LevelTable).item(0, 0))
        .center(),
    )
    press(widget, "Plane")
    qtbot.waitUntil(
        lambda: counts(widget)[0] == ["full", "12 of 12", "12 of 36"], timeout=PATIENCE_MS
    )
    press(widget, "Stack")
    qtbot.waitUntil(lambda: counts(widget)[0][2] == "36 of 36", timeout=PATIENCE_MS)
    assert model.n_encoded == 36
    assert said(widget)[1] == "Plane: all 12 tiles are encoded.\nStack: all 36 tiles are encoded."


def test_pause_go_on_cancel(window, open_dock, qtbot, model):
    _, widget = open_dock()
    may_go, encode = threading.Event(), model.encode
    model.encode = lambda windows: (may_go.wait(10), encode(windows))[1]
    ahead(window).is_on = False
    press(widget, "Stack")
    qtbot.waitUntil(lambda: " tiles" in said(widget)[2], timeout=PATIENCE_MS)
    press(widget, "Pause")
    qtbot.waitUntil(lambda: said(widget)[2].startswith("Paused"), timeout=PATIENCE_MS)
    press(widget, "Go on")
    qtbot.waitUntil(lambda: said(widget)[2].startswith("Encoding"), timeout=PATIENCE_MS)
    press(widget, "Cancel")
    may_go.set()
    qtbot.waitUntil(lambda: not said(widget)[2].startswith("Encoding"), timeout=PATIENCE_MS)
    assert model.n_encoded <= 2


def test_the_map_follows_and_goes_with_its_switch(window, open_dock, qtbot):
    _, widget = open_dock()
    _, switch = widget.findChildren(QCheckBox)
    before = list(window.layers)
    switch.setChecked(True)
    qtbot.waitUntil(lambda: len(window.layers) == 2, timeout=PATIENCE_MS)
    layer = scene(window).tiles.layer
    press(widget, "Visible")
    qtbot.waitUntil(lambda: set(np.unique(layer.data)) == {1}, timeout=PATIENCE_MS)
    window.dims.set_point(0, 2)
    qtbot.waitUntil(lambda: layer.translate[0] == 2, timeout=PATIENCE_MS)
    window.dims.ndisplay = 3
    qtbot.waitUntil(lambda: not layer.data.any(), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: said(widget)[2] == SWITCH_TO_2D, timeout=PATIENCE_MS)
    window.dims.ndisplay = 2
    qtbot.waitUntil(lambda: said(widget)[2] != SWITCH_TO_2D, timeout=PATIENCE_MS)
    switch.setChecked(False)
    assert list(window.layers) == before
    switch.setChecked(True)
    qtbot.waitUntil(lambda: len(window.layers) == 2, timeout=PATIENCE_MS)
    del window.layers["encoded tiles"]  # by hand
    assert not switch.isChecked()
    qtbot.wait(300)
    assert list(window.layers) == before


def test_the_map_stays_when_an_image_of_other_axes_is_chosen(window, open_dock, qtbot):
    _, widget = open_dock()
    _, switch = widget.findChildren(QCheckBox)
    switch.setChecked(True)
    qtbot.waitUntil(lambda: len(window.layers) == 2, timeout=PATIENCE_MS)
    flat = window.add_image(np.full((50, 60), 3, np.uint8), name="flat")
    napari_sam.session(window).image = flat
    tiles = scene(window).tiles
    qtbot.waitUntil(lambda: tiles.layer is not None and tiles.layer.ndim == 2, timeout=PATIENCE_MS)
    assert switch.isChecked()
    assert [each for each in window.layers if each.name.startswith("encoded")] == [tiles.layer]


def test_another_image_can_be_taken_when_one_has_gone(window, open_dock, qtbot):
    window.add_image(np.full((50, 60), 3, np.uint8), name="flat")
    _, widget = open_dock()
    qtbot.waitUntil(lambda: bool(said(widget)[1]), timeout=PATIENCE_MS)
    window.layers.remove("flat")
    qtbot.waitUntil(lambda: not any(said(widget)[1:]), timeout=PATIENCE_MS)
    press(widget, "Plane")
    qtbot.waitUntil(lambda: bool(counts(widget)), timeout=PATIENCE_MS)
    assert napari_sam.session(window).image.name == "cells"


def choose_folder(widget, folder):
    press(widget, "Folder …")
    dialog = widget.findChild(QFileDialog)
    dialog.fileSelected.emit(str(folder))
    dialog.close()


def test_a_store_is_made_used_and_refused(window, open_dock, qtbot, model, tmp_path):
    _, widget = open_dock()
    session = napari_sam.session(window)
    press(widget, "Plane")
    qtbot.waitUntil(lambda: model.n_encoded > 0, timeout=PATIENCE_MS)
    choose_folder(widget, tmp_path)
    path = tmp_path / "cells-discs.sam.zarr"
    qtbot.waitUntil(lambda: session.store == path, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: str(path) in said(widget)[0], timeout=PATIENCE_MS)
    press(widget, "Memory")
    qtbot.waitUntil(lambda: session.store is None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: "memory only" in said(widget)[0], timeout=PATIENCE_MS)
    session.image = window.add_image(np.full((50, 60), 3, np.uint8), name="other")
    choose_folder(widget, path)
    qtbot.waitUntil(lambda: "made for something else" in said(widget)[2], timeout=PATIENCE_MS)
    assert "image" in said(widget)[2]
    assert session.store is None


def test_closing_leaves_nothing(window, open_dock, qtbot):
    session = napari_sam.session(window)

    def open_and_close():
        dock, widget = open_dock()
        widget.findChildren(QCheckBox)[1].setChecked(True)
        press(widget, "Visible")
        qtbot.waitUntil(lambda: len(window.layers) == 2, timeout=PATIENCE_MS)
        counts = len(session.layers_changed), len(ahead(window).changed), len(session.asked)
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
        assert len(window.layers) == 1
        assert ahead(window).queue is None
    assert len(all_counts) == 1
    assert len(ahead(window).changed) == len(session.asked) == 0


def test_the_image_goes_while_it_is_encoded(window, open_dock, qtbot, model):
    _, widget = open_dock()
    may_go, encode = threading.Event(), model.encode
    model.encode = lambda windows: (may_go.wait(10), encode(windows))[1]
    widget.findChildren(QCheckBox)[1].setChecked(True)
    press(widget, "Stack")
    qtbot.waitUntil(lambda: said(widget)[2].startswith("Encoding"), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: len(window.layers) == 2, timeout=PATIENCE_MS)
    window.layers.remove("cells")
    may_go.set()
    qtbot.waitUntil(lambda: not counts(widget), timeout=PATIENCE_MS)
    assert "⚠" not in said(widget)[2]
    assert not any(layer.name.startswith("encoded") for layer in window.layers)


def test_closing_the_window_while_encoding(window, open_dock, qtbot, model):
    _, widget = open_dock()
    may_go, encode = threading.Event(), model.encode
    model.encode = lambda windows: (may_go.wait(10), encode(windows))[1]
    press(widget, "Stack")
    qtbot.waitUntil(lambda: said(widget)[2].startswith("Encoding"), timeout=PATIENCE_MS)
    window.close()
    may_go.set()


def test_it_is_a_tab_beside_segment_and_fits_a_small_screen(window, open_dock, qtbot):
    segment = window.window.add_dock_widget(SegmentWidget(window), name="Segment")
    qtbot.wait(100)
    dock, widget = open_dock()
    tabs = window.window._qt_window.tabifiedDockWidgets
    qtbot.waitUntil(lambda: tabs(segment) == [dock], timeout=PATIENCE_MS)
    assert widget.minimumSizeHint().height() < 560
    assert widget.minimumSizeHint().width() < 360


def test_the_store_that_is_meant_by_a_folder(tmp_path):
    meant = store_path(tmp_path, "my cells [0]", "vit_b")
    assert meant == tmp_path / "my_cells_0-vit_b.sam.zarr"
    assert store_path(meant, "other", "nano") == meant
    (tmp_path / "zarr.json").write_text("{}")
    assert store_path(tmp_path, "other", "nano") == tmp_path
