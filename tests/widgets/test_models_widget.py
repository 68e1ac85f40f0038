"""The dock of models: fetched from a server on this machine, with real clicks, and with a fake."""

from __future__ import annotations

import gc
import hashlib
import random
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLabel,
    QMessageBox,
    QPushButton,
)

import napari_sam
from napari_sam.model import download, registry
from napari_sam.model.fetch import Cancelled
from napari_sam.model.registry import ModelSpec, WeightFile
from napari_sam.widgets import model_jobs
from napari_sam.widgets.banner import Banner
from napari_sam.widgets.cores import cores
from napari_sam.widgets.installed import installed
from napari_sam.widgets.layers_form import LayersForm
from napari_sam.widgets.model_list import ROW, ModelList
from napari_sam.widgets.model_rows import GROUPS, list_rows
from napari_sam.widgets.models import ModelsWidget
from napari_sam.widgets.pace import Pace, share_text, size_text, time_text
from napari_sam.widgets.segment import SegmentWidget
from napari_sam.widgets.sentences import Sentences, breakable, without_hashes

from ..model.http_server import serving

PATIENCE_MS = 30_000  # a busy machine is no failure
LEFT = Qt.MouseButton.LeftButton
CONTENT = random.Random(0).randbytes(200_000)
ENDLESS = (90_000, *[100] * 1000)
"""Where a server falls silent, if nobody is to see the end."""
HASH = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "WAITS_S", (0.0,))
    monkeypatch.setattr(download, "TIMEOUT_S", 0.5)
    with serving(CONTENT) as server:
        yield server


@pytest.fixture
def tiny(server, monkeypatch):
    """The one published model, on the server of the test."""
    file = WeightFile("tiny.pth", server.url, len(CONTENT), known_hash=HASH)
    spec = ModelSpec("tiny", "Good at nothing.", "vit_b", "MIT", (file,))
    monkeypatch.setattr(registry, "published", lambda: (spec,))
    return spec


@pytest.fixture
def open_dock(make_napari_viewer, qtbot):
    def open_it(viewer=None):
        viewer = viewer or make_napari_viewer(show=True)
        widget = ModelsWidget(viewer)
        dock = viewer.window.add_dock_widget(widget, name="Models")
        qtbot.wait(50)
        return viewer, dock, widget

    return open_it


@pytest.fixture
def widget(viewer, qtbot):
    """A dock without a window around it."""
    widget = ModelsWidget(viewer)
    qtbot.addWidget(widget)
    widget.show()
    return widget


def choose(widget, name, *, double=False):
    """Click a model in the list, as a hand does."""
    models = widget.findChild(ModelList)
    (item,) = (
        item
        for item in map(models.item, range(models.count()))
        if item.data(ROW) and item.data(ROW).name == name
    )
    models.scrollToItem(item)
    place = models.visualItemRect(item).center()
    QTest.mouseClick(models.viewport(), LEFT, pos=place)
    if double:
        QTest.mouseDClick(models.viewport(), LEFT, pos=place)


def button(parent, title):
    return next(b for b in parent.findChildren(QPushButton) if b.text().replace("&", "") == title)


def press(parent, title):
    assert button(parent, title).isEnabled()
    QTest.mouseClick(button(parent, title), LEFT)


def answer(widget, kind, title):
    """Press a button of the question that is asked."""
    press(widget.findChild(kind), title)


def fetch(widget, name):
    choose(widget, name)
    press(widget, "Fetch …")
    answer(widget, QDialog, "Fetch")


def said(widget):
    _about, status = widget.findChildren(Sentences)
    return status.text


def state(widget):
    return widget.findChild(ModelList).current.state


def wait_for(qtbot, widget, text):
    qtbot.waitUntil(lambda: text in said(widget), timeout=PATIENCE_MS)


# In a window


def test_fetch_use_verify_remove(tiny, open_dock, qtbot):
    """The whole story with the hand."""
    viewer, _, widget = open_dock()
    _, segment = viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    models = segment.findChild(LayersForm).findChildren(QComboBox)[1]
    entry = models.findData("tiny")
    assert not models.model().item(entry).isEnabled()
    assert "Models dock" in models.itemData(entry, Qt.ItemDataRole.ToolTipRole)

    fetch(widget, "tiny")
    wait_for(qtbot, widget, "tiny is installed")
    assert tiny.weights.read_bytes() == CONTENT
    assert state(widget) == "installed · 200 kB"
    assert models.model().item(models.findData("tiny")).isEnabled()
    assert models.currentData() == "nano"

    choose(widget, "tiny", double=True)
    assert napari_sam.session(viewer).model == models.currentData() == "tiny"
    qtbot.waitUntil(lambda: segment.visibleRegion().boundingRect().height() > 0)
    press(widget, "Verify")
    wait_for(qtbot, widget, HASH.removeprefix("sha256:"))
    assert not said(widget).startswith("⚠")
    press(widget, "Remove …")
    answer(widget, QMessageBox, "Cancel")
    assert tiny.installed
    press(widget, "Remove …")
    answer(widget, QMessageBox, "Remove")
    wait_for(qtbot, widget, "tiny is removed; 200 kB are free")
    assert not tiny.installed
    assert state(widget) == "200 kB to fetch"
    assert not models.model().item(models.findData("tiny")).isEnabled()
    assert models.currentData() == "tiny"


def test_cancel_and_go_on(tiny, server, open_dock, qtbot):
    server.stalls = list(ENDLESS)
    _, _, widget = open_dock()
    fetch(widget, "tiny")
    wait_for(qtbot, widget, "of 200 kB")
    assert "fetching · " in state(widget)
    press(widget, "Cancel")
    assert said(widget) == "Stopping …"
    wait_for(qtbot, widget, "Stopped. Fetch tiny again")
    assert state(widget).endswith("of 200 kB here")
    assert not tiny.installed
    server.stalls.clear()
    fetch(widget, "tiny")
    wait_for(qtbot, widget, "tiny is installed")
    assert "Range" in server.requests[-1]
    assert tiny.weights.read_bytes() == CONTENT


def test_wrong_bytes_are_a_sentence(tiny, server, open_dock, qtbot):
    server.content = CONTENT[::-1]
    _, _, widget = open_dock()
    fetch(widget, "tiny")
    wait_for(qtbot, widget, "⚠")
    assert tiny.files[0].url in said(widget)
    assert not tiny.installed
    assert button(widget, "Fetch …").isEnabled()


def test_import_a_file(tiny, open_dock, tmp_path, qtbot):
    path = tmp_path / "from a colleague.pth"
    path.write_bytes(CONTENT)
    _, _, widget = open_dock()
    button(widget, "Import …").menu().actions()[0].trigger()
    dialog = widget.findChild(QFileDialog)
    dialog.fileSelected.emit(str(path))
    dialog.reject()
    wait_for(qtbot, widget, "tiny is imported.")
    assert tiny.installed
    assert widget.findChild(ModelList).current.name == "tiny"


def collect(qtbot):
    """Wait until docks that were closed are gone."""
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    qtbot.wait(50)
    gc.collect()


def test_closing_while_fetching_stops_it(tiny, server, make_napari_viewer, open_dock, qtbot):
    server.stalls = list(ENDLESS)
    viewer = make_napari_viewer(show=True)
    signals = (installed.changed, napari_sam.session(viewer).layers_changed)
    before = [len(signal) for signal in signals]
    _, dock, widget = open_dock(viewer)
    assert [len(signal) for signal in signals] != before
    fetch(widget, "tiny")
    wait_for(qtbot, widget, "of 200 kB")
    gone = weakref.ref(widget)
    dock.destroyOnClose()  # what its ✕ does
    del dock, widget
    collect(qtbot)
    assert gone() is None
    assert [len(signal) for signal in signals] == before
    _, _, widget = open_dock(viewer)
    qtbot.waitUntil(lambda: not installed.jobs, timeout=PATIENCE_MS)
    choose(widget, "tiny")
    qtbot.waitUntil(lambda: state(widget).endswith("of 200 kB here"), timeout=PATIENCE_MS)
    assert not tiny.installed


def test_closing_stops_fetching_though_somebody_keeps_the_widget(tiny, server, open_dock, qtbot):
    server.stalls = list(ENDLESS)
    _, dock, widget = open_dock()
    fetch(widget, "tiny")
    wait_for(qtbot, widget, "of 200 kB")
    dock.destroyOnClose()  # what its ✕ does
    qtbot.waitUntil(lambda: not installed.jobs, timeout=PATIENCE_MS)
    assert widget is not None


def test_closing_with_a_question_open(tiny, open_dock, qtbot):
    viewer, dock, widget = open_dock()
    choose(widget, "tiny")
    press(widget, "Fetch …")
    gone = weakref.ref(widget)
    dock.destroyOnClose()  # what its ✕ does
    del dock, widget
    collect(qtbot)
    assert gone() is None
    _, _, widget = open_dock(viewer)
    assert said(widget).startswith("Models are fetched once")


def test_closing_the_window_while_fetching(tiny, server, open_dock, qtbot):
    server.stalls = list(ENDLESS)
    viewer, _, widget = open_dock()
    fetch(widget, "tiny")
    wait_for(qtbot, widget, "of 200 kB")
    viewer.close()
    qtbot.waitUntil(lambda: not installed.jobs, timeout=PATIENCE_MS)
    assert not tiny.installed


def test_two_docks_agree(tiny, server, open_dock, qtbot):
    server.stalls = [90_000]
    _, _, first = open_dock()
    _, _, second = open_dock()
    fetch(first, "tiny")
    choose(second, "tiny")
    qtbot.waitUntil(lambda: "fetching" in state(second), timeout=PATIENCE_MS)
    assert not button(second, "Fetch …").isEnabled()
    wait_for(qtbot, first, "tiny is installed")
    assert state(second) == state(first) == "installed · 200 kB"
    assert button(second, "Remove …").isEnabled()


def test_it_stands_in_a_tab_on_the_other_dock(make_napari_viewer, open_dock, qtbot):
    viewer = make_napari_viewer(show=True)
    segment = viewer.window.add_dock_widget(SegmentWidget(viewer), name="Segment")
    qtbot.wait(50)
    _, dock, _ = open_dock(viewer)
    tabs = viewer.window._qt_window.tabifiedDockWidgets
    qtbot.waitUntil(lambda: tabs(segment) == [dock], timeout=PATIENCE_MS)


def test_cores_are_the_same_in_all_windows(open_dock, qtbot, monkeypatch):
    monkeypatch.setattr(cores, "_chosen", None)
    boxes = [open_dock()[2].findChild(QComboBox) for _ in range(2)]
    assert {box.currentText() for box in boxes} == {"CPU: all"}
    boxes[0].setFocus()
    QTest.keyClick(boxes[0], Qt.Key.Key_Down)
    assert cores.chosen == 1
    assert {box.currentText() for box in boxes} == {"CPU: 1"}
    QTest.keyClick(boxes[1], Qt.Key.Key_Up)
    assert cores.chosen is None


def test_it_fits_a_small_screen(open_dock):
    _, _, widget = open_dock()
    assert widget.minimumSizeHint().height() < 300
    assert widget.sizeHint().width() <= 400
    assert widget.findChild(ModelList).horizontalScrollBar().maximum() == 0


# Without one


def test_the_question_says_what_one_should_know(tiny, widget, models_folder):
    choose(widget, "tiny")
    press(widget, "Fetch …")
    labels = (label.text() for label in widget.findChild(QDialog).findChildren(QLabel))
    text = " ".join(labels).replace("\u200b", "")
    for known in ("Good at nothing.", "200 kB", "MIT", tiny.files[0].url, str(models_folder)):
        assert known in text
    assert "SHA-256" in text
    answer(widget, QDialog, "Cancel")
    assert not widget._jobs
    assert not models_folder.exists()


def test_no_room_no_fetching(tiny, widget, monkeypatch):
    huge = replace(tiny.files[0], size_bytes=10**18)
    monkeypatch.setattr(registry, "published", lambda: (replace(tiny, files=(huge,)),))
    widget._show_rows()
    choose(widget, "tiny")
    press(widget, "Fetch …")
    dialog = widget.findChild(QDialog)
    assert any("Make room first" in label.text() for label in dialog.findChildren(QLabel))
    assert not button(dialog, "Fetch").isEnabled()


def test_progress_and_buttons_while_fetching(tiny, widget, qtbot, monkeypatch):
    may_go = threading.Event()

    def fake(name, *, progress, cancel):
        progress(50_000, 200_000)
        may_go.wait(30)

    monkeypatch.setattr(model_jobs, "fetch", fake)
    fetch(widget, "tiny")
    wait_for(qtbot, widget, "Fetching tiny: 50 of 200 kB")
    assert state(widget) == "fetching · 25 %"
    assert not button(widget, "Import …").isEnabled()
    choose(widget, "nano")
    assert not button(widget, "Verify").isEnabled()
    may_go.set()
    wait_for(qtbot, widget, "tiny is installed")
    assert button(widget, "Import …").isEnabled()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError("There is no network."), "⚠ There is no network."),
        (RuntimeError(), "⚠ RuntimeError"),
        (Cancelled(), "Stopped. Fetch tiny again to go on from there."),
    ],
)
def test_errors_are_sentences(tiny, widget, qtbot, monkeypatch, error, sentence):
    def fake(name, *, progress, cancel):
        raise error

    monkeypatch.setattr(model_jobs, "fetch", fake)
    fetch(widget, "tiny")
    qtbot.waitUntil(lambda: said(widget) == sentence, timeout=PATIENCE_MS)
    assert not installed.jobs


def test_importing_something_else_is_a_sentence(widget, tmp_path, qtbot):
    path = tmp_path / "notes.txt"
    path.write_text("no weights")
    widget._start_import(str(path))
    wait_for(qtbot, widget, "⚠")
    assert "notes.txt" in said(widget)
    widget._start_import(str(tmp_path))
    wait_for(qtbot, widget, "holds no published weights")


def test_importing_a_folder(tiny, widget, tmp_path, qtbot):
    folder = tmp_path / "stick"
    folder.mkdir()
    (folder / "a.pth").write_bytes(CONTENT)
    (folder / "notes.txt").write_text("no weights")
    widget._start_import(str(folder))
    wait_for(qtbot, widget, "Files of tiny are imported. Other files in the folder: 1.")
    assert tiny.installed


def test_enter_asks_to_fetch(tiny, widget):
    choose(widget, "tiny")
    QTest.keyClick(widget.findChild(ModelList), Qt.Key.Key_Return)
    assert widget.findChild(QDialog).isVisible()


def test_a_folder_that_cannot_be_made_is_a_sentence(widget, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NAPARI_SAM_MODELS", str(tmp_path / "file" / "models"))
    press(widget, "Open folder")
    assert said(widget).startswith("⚠")


def test_every_model_is_listed_in_its_group(widget):
    rows = list_rows("nano")
    assert [row.name for row in rows if row.is_used] == ["nano"]
    groups = [row.group for row in rows]
    assert groups == sorted(groups, key=GROUPS.index)
    by_name = {row.name: row.group for row in rows}
    assert by_name["vit_b_lm"].startswith("Microscopy")
    assert by_name["hq_vit_l"].startswith("Fine outlines")
    assert by_name["mobile"].startswith("General purpose")
    assert sorted(by_name) == sorted(spec.name for spec in registry.list_models())


# The words


def test_pace():
    clock = iter([0.0, 0.5, 4.0]).__next__
    pace = Pace(clock)
    pace.add(1_000_000)
    pace.add(2_000_000)
    assert pace.describe(2_000_000, 375_000_000) == "2.0 of 375 MB"
    pace.add(9_000_000)
    assert pace.describe(9_000_000, 375_000_000) == "9.0 of 375 MB · 2.0 MB/s · 3 min left"
    assert pace.describe(9_000_000, None) == "9.0 MB · 2.0 MB/s"


def test_pace_forgets():
    times = [0.0, 1.0, 100.0, 101.0, 108.5]
    pace = Pace(iter(times).__next__)
    for done in (0, 10**9, 10**9, 10**9, 10**9):
        pace.add(done)
    assert pace.describe(10**9, 2 * 10**9) == "1.0 of 2.0 GB · waiting for the server"


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (8_240_258, "8.2 MB"), (375_042_383, "375 MB")],
)
def test_sizes(n_bytes, text):
    assert size_text(n_bytes) == text
    assert size_text(2_564_550_879) == "2.6 GB"
    assert share_text(500, 375_042_383) == "500 B of 375 MB"


@given(st.integers(0, 10**14))
def test_sizes_are_right_to_a_twentieth(n_bytes):
    number, unit = size_text(n_bytes).split()
    scale = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}[unit]
    assert float(number) * scale == pytest.approx(n_bytes, rel=0.05)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.1, "1 s"), (59, "59 s"), (61, "1 min"), (4000, "1 h 7 min")]
)
def test_times(seconds, text):
    assert time_text(seconds) == text


@given(st.text(alphabet="ab/\\ :.1", max_size=200))
def test_breakable_adds_nothing_that_is_seen(text):
    pieces = breakable(text).split("\u200b")
    assert "".join(pieces) == text
    assert all(len(word) <= 40 for piece in pieces for word in piece.split("/") if word.isalnum())


def test_speeds_stay_in_one_piece():
    assert breakable("120 of 375 MB · 4.2 MB/s") == "120 of 375 MB · 4.2 MB/\u2060s"


def test_hashes_are_shortened():
    assert without_hashes(f"expected SHA-256 {HASH[7:]}, in decade.pth") == (
        f"expected SHA-256 {HASH[7:15]}…, in decade.pth"
    )


def test_a_damaged_file_is_found_when_it_is_opened_and_fetched_again(
    tiny, make_napari_viewer, qtbot
):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros((50, 60), np.uint8))
    _, segment = viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    _, widget = viewer.window.add_plugin_dock_widget("napari-sam", "Models")
    qtbot.wait(50)
    fetch(widget, "tiny")
    wait_for(qtbot, widget, "tiny is installed")
    tiny.weights.write_bytes(b"damaged")
    napari_sam.session(viewer).model = "tiny"
    banner = segment.findChild(Banner)
    qtbot.waitUntil(lambda: not banner.isHidden(), timeout=PATIENCE_MS)
    assert "tiny.pth" in banner.findChild(Sentences).text
    banner.findChild(QPushButton).click()
    assert not tiny.installed
    answer(widget, QDialog, "Fetch")
    wait_for(qtbot, widget, "tiny is installed")
    assert tiny.weights.read_bytes() == CONTENT
    widget.fetch_again("nano")
    assert "comes with napari-sam" in said(widget)


def test_what_verify_finds_damaged_can_be_fetched_again(tiny, open_dock, qtbot):
    _, _, widget = open_dock()
    fetch(widget, "tiny")
    wait_for(qtbot, widget, "tiny is installed")
    tiny.weights.write_bytes(b"damaged")
    found = hashlib.sha256(b"damaged").hexdigest()
    assert not button(widget, "Fetch …").isEnabled()
    press(widget, "Verify")
    wait_for(qtbot, widget, "tiny.pth was changed or damaged since it was installed: expected")
    assert f"found {found[:8]}…" in said(widget)
    tiny.weights.write_bytes(CONTENT)  # somebody has put it right
    press(widget, "Verify")
    again = button(widget, "Fetch again …")
    qtbot.waitUntil(lambda: again.text() == "Fetch …", timeout=PATIENCE_MS)
    tiny.weights.write_bytes(b"damaged")
    press(widget, "Verify")
    wait_for(qtbot, widget, "tiny.pth was changed or damaged since it was installed: expected")
    press(widget, "Fetch again …")
    answer(widget, QDialog, "Fetch")
    wait_for(qtbot, widget, "tiny is installed")
    assert tiny.weights.read_bytes() == CONTENT
    assert not button(widget, "Fetch …").isEnabled()
