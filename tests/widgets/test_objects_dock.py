"""The dock of objects in a real window, with real keys."""

from __future__ import annotations

import csv
import gc
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
from napari.utils.events import EmitterGroup
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QPushButton,
)

import napari_sam
from napari_sam.labels.objects import ObjectRecord
from napari_sam.widgets import key_choices
from napari_sam.widgets.object_table import COLUMNS, ObjectTable
from napari_sam.widgets.object_text import SizeUnit
from napari_sam.widgets.objects_dock import ObjectsWidget
from napari_sam.widgets.segment import SegmentWidget
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import scene

PATIENCE_MS = 30_000  # a busy machine is no failure
LEFT = Qt.MouseButton.LeftButton
SHIFT = Qt.KeyboardModifier.ShiftModifier
N_OBJECTS = 12


@pytest.fixture
def window(make_napari_viewer, model, qtbot):
    """A viewer on screen with a stack and labels; its session uses the quick model."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 700)
    viewer.add_image(np.zeros((3, 400, 500), np.uint8), name="cells")
    labels = np.zeros((3, 400, 500), np.uint16)
    for label in range(1, N_OBJECTS + 1):
        labels[label % 3, 20 + 25 * label : 40 + 25 * label, 200:220] = label
    viewer.add_labels(labels, name="kept")
    session = napari_sam.session(viewer)
    session.model, session.image = model, viewer.layers["cells"]
    qtbot.wait(50)
    return viewer


@pytest.fixture
def open_dock(window, qtbot):
    def open_it():
        widget = ObjectsWidget(window)
        dock = window.window.add_dock_widget(widget, name="Objects")
        qtbot.wait(100)
        return dock, widget

    return open_it


@pytest.fixture
def listed(window, open_dock, qtbot):
    """The dock with all objects counted; 5 is recorded, and the model was in doubt."""
    _, widget = open_dock()
    session = napari_sam.session(window)
    session.labels = window.layers["kept"]
    box = (145, 200, 165, 220)
    session.objects.change(put=[ObjectRecord(5, (2,), box, 400, model="discs", predicted_iou=0.3)])
    session.objects_changed.emit(None)
    qtbot.waitUntil(lambda: len(lines(widget)) == N_OBJECTS, timeout=PATIENCE_MS)
    return widget


def table(widget):
    return widget.findChild(ObjectTable)


def lines(widget):
    model = table(widget).model()
    return [
        [model.index(line, column).data() for column in range(len(COLUMNS))]
        for line in range(model.rowCount())
    ]


def ids(widget):
    return [int(line[0]) for line in lines(widget)]


def said(widget):
    return [each.text for each in widget.findChildren(Sentences)]


def progress(widget):
    return next(
        text for label in widget.findChildren(QLabel) if "reviewed" in (text := label.text())
    )


def button(widget, title):
    found = [b for b in widget.findChildren(QPushButton) if b.text().startswith(title)]
    return found[0] if found else None


def press(widget, key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(table(widget), key, modifier)


def test_before_labels_are_chosen_it_says_what_to_do(window, open_dock, qtbot):
    _, widget = open_dock()
    assert any("Choose labels above" in label.text() for label in widget.findChildren(QLabel))
    assert not button(widget, "Accept").isEnabled()
    choice = widget.findChild(QComboBox)
    assert [choice.itemText(i) for i in range(choice.count())] == ["choose …", "kept"]
    choice.setCurrentIndex(1)
    choice.activated.emit(1)
    qtbot.waitUntil(lambda: len(lines(widget)) == N_OBJECTS, timeout=PATIENCE_MS)
    assert napari_sam.session(window).labels is window.layers["kept"]


def test_lines_tell_what_is_known_the_most_suspicious_first(listed):
    assert lines(listed)[0] == ["5", "2", "400", "0.30", "", "low IoU 0.30"]
    assert lines(listed)[1] == ["1", "1", "400", "–", "", ""]
    assert progress(listed) == "0 of 12 reviewed"


def test_a_whole_review_by_keys_in_the_list(listed, window, qtbot):
    session, keys = napari_sam.session(window), Qt.Key
    press(listed, keys.Key_N)
    assert said(listed)[0] == "Object 5 (discs): low IoU 0.30."
    assert window.dims.point[0] == 2
    press(listed, keys.Key_Y)
    assert session.objects.get(5, (2,)).is_reviewed
    qtbot.waitUntil(lambda: progress(listed) == "1 of 12 reviewed", timeout=PATIENCE_MS)
    assert lines(listed)[0][4] == "✓"
    assert table(listed).currentIndex().row() == 1  # object 1
    press(listed, keys.Key_Down)
    assert scene(window).review.current == 2
    assert window.dims.point[0] == 2
    press(listed, keys.Key_Delete)
    assert not (session.labels.data == 2).any()
    qtbot.waitUntil(lambda: 2 not in ids(listed), timeout=PATIENCE_MS)
    press(listed, keys.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: 2 in ids(listed), timeout=PATIENCE_MS)
    press(listed, keys.Key_Space)
    qtbot.waitUntil(lambda: progress(listed) == "2 of 12 reviewed", timeout=PATIENCE_MS)
    press(listed, keys.Key_N, SHIFT)
    current = scene(window).review.current
    press(listed, keys.Key_Return)
    assert session.draft.label == current
    assert window.layers.selection.active is scene(window).points.layer
    assert not table(listed).hasFocus()


def test_all_keys_are_said_and_can_be_changed(listed, window, qtbot, monkeypatch):
    keys = SimpleNamespace(
        reopen="O", toggle="Ctrl+A", above="K", below="J", delete="D", previous="P", next="W"
    )
    keys.events = EmitterGroup(changed=None)
    plugins = {key_choices.PLUGIN: SimpleNamespace(keys=keys)}
    monkeypatch.setattr("napari.settings.get_plugin_settings", lambda: plugins)
    key_choices.key_choices.changed.emit()
    titles = "Accept (Y)", "Next (W)", "Previous (P)", "Reopen (O)", "Delete (D)"
    qtbot.waitUntil(lambda: all(button(listed, title) for title in titles), timeout=PATIENCE_MS)
    assert "Key: P." in button(listed, "Previous").toolTip()
    assert "K: line above, J: line below, Ctrl+A: accept or not" in table(listed).toolTip()
    press(listed, Qt.Key.Key_W)
    first = scene(window).review.current
    press(listed, Qt.Key.Key_J)
    assert scene(window).review.current == ids(listed)[1]
    press(listed, Qt.Key.Key_K)
    assert scene(window).review.current == first
    press(listed, Qt.Key.Key_Delete)
    assert first in ids(listed)
    press(listed, Qt.Key.Key_D)
    qtbot.waitUntil(lambda: first not in ids(listed), timeout=PATIENCE_MS)
    press(listed, Qt.Key.Key_O)
    assert napari_sam.session(window).draft.label == scene(window).review.current
    monkeypatch.undo()
    key_choices.key_choices.changed.emit()


def test_the_keys_work_on_the_image_too(listed, window, qtbot):
    points = scene(window).points
    scene(window).hand.wake_keys()
    canvas = window.window._qt_viewer.canvas.native
    QTest.keyClick(canvas, Qt.Key.Key_N)
    assert scene(window).review.current == 5
    QTest.keyClick(canvas, Qt.Key.Key_Y)
    assert scene(window).review.current == 1
    assert napari_sam.session(window).objects.get(5, (2,)).is_reviewed
    QTest.keyClick(canvas, Qt.Key.Key_N, SHIFT)
    assert scene(window).review.current == N_OBJECTS
    assert window.layers.selection.active is points.layer


def test_clicks_jump_and_double_clicks_reopen(listed, window, qtbot):
    view = table(listed)
    place = view.visualRect(view.model().index(3, 1)).center()
    QTest.mouseClick(view.viewport(), LEFT, pos=place)
    assert scene(window).review.current == ids(listed)[3]
    QTest.mouseDClick(view.viewport(), LEFT, pos=place)
    assert napari_sam.session(window).draft.label == ids(listed)[3]


def test_columns_sort_and_the_reviewed_can_be_hidden(listed, window, qtbot):
    header = table(listed).horizontalHeader()
    place = header.viewport().rect().center()
    place.setX(header.sectionViewportPosition(0) + 4)
    QTest.mouseClick(header.viewport(), LEFT, pos=place)
    up = list(range(1, N_OBJECTS + 1))
    qtbot.waitUntil(lambda: ids(listed) in (up, up[::-1]), timeout=PATIENCE_MS)
    listed.findChild(QCheckBox).setChecked(True)
    scene(window).review.go_to(7)
    press(listed, Qt.Key.Key_Y)
    qtbot.waitUntil(lambda: 7 not in ids(listed), timeout=PATIENCE_MS)
    assert scene(window).review.current in (6, 8)
    listed.findChild(QCheckBox).setChecked(False)
    qtbot.waitUntil(lambda: 7 in ids(listed), timeout=PATIENCE_MS)


def test_a_title_tells_how_the_list_is_sorted_and_is_wide_enough_for_it(listed, qtbot):
    header = table(listed).horizontalHeader()
    titles = [table(listed).model().headerData(i, Qt.Orientation.Horizontal) for i in range(6)]
    assert titles == ["Id", "Planes", "px", "Score", "✓", "Why ▾"]
    assert not header.isSortIndicatorShown()  # it would cover narrow titles
    up = list(range(1, N_OBJECTS + 1))
    for arrow, order in (("▴", up), ("▾", up[::-1])):
        place = header.viewport().rect().center()
        place.setX(header.sectionViewportPosition(0) + 4)
        QTest.mouseClick(header.viewport(), LEFT, pos=place)
        qtbot.waitUntil(lambda order=order: ids(listed) == order, timeout=PATIENCE_MS)
        title = table(listed).model().headerData(0, Qt.Orientation.Horizontal)
        assert title == f"Id {arrow}"
        assert header.sectionSize(0) > header.fontMetrics().horizontalAdvance(title)


def test_home_and_end_go_to_the_first_and_the_last(listed, window):
    press(listed, Qt.Key.Key_End)
    assert scene(window).review.current == ids(listed)[-1]
    press(listed, Qt.Key.Key_Home)
    assert scene(window).review.current == ids(listed)[0]


def test_who_scrolls_away_from_the_current_line_stays_there(listed, window, qtbot):
    view, review = table(listed), scene(window).review
    view.setFixedHeight(120)
    press(listed, Qt.Key.Key_Home)
    first = review.current
    qtbot.waitUntil(lambda: view.verticalScrollBar().maximum() > 2, timeout=PATIENCE_MS)
    view.verticalScrollBar().setValue(view.verticalScrollBar().maximum())
    review.set_reviewed(ids(listed)[-1])
    qtbot.waitUntil(lambda: lines(listed)[-1][4] == "✓", timeout=PATIENCE_MS)
    assert view.verticalScrollBar().value() == view.verticalScrollBar().maximum()
    assert (review.current, view.currentIndex().row()) == (first, 0)


def test_what_cannot_be_done_is_said(listed, qtbot):
    for _ in range(N_OBJECTS + 1):
        press(listed, Qt.Key.Key_N)
        press(listed, Qt.Key.Key_Y)
    press(listed, Qt.Key.Key_N)
    assert said(listed)[1] == "All 12 objects are reviewed."
    listed.findChild(QCheckBox).setChecked(True)
    qtbot.waitUntil(lambda: not lines(listed), timeout=PATIENCE_MS)
    texts = [label.text() for label in listed.findChildren(QLabel) if label.isVisible()]
    assert "All 12 objects are reviewed." in texts


def test_the_list_is_copied_and_saved(listed, window, qtbot, tmp_path):
    QTest.mouseClick(button(listed, "Copy"), LEFT)
    qtbot.waitUntil(lambda: said(listed)[1] == "Copied 12 objects.", timeout=PATIENCE_MS)
    title, first, *_ = QApplication.clipboard().text().splitlines()
    assert dict(zip(title.split("\t"), first.split("\t"), strict=True)) == {
        "label": "5", "z0": "2", "z1": "3", "n_planes": "1", "y0": "145", "x0": "200",
        "y1": "165", "x1": "220", "n_pixels": "400", "predicted_iou": "0.3", "stability": "",
        "suspicion": "0.5625", "reviewed": "0", "why": "low IoU 0.30",
    }  # fmt: skip
    QTest.mouseClick(button(listed, "Save"), LEFT)
    dialog = listed.findChild(QFileDialog)
    dialog.fileSelected.emit(str(tmp_path / "objects.csv"))
    dialog.close()
    qtbot.waitUntil(lambda: said(listed)[1].startswith("Saved as"), timeout=PATIENCE_MS)
    with open(tmp_path / "objects.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["label"]) for row in rows] == ids(listed)
    assert rows[1]["predicted_iou"] == ""


def test_labels_that_do_not_fit_are_refused(window, open_dock, qtbot):
    _, widget = open_dock()
    window.add_labels(np.zeros((5, 5), np.uint8), name="small")
    choice = widget.findChild(QComboBox)
    index = choice.findText("small")
    choice.setCurrentIndex(index)
    choice.activated.emit(index)
    assert "has shape (5, 5), the image (3, 400, 500)" in said(widget)[1]
    assert choice.currentText() == "choose …"


def test_closing_leaves_nothing(window, open_dock, qtbot):
    session, review = napari_sam.session(window), scene(window).review
    session.labels = window.layers["kept"]

    def open_and_close():
        dock, widget = open_dock()
        qtbot.waitUntil(lambda: len(lines(widget)) == N_OBJECTS, timeout=PATIENCE_MS)
        counts = len(review.changed), len(review.moved), len(session.layers_changed)
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
        assert len(review.changed) == 0
        assert len(review.moved) == 1  # the scene, which outlives the dock
    assert len(all_counts) == 1


def test_closing_while_counting_lets_the_next_dock_count(window, open_dock, qtbot):
    session, review = napari_sam.session(window), scene(window).review
    dock, _ = open_dock()
    session.labels = window.layers["kept"]
    qtbot.waitUntil(
        lambda: review._counting is not None or review.n_objects > 0, timeout=PATIENCE_MS
    )
    dock.destroyOnClose()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    _, widget = open_dock()
    qtbot.waitUntil(lambda: len(lines(widget)) == N_OBJECTS, timeout=PATIENCE_MS)


def test_tabs_do_not_all_name_the_plugin_but_the_menu_does(window, qtbot):
    docks = [
        window.window.add_dock_widget(kind(window), name=f"{name} (napari-sam)")
        for kind, name in ((SegmentWidget, "Segment"), (ObjectsWidget, "Objects"))
    ]
    qtbot.waitUntil(
        lambda: [dock.windowTitle() for dock in docks] == ["Segment", "Objects"],
        timeout=PATIENCE_MS,
    )
    actions = [dock.toggleViewAction().text() for dock in docks]
    assert actions == ["Segment (napari-sam)", "Objects (napari-sam)"]


def test_it_is_a_tab_beside_segment_and_fits_a_small_screen(window, open_dock, qtbot):
    segment = window.window.add_dock_widget(SegmentWidget(window), name="Segment")
    qtbot.wait(100)
    dock, widget = open_dock()
    tabs = window.window._qt_window.tabifiedDockWidgets
    qtbot.waitUntil(lambda: tabs(segment) == [dock], timeout=PATIENCE_MS)
    assert widget.minimumSizeHint().height() < 560
    assert widget.minimumSizeHint().width() < 360


@pytest.mark.parametrize(
    ("units", "text", "told"),
    [
        (("pixel", "pixel", "pixel"), "px", "12,345"),
        (("s", "um", "um"), "µm²", "3,086"),
        (("um", "um", "um"), "µm³", "6,172"),
        (("nm", "um", "um"), "µm³", "6.17"),
        (("pixel", "um", "um"), "µm²", "3,086"),
        (("um", "pixel", "pixel"), "px", "12,345"),
    ],
)
def test_sizes_are_told_in_the_units_of_the_image(units, text, told):
    from napari.layers import Image

    layer = Image(np.zeros((2, 5, 5)), scale=(2, 0.5, 0.5), units=units)
    unit = SizeUnit.of(layer)
    assert (unit.text, unit.tell(12_345)) == (text, told)
