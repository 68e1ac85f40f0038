"""The dock while something takes long, and what is opened on demand; no window around it."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QProgressBar, QPushButton, QSpinBox

from napari_sam.widgets.advanced import Advanced
from napari_sam.widgets.ahead import ahead
from napari_sam.widgets.encoding_rows import CONTRAST, NORMALIZATIONS
from napari_sam.widgets.scrolled import Scrolled
from napari_sam.widgets.segment import SegmentWidget
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.tool_row import ToolRow
from napari_sam.widgets.two_pages import TwoPages

from .slow_discs import SlowDiscs

PATIENCE_MS = 30_000  # a busy machine is no failure


@pytest.fixture
def model():
    return SlowDiscs()


@pytest.fixture
def session(viewer, make_session, picture):
    viewer.add_image(picture, name="cells")
    session = make_session(viewer)
    session.adopt_image()
    ahead(viewer).is_on = False
    return session


@pytest.fixture
def dock(session, qtbot):
    widget = SegmentWidget(session.viewer)
    qtbot.addWidget(widget)
    widget.show()
    yield widget
    widget.closed.emit()


def said(dock, name="status"):
    return dock.findChild(Sentences, name).text


def wait_for(qtbot, is_so):
    qtbot.waitUntil(is_so, timeout=PATIENCE_MS)


def test_what_takes_long_is_told_and_can_be_cancelled(dock, session, model, qtbot):
    cancel, bar = dock.findChild(QPushButton, "cancel"), dock.findChild(QProgressBar)
    wait_for(qtbot, lambda: session.predictor.embeddings is not None)
    assert cancel.isHidden() and bar.isHidden()
    with model.held_up():
        session.click(100, 120, wait=False)
        wait_for(qtbot, lambda: said(dock).startswith("Encoding tile 1"))
        assert not cancel.isHidden()
        assert bar.maximum() > 0
        assert "Escape" in cancel.toolTip()
        cancel.click()
        wait_for(qtbot, lambda: model.n_given_up == 1)
    assert session.draft.is_empty
    assert said(dock).startswith("Click an object")
    assert cancel.isHidden() and bar.isHidden()
    session.click(100, 120, wait=False)
    wait_for(qtbot, lambda: said(dock).startswith("793 px"))


def test_what_the_session_says_meanwhile_is_not_lost(dock, session, model, qtbot):
    with model.held_up():
        session.click(100, 120, wait=False)
        wait_for(qtbot, lambda: "Encoding tile" in said(dock))
        with session.telling():
            session.click(-5, 0)
        doing, news = said(dock).split("\n")
        assert doing.startswith("Encoding tile 1")
        assert "outside the image" in news
        session.cancel()


def test_why_nothing_is_encoded_ahead_is_told(dock, session, model, qtbot, monkeypatch):
    def fail(windows):
        raise MemoryError("Not enough free memory.")

    monkeypatch.setattr(model, "encode", fail)
    session.viewer.canvas.size = (200, 200)
    session.viewer.mouse_over_canvas = True
    looks_ahead = ahead(session.viewer)
    looks_ahead.is_on = True
    looks_ahead.begin()
    wait_for(qtbot, lambda: "Encoding ahead: Not enough free memory." in said(dock, "notes"))


# Advanced


@pytest.fixture
def advanced(dock):
    dock.findChild(TwoPages).button.click()
    return dock.findChild(Advanced)


def choose(advanced, text):
    """Choose a text in whichever box has it."""
    box = next(box for box in advanced.findChildren(QComboBox) if box.findText(text) >= 0)
    box.setCurrentIndex(box.findText(text))
    box.activated.emit(box.currentIndex())
    return box


def test_the_halo_is_chosen_in_samples(advanced, session, qtbot):
    halo = next(box for box in advanced.findChildren(QSpinBox) if box.suffix() == " samples")
    assert halo.text() == "an eighth"
    session.click(100, 120)
    halo.setValue(50)
    assert session.halo == 50
    wait_for(qtbot, lambda: halo.maximum() == 127)  # as soon as the model has been opened
    halo.setValue(-1)
    assert session.halo is None


def test_the_contrast_of_the_layer_is_taken_as_it_is_now(advanced, session):
    session.image.contrast_limits = (20, 60)
    box = choose(advanced, CONTRAST)
    assert session.normalization == (20, 60)
    session.image.contrast_limits = (0, 255)
    assert session.normalization == (20, 60)
    choose(advanced, list(NORMALIZATIONS)[1])
    assert session.normalization == "percentiles"
    session.normalization = "auto"
    assert box.currentIndex() == 0


def test_a_precision_that_cannot_be_chosen_is_not_shown(advanced, session, dock):
    box = choose(advanced, "float32")
    assert "as it was loaded" in said(dock)
    assert box.currentText() == "automatic"
    session.model = "nano"
    choose(advanced, "float32")
    assert session.precision == "float32"


def test_encoding_ahead_is_a_switch(advanced, session):
    looks_ahead = ahead(session.viewer)
    switch = next(box for box in advanced.findChildren(QCheckBox) if "ahead" in box.text())
    switch.click()
    assert looks_ahead.is_on
    switch.click()
    assert not looks_ahead.is_on


def test_a_folder_for_what_is_encoded(advanced, dock, session, qtbot, tmp_path):
    advanced.place.use_folder(str(tmp_path / "store.zarr"))
    wait_for(qtbot, lambda: session.store is not None)
    shown = advanced.place.findChild(Sentences)
    assert "store.zarr" in shown.text
    session.halo = 20
    advanced.place.use_folder(str(tmp_path / "store.zarr"))
    wait_for(qtbot, lambda: "the halo of the tiles" in shown.text)
    ahead(session.viewer).changed.emit()
    assert "the halo of the tiles" in shown.text
    for _ in range(2):
        dock.findChild(TwoPages).button.click()
    assert "in memory only" in shown.text


def test_it_takes_the_place_of_the_tools_and_moves_nothing(dock, qtbot):
    scrolled, pages = dock.findChild(Scrolled), dock.findChild(TwoPages)
    tools, advanced = dock.findChild(ToolRow), dock.findChild(Advanced)
    dock.resize(scrolled.sizeHint())
    qtbot.wait(20)
    place = pages.button.geometry()
    assert tools.isVisible() and not advanced.isVisible()
    pages.button.click()
    qtbot.wait(20)
    assert advanced.isVisible() and not tools.isVisible()
    assert scrolled.verticalScrollBar().maximum() == 0
    assert pages.button.geometry() == place
    pages.button.click()
    assert tools.isVisible() and not advanced.isVisible()


def test_nothing_is_cut_at_the_side(advanced, dock):
    scrolled = dock.findChild(Scrolled)
    assert scrolled.minimumSizeHint().width() >= scrolled.widget().minimumSizeHint().width()


def test_the_wheel_over_a_box_in_passing_changes_nothing(advanced, session):
    session.object_diameter = 30
    box = next(box for box in advanced.findChildren(QSpinBox) if box.suffix() == " px")
    turn = QWheelEvent(
        QPointF(5, 5),
        QPointF(box.mapToGlobal(QPoint(5, 5))),
        QPoint(),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(box, turn)
    assert session.object_diameter == 30


def test_arrays_without_a_contrast_are_no_trouble(advanced, session, viewer):
    session.image = None
    choose(advanced, CONTRAST)
    assert session.normalization == "auto"
    session.image = viewer.add_image(np.zeros((20, 20, 3), np.uint8), name="rgb", rgb=True)
    choose(advanced, CONTRAST)
    assert session.normalization[0] < session.normalization[1]
