"""What all docks have in common: tips, room for texts, and contrast in napari's themes."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtGui import QImage
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLabel,
    QPushButton,
    QScrollBar,
    QWidget,
)

from napari_sam.widgets.model_list import ModelList
from napari_sam.widgets.scrolled import Scrolled
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import session
from napari_sam.widgets.state_lines import StateLines

from .test_colors import contrast

DOCKS = ("Segment", "Objects", "Automatic", "Embeddings", "Models")
LEAST_CONTRAST = 4.5
"""Of texts, says WCAG 2."""


@pytest.fixture(params=["dark", "light"])
def docks(request, window, qtbot):
    """What is in all docks; that they lie on top of each other does not matter here."""
    window.theme = request.param
    window.window.resize(1366, 768)
    opened = {}
    for name in DOCKS:
        _, opened[name] = window.window.add_plugin_dock_widget("napari-sam", name)
        qtbot.wait(200)
    return opened


def shown(dock, *kinds):
    """Yield the parts of a dock that are on screen, of some kinds."""
    for kind in kinds:
        parts = dock.findChildren(kind)
        yield from (part for part in parts if part.isVisible() and part.width() and part.height())


def pixels(widget):
    """Return the colors (N, 3) of a widget, from 0 to 1."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGBX8888)
    bits = image.constBits()
    if hasattr(bits, "setsize"):  # of PyQt
        bits.setsize(image.sizeInBytes())
    return np.frombuffer(bits, np.uint8).reshape(-1, 4)[:, :3] / 255


def text_contrast(colors):
    """Return the contrast of the color that differs most with that of the ground."""
    some, counts = np.unique(colors.round(3), axis=0, return_counts=True)
    return max(contrast(color, some[counts.argmax()]) for color in some)


def test_everything_that_can_be_used_has_a_tip(docks, window):
    window.dims.ndisplay = 3  # with a notice and its button
    usable = QAbstractButton, QComboBox, QAbstractSpinBox, QAbstractSlider
    for dock in docks.values():
        bare = [
            (type(part).__name__, part.objectName())
            for part in shown(dock, *usable)
            if not part.toolTip() and not isinstance(part, QScrollBar)
        ]
        assert bare == []


def test_texts_can_be_read_and_are_not_cut(docks):
    for dock in docks.values():
        for part in shown(dock, QLabel, QAbstractButton):
            text = part.text()
            if part.isEnabled() and text.strip() and "<" not in text:
                assert text_contrast(pixels(part)) >= LEAST_CONTRAST, text
            if isinstance(part, QPushButton):
                assert part.fontMetrics().horizontalAdvance(text) <= part.width() - 4, text


def test_what_is_said_aside_of_models_can_be_read(docks):
    models = docks["Models"].findChild(ModelList)
    colors = pixels(models.viewport()).reshape(models.viewport().height(), -1, 3)
    for item in (models.item(1), models.item(3)):  # the one chosen, and one that is not
        area = models.visualItemRect(item)
        second_line = colors[area.center().y() + 2 : area.bottom() - 4, area.left() + 20 :]
        assert text_contrast(second_line.reshape(-1, 3)) >= LEAST_CONTRAST


def test_without_an_image_nobody_is_sent_to_click_it(make_napari_viewer, qtbot):
    viewer = make_napari_viewer(show=True)
    _, dock = viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    qtbot.wait(100)
    hint = dock.findChild(StateLines).findChild(QLabel, "hint")
    assert hint.text() == ""
    session(viewer).image = viewer.add_image(np.zeros((50, 60), np.uint8))
    assert hint.text() != ""


def test_a_long_message_takes_less_room_before_the_dock_scrolls(open_dock, window, qtbot):
    _, dock = open_dock()
    window.window.resize(1366, 700)
    dock.findChild(Sentences, "status").say("A long story. " * 60)
    qtbot.wait(100)
    scrolled = dock.findChild(Scrolled)
    assert scrolled.widget().sizeHint().height() > scrolled.viewport().height()
    assert scrolled.verticalScrollBar().maximum() == 0


@pytest.mark.parametrize("name", ["Segment", "Objects", "Automatic", "Embeddings", "Models"])
def test_the_window_does_not_grow_for_a_dock_below_another_plugins(window, qtbot, name):
    other = QWidget()
    other.setMinimumHeight(350)
    window.window.add_dock_widget(other, name="other")
    qtbot.wait(100)
    size = other.window().size()
    window.window.add_plugin_dock_widget("napari-sam", name)
    qtbot.wait(300)
    assert other.window().size() == size


def test_a_long_name_makes_no_dock_wider_and_can_be_read(window, picture, qtbot):
    name = "20260412_U2OS_Hoechst_63x_stack_3_deconvolved_channel0.tif"
    window.layers[0].name = name
    window.add_labels(np.zeros(picture.shape, np.uint8), name=f"{name} labels")
    state = session(window)
    state.adopt_image()
    state.labels = window.layers[-1]
    for dock_name in ("Segment", "Objects", "Automatic", "Embeddings"):
        _, dock = window.window.add_plugin_dock_widget("napari-sam", dock_name)
        qtbot.wait(300)
        assert dock.minimumSizeHint().width() < 360
        for box in shown(dock, QComboBox):
            if box.currentText().startswith(name):
                assert box.currentText() in box.toolTip()
