"""The dock of automatic segmentation in a real window."""

from __future__ import annotations

import gc
import re
import shutil
import threading
import time
import weakref

import numpy as np
import pytest
import zarr
from qtpy.QtCore import QEvent, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QLabel, QProgressBar, QPushButton

import napari_sam
from napari_sam.model.interrupt import give_way
from napari_sam.segment import exact, find
from napari_sam.segment.output import read_record
from napari_sam.widgets import automatic_find
from napari_sam.widgets.ahead import ahead
from napari_sam.widgets.automatic import AutomaticWidget
from napari_sam.widgets.automatic_apply import AutomaticApply
from napari_sam.widgets.automatic_knobs import AutomaticKnobs
from napari_sam.widgets.automatic_preview import AutomaticPreview
from napari_sam.widgets.embeddings_dock import EmbeddingsWidget
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import scene

from .bright_discs import PixelModel, draw_discs, find_discs, spread
from .replay import assert_same, carry_out

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


def test_what_has_to_wait_for_the_labels_is_kept_once(window, open_dock, qtbot):
    _, widget = open_dock()
    session = napari_sam.session(window)
    session.adopt_image()
    session.labels = window.add_labels(np.zeros((2, *SHAPE), np.uint16), scale=(1, 2, 2))
    window.layers.selection.clear()
    preview(widget, qtbot)
    noted = []
    session.asked.connect(noted.append)
    press(widget, "Keep these")
    assert session.is_held_up
    assert not button(widget, "Keep these").isEnabled()
    for chore in noted:
        *_, answer = chore.iter_answer()
        session.accept(chore, answer)
    assert len(np.unique(session.labels.data)) == N_DISCS + 1


def test_candidates_that_cannot_be_numbered_stay(window, open_dock, qtbot):
    _, widget = open_dock()
    session = napari_sam.session(window)
    session.adopt_image()
    full = np.zeros((2, *SHAPE), np.uint8)
    full[1] = 255
    session.labels = window.add_labels(full, scale=(1, 2, 2))
    preview(widget, qtbot)
    press(widget, "Keep these")
    assert not session.is_held_up
    assert "255" in session.status
    assert scene(window).found.layer.data.any()
    assert button(widget, "Keep these").isEnabled()
    assert not full[0].any()


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


def test_sams_own_generator_looks_at_planes_as_a_whole(window, open_dock, qtbot, monkeypatch):
    """At no other resolution, with no other overlap, and it stops when it is told to."""
    is_waiting = threading.Event()

    def candidates(embeddings, plane, settings):
        while is_waiting.is_set():
            give_way()
            time.sleep(0.01)
            yield 1
        return find_discs(embeddings, embeddings.window_at(75, 100, plane=plane), settings)

    monkeypatch.setattr(exact, "iter_exact_candidates", candidates)
    monkeypatch.setattr(automatic_find, "POINTS_S", 0)
    monkeypatch.setattr(PixelModel, "accepted_iou", 0.6)
    monkeypatch.setattr(PixelModel, "accepted_stability", 0.8)
    _, widget = open_dock()
    part, knobs = widget.findChild(AutomaticPreview), widget.findChild(AutomaticKnobs)
    part._step.setCurrentIndex(part._step.findData(2.0))
    part._mode.setCurrentIndex(part._mode.findData("exact"))
    part._mode.activated.emit(part._mode.currentIndex())
    assert not part._step.isEnabled()
    assert part._points.isVisible()
    is_waiting.set()
    press(widget, "Preview")
    told = re.compile(r"\d+ of 1,024 points asked …")
    qtbot.waitUntil(lambda: any(map(told.match, said(widget))), timeout=PATIENCE_MS)
    bar = widget.findChild(QProgressBar)
    assert bar.maximum() == 1024
    press(widget, "Cancel")
    assert not part.is_searching and part.found is None
    is_waiting.clear()
    preview(widget, qtbot)
    assert "as SAM's own generator finds it" in "".join(said(widget))
    assert not knobs._overlap.slider.isEnabled()
    assert knobs.thresholds.overlap == 0.7
    press(widget, "Keep these")
    assert "mode='exact'" in napari_sam.session(window).script()
    part._mode.setCurrentIndex(part._mode.findData("seeds"))
    part._mode.activated.emit(part._mode.currentIndex())
    napari_sam.session(window).undo()
    press(widget, "Preview again")
    qtbot.waitUntil(lambda: part.found.settings.mode == "seeds", timeout=PATIENCE_MS)
    assert knobs._overlap.slider.isEnabled()
    assert knobs.thresholds.overlap == 0.5


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
    part._scope.setCurrentIndex(part._scope.findData("z"))
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


@pytest.mark.parametrize(
    ("names", "shape"), [(None, (2, 3, 4)), (("z", "c", "y", "x"), (4, 3))], ids=["tcz", "zc"]
)
def test_all_planes_of_one_channel(window, open_dock, qtbot, tmp_path, names, shape):
    plane = draw_discs(SHAPE, spread(SHAPE, N_DISCS))
    window.layers.clear()
    several = np.broadcast_to(plane, (*shape, *SHAPE)).copy()
    several[(0,) * len(shape)] = 0
    image = window.add_image(several, name="many", axis_labels=names)
    window.dims.set_point(range(len(shape)), (1,) * len(shape))
    _, widget = open_dock()
    part = widget.findChild(AutomaticApply)
    out = tmp_path / "out.zarr"

    def run(axes):
        part._scope.setCurrentIndex(part._scope.findData(axes))
        part._use_out(out)
        apply(widget, qtbot)
        labels = zarr.open_group(out)["0"]
        kept = tuple(labels.metadata.dimension_names)[:-2]
        layer = window.layers["many objects"]
        window.layers.remove(layer)
        shown = np.asarray(layer.data[0] if layer.multiscale else layer.data[:])
        assert shown.shape == several.shape
        shutil.rmtree(out)
        return kept, shown

    texts = [part._scope.itemText(i) for i in range(part._scope.count())]
    assert f"all {np.prod(shape) // 3} planes" in texts
    kept, shown = run("z")
    assert kept == (("t", "c", "z") if len(shape) == 3 else ("c", "z"))
    here = (1, 1) if len(shape) == 3 else (slice(None), 1)
    np.testing.assert_array_equal(shown[here] > 0, several[here] > 0)
    shown[here] = 0
    assert not shown.any()
    if len(shape) == 3:
        kept, shown = run("tz")
        np.testing.assert_array_equal(shown[:, 1] > 0, several[:, 1] > 0)
        assert not shown[:, [0, 2]].any()
        n_of_each = [len(np.unique(stack)) - 1 for stack in shown[:, 1]]
        assert n_of_each == [N_DISCS, N_DISCS], "linked along z"
    assert napari_sam.session(window).image is image


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
    part._scope.setCurrentIndex(part._scope.findData("z"))
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


@pytest.mark.filterwarnings("default:No object was found")
def test_nothing_but_what_was_kept_already_says_so(window, open_dock, qtbot, tmp_path):
    _, widget = open_dock()
    preview(widget, qtbot)
    press(widget, "Keep these")
    part = widget.findChild(AutomaticApply)
    part._use_out(tmp_path / "out.zarr")
    apply(widget, qtbot)
    assert "No object was found, but for those that are kept" in said(widget)[-1]
    assert f"Labels up to {N_DISCS}" in said(widget)[-1]


@pytest.mark.filterwarnings("default:No object was found")
def test_planes_of_background_between_others(window, open_dock, qtbot, tmp_path):
    window.layers["discs"].data[0] = 0
    _, widget = open_dock()
    preview(widget, qtbot)
    assert "No objects here" in counted(widget)
    assert not button(widget, "Keep these").isEnabled()
    part = widget.findChild(AutomaticApply)
    for axes, n_objects in (("", 0), ("z", N_DISCS)):
        part._scope.setCurrentIndex(part._scope.findData(axes))
        part._use_out(tmp_path / f"out{axes}.zarr")
        apply(widget, qtbot)
        layer = next(layer for layer in window.layers if layer.name == "discs objects")
        assert len(np.unique(layer.data)) == 1 + n_objects
        window.layers.remove(layer)


def test_a_region_that_reaches_out_of_the_image(window, open_dock, qtbot, tmp_path):
    _, widget = open_dock()
    preview(widget, qtbot)
    part = widget.findChild(AutomaticApply)
    part._use_out(tmp_path / "out.zarr")
    far = np.array([(-90, -90), (-90, -30), (-30, -30)]) * 2
    shapes = window.add_shapes([far], shape_type="polygon", name="here")
    part._region.setCurrentIndex(part._region.findText("here"))
    qtbot.waitUntil(lambda: "outside the image" in said(widget)[1], timeout=PATIENCE_MS)
    apply(widget, qtbot)
    assert "draw it on the image" in said(widget)[-1]
    assert not list(tmp_path.iterdir())
    shapes.data = [np.array([(-90, -90), (-90, 60), (60, 60), (60, -90)]) * 2]
    qtbot.waitUntil(lambda: said(widget)[1].startswith("1 tile"), timeout=PATIENCE_MS)
    apply(widget, qtbot)
    found = np.asarray(window.layers["discs objects"].data)
    assert len(np.unique(found)) == 4 + 1


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


def test_it_is_a_tab_and_fits_a_small_screen(window, qtbot):
    other = window.window.add_dock_widget(EmbeddingsWidget(window), name="Embeddings")
    qtbot.wait(100)
    widget = AutomaticWidget(window)
    dock = window.window.add_dock_widget(widget, name="Automatic")
    assert widget._is_placed, "before anything is drawn"
    tabs = window.window._qt_window.tabifiedDockWidgets
    qtbot.waitUntil(lambda: tabs(other) == [dock], timeout=PATIENCE_MS)
    window.add_shapes(name="a layer with a name that is longer than a dock is wide")
    assert widget.minimumSizeHint().height() < 600
    assert widget.minimumSizeHint().width() <= 320


@pytest.mark.parametrize("is_changed", [False, True])
def test_the_script_keeps_the_same(window, open_dock, qtbot, is_changed):
    """By finding them again; or, if labels have been changed since they were found, as masks."""
    _, widget = open_dock()
    preview(widget, qtbot)
    slider = widget.findChild(AutomaticKnobs)._iou.slider
    slider.setValue(0.8)
    qtbot.waitUntil(lambda: "<b>20" not in counted(widget), timeout=PATIENCE_MS)
    session = napari_sam.session(window)
    if is_changed:
        session.new_labels()
        session.labels.paint((0, 15, 15), 7)
    press(widget, "Keep these")
    assert ("session.find(" in session.script()) != is_changed
    image = ("image", window.layers["discs"].data, "discs")
    known = carry_out(session, [image], model=session._source.model)
    assert_same(session, known)
