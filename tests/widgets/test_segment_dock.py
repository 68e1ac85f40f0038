"""What the dock Segment shows and offers; no window."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtGui import QGuiApplication
from qtpy.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QLabel,
    QPushButton,
)

from napari_sam.widgets import layers_form, notices
from napari_sam.widgets.banner import Banner, Notice
from napari_sam.widgets.candidates_bar import CandidatesBar
from napari_sam.widgets.files_row import FilesRow
from napari_sam.widgets.layers_form import OPEN, LayersForm
from napari_sam.widgets.segment import SegmentWidget
from napari_sam.widgets.segment_session import SegmentSession
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import scene
from napari_sam.widgets.tool_row import ToolRow
from napari_sam.widgets.tools import Tool
from napari_sam.widgets.two_pages import TwoPages

PATIENCE_MS = 30_000  # a busy machine is no failure


@pytest.fixture
def dock(session, qtbot):
    """The dock; commands of the session wait for the model, so that nothing has to here."""
    widget = SegmentWidget(session.viewer)
    qtbot.addWidget(widget)
    yield widget
    widget.closed.emit()


def said(dock, name="status"):
    return dock.findChild(Sentences, name).text


def button(dock, name):
    return dock.findChild(QPushButton, name)


def banner_buttons(dock):
    banner = dock.findChild(Banner)
    return {each.text(): each for each in banner.findChildren(QPushButton)}


def titles(dock):
    return [each.text() for each in dock.findChild(CandidatesBar).findChildren(QAbstractButton)]


def combo(dock, row):
    return dock.findChild(LayersForm).findChildren(QComboBox)[row]


# Tools and switches


def test_the_tool_in_the_hand_is_the_checked_one(dock, session):
    hand = scene(session.viewer).hand
    button(dock, "lasso").click()
    assert hand.tool is Tool.LASSO
    hand.take(Tool.SCRIBBLE)
    checked = [
        each for each in dock.findChild(ToolRow).findChildren(QPushButton) if each.isChecked()
    ]
    assert [each.objectName() for each in checked] == ["scribble"]
    assert "Shift" in dock.findChild(QLabel, "hint").text()


def test_buttons_tell_their_keys(dock):
    assert "(Enter)" in button(dock, "keep").text()
    assert "Ctrl+Shift+Z" in button(dock, "redo").toolTip()


def test_turbo_is_a_switch_of_the_session(dock, session):
    turbo = next(box for box in dock.findChildren(QCheckBox) if box.text().startswith("Turbo"))
    turbo.click()
    assert session.turbo
    session.turbo = False
    assert not turbo.isChecked()


def test_neighbors_are_negatives_unless_switched_off(dock, session):
    switch = next(box for box in dock.findChildren(QCheckBox) if "Neighbors" in box.text())
    assert switch.isChecked()
    switch.click()
    assert not session.neighbors


def test_the_preferred_candidate_has_a_star_until_it_is_pressed_again(dock, session):
    session.click(100, 120)
    assert not any("★" in title for title in titles(dock))
    buttons = dock.findChild(CandidatesBar).findChildren(QAbstractButton)
    buttons[2].click()
    assert ["★" in title for title in titles(dock)] == [False, False, True]
    session.commit()
    assert ["★" in title for title in titles(dock)] == [False, False, True]
    session.click(40, 40)
    assert session.draft.rank == 2
    buttons[2].click()
    assert session.preferred_rank is None
    assert not any("★" in title for title in titles(dock))


# Kept objects


def test_an_object_opened_again_is_shown_as_such(dock, session):
    session.click(100, 120)
    session.commit()
    assert not button(dock, "delete").isEnabled()
    width = button(dock, "keep").sizeHint().width()
    session.reopen(1, near=(100, 120))
    texts = [label.text() for label in dock.findChildren(QLabel)]
    assert any("Object 1" in text and "again" in text for text in texts)
    assert button(dock, "keep").text().startswith("Replace")
    assert button(dock, "drop").text().startswith("Leave it")
    assert button(dock, "keep").sizeHint().width() == width  # nothing moves
    button(dock, "delete").click()
    assert not session.labels.data.any()
    assert button(dock, "keep").text().startswith("Keep")


# Images, models, labels


def test_after_an_image_is_removed_others_are_offered(dock, session, picture):
    session.viewer.add_image(picture, name="other")
    session.viewer.layers.remove("cells")
    assert "Choose an image" in said(dock)
    session.viewer.layers.remove("other")
    assert "Open an image" in said(dock)
    session.viewer.add_image(picture, name="third")
    assert "Choose an image" in said(dock)


def test_labels_of_another_shape_can_be_exchanged_for_new_ones(dock, session):
    session.click(100, 120)
    session.commit()
    session.viewer.add_labels(np.zeros((5, 5), np.uint8), name="small")
    labels = combo(dock, 2)
    labels.activated.emit(labels.findText("small"))
    assert "'small' has shape (5, 5), the image (200, 240)" in said(dock, "notice")
    assert labels.currentText() == "cells labels"
    banner_buttons(dock)["Make a new one"].click()
    assert session.labels is None
    assert dock.findChild(Banner).isHidden()


def test_labels_beside_the_image_are_told_of_and_put_there_only_when_asked(dock, session):
    session.image.scale = (0.5, 0.5)
    labels = session.viewer.add_labels(np.zeros((200, 240), np.uint8), name="mine")
    session.labels = labels
    told = "'mine' does not lie on the image 'cells': its {}."
    assert said(dock, "notice") == told.format("scale is 1.0, not 0.5")
    session.click(100, 120)
    session.commit()
    assert labels.data[100, 120] == 1  # of the image's pixel, wherever that is shown
    np.testing.assert_array_equal(labels.scale, (1, 1))
    banner_buttons(dock)["Put it there"].click()
    np.testing.assert_array_equal(labels.scale, (0.5, 0.5))
    assert dock.findChild(Banner).isHidden()
    session.image.translate = (0, 3)
    assert said(dock, "notice") == told.format("translate is 0.0, not (0.0, 3.0)")
    session.image.translate = (0.1, 0)  # a fifth of a pixel
    assert dock.findChild(Banner).isHidden()
    session.image.translate = (0, 0)
    labels.rotate = 90
    assert said(dock, "notice") == told.format("rotate is another")


def test_labels_on_disk_can_be_opened(dock, session, qtbot, tmp_path):
    session.click(100, 120)
    session.commit()
    files, path = dock.findChild(FilesRow), str(tmp_path / "labels.ome.zarr")
    files._save_labels(path)
    qtbot.waitUntil(lambda: session.labels_path is not None, timeout=PATIENCE_MS)
    session.viewer.layers.remove("cells labels")
    assert session.labels is None
    labels = combo(dock, 2)
    with qtbot.waitSignal(dock.findChild(LayersForm).labels_wanted):
        labels.activated.emit(labels.findText(OPEN))
    assert labels.currentText() == "new layer"
    files._open_labels(path)
    qtbot.waitUntil(lambda: session.labels is not None, timeout=PATIENCE_MS)
    assert labels.currentText() == session.labels.name
    assert session.object_at(100, 120) == 1
    files._open_labels(str(tmp_path))
    qtbot.waitUntil(lambda: str(tmp_path) in said(dock), timeout=PATIENCE_MS)


def test_labels_are_saved_beside_the_image_and_then_beside_themselves(
    dock, session, qtbot, tmp_path, monkeypatch
):
    files, save = dock.findChild(FilesRow), dock.findChild(QPushButton, "save")
    assert not save.isEnabled()  # there is nothing to save yet
    source = SimpleNamespace(path=str(tmp_path / "cells.tif"), sample=None, reader_plugin=None)
    monkeypatch.setattr(type(session.image), "source", source)
    session.click(100, 120)
    session.commit()
    assert save.isEnabled()

    def proposed():
        save.click()
        dialog = files.findChild(QFileDialog)
        (path,) = dialog.selectedFiles()
        dialog.close()
        qtbot.waitUntil(lambda: files.findChild(QFileDialog) is None, timeout=PATIENCE_MS)
        return Path(path)

    assert proposed() == tmp_path / "cells labels.ome.zarr"
    folder = tmp_path / "mine"
    folder.mkdir()
    files._save_labels(str(folder / "cells labels.ome.zarr"))
    qtbot.waitUntil(lambda: session.labels_path is not None, timeout=PATIENCE_MS)
    assert proposed() == folder / "cells labels 2.ome.zarr"  # a folder that is there is gone into
    session.viewer.layers.remove(session.labels)
    assert not save.isEnabled()


def test_a_model_in_use_whose_file_is_gone_says_so(dock, session, monkeypatch):
    def spec(name):
        return SimpleNamespace(name=name, description="Discs.", installed=False)

    session.click(100, 120)
    monkeypatch.setattr(layers_form, "list_models", lambda: [spec("discs"), spec("other")])
    monkeypatch.setattr(layers_form, "state_text", lambda spec: "9 B to fetch")
    dock.findChild(LayersForm)._show_models()
    models = combo(dock, 1)
    assert models.itemText(0) == "discs · in use, file removed"
    assert models.itemText(1) == "other · 9 B to fetch"
    assert models.currentIndex() == 0
    assert [models.model().item(index).isEnabled() for index in (0, 1)] == [True, False]


# What goes wrong


def test_a_damaged_file_can_be_fetched_again(dock, session, monkeypatch):
    fetched = []
    target = SimpleNamespace(name="vit_x.pth")
    file = SimpleNamespace(url="https://example.org/vit_x.pth", target=target)
    spec = SimpleNamespace(name=session.model, built_in=False, files=(file,))
    monkeypatch.setattr(notices, "list_models", lambda: [spec])
    monkeypatch.setattr(
        notices,
        "bring_forward",
        lambda viewer, name: SimpleNamespace(fetch_again=lambda name: fetched.append(name)),
    )
    error = ValueError(f"/models/vit_x.pth is damaged: expected {'0' * 64}, found {'1' * 64}.")
    dock._on_failed(session.predictor, error)
    assert said(dock, "notice").startswith("vit_x.pth is damaged")
    banner_buttons(dock)["Fetch it again …"].click()
    assert fetched == [session.model]
    dock._on_failed(session.predictor, ValueError("The image cannot be read."))
    assert dock.findChild(Banner).isHidden()


@pytest.mark.parametrize(
    ("dtype", "offered"), [(np.int16, ["Widen to int32"]), (np.int32, []), (np.uint32, [])]
)
def test_only_growth_that_there_is_is_offered(session, dtype, offered):
    labels = session.viewer.add_labels(np.zeros((8, 8), dtype))
    notice = notices._few_ids(session, labels, 3)
    assert list(notice.buttons) == offered
    assert "3 are left" in notice.text


def test_growth_is_offered_before_the_ids_run_out(dock, session):
    labels = session.viewer.add_labels(np.zeros((200, 240), np.uint8), name="small")
    labels.data[0, 0] = 250
    session.labels = labels
    assert dock.findChild(Banner).isHidden()  # not counted yet
    session.click(100, 120)
    session.commit()
    assert "uint8 holds 255 objects, 4 are left" in said(dock, "notice")
    assert "Widen to uint16" in banner_buttons(dock)
    session.widen_labels()
    assert session.labels.data.dtype == np.uint16
    assert dock.findChild(Banner).isHidden()


@pytest.mark.parametrize("highest", [254, 255])
def test_without_a_number_left_the_dock_goes_on(dock, session, highest):
    data = np.zeros((200, 240), np.uint8)
    data[:5, :5] = highest
    session.labels = session.viewer.add_labels(data)
    session.click(100, 120)
    if highest == 254:
        session.commit()
        assert data[100, 120] == 255
        session.click(40, 40)
    with pytest.raises(ValueError, match="uint8"):
        session.commit()
    assert session.mask is not None
    session.clear()
    assert dock.findChild(QLabel, "object").text() == "Object without a number"
    session.overlap = "erase"
    session.click(100, 120)
    session.commit()
    assert data[100, 120] == 0


def test_unsaved_objects_are_offered_once(dock, session, monkeypatch):
    found, done = [37], []
    monkeypatch.setattr(SegmentSession, "recoverable", property(lambda self: sum(found)))
    monkeypatch.setattr(SegmentSession, "discard_recovery", lambda self: done.append(found.pop()))
    session.layers_changed.emit()
    assert said(dock, "notice") == "37 objects of an earlier session were not saved."
    assert set(banner_buttons(dock)) == {"Recover", "Discard"}
    banner_buttons(dock)["Discard"].click()
    assert done == [37]


def test_a_banner_without_a_notice_takes_no_room(qtbot):
    banner = Banner()
    qtbot.addWidget(banner)
    banner.show_notice(Notice("Something.", {"Do it": lambda: None}))
    assert not banner.isHidden()
    banner.show_notice(None)
    assert banner.isHidden()


# The script


def test_the_script_can_be_copied_and_saved(dock, session, tmp_path):
    session.click(100, 120)
    session.commit()
    files = dock.findChild(FilesRow)
    files._copy_script()
    copied = QGuiApplication.clipboard().text()
    assert "session.commit(label=1)" in copied
    files._save_script(str(tmp_path / "segment.py"))
    assert (tmp_path / "segment.py").read_text(encoding="utf-8") == copied


def test_another_image_over_the_chosen_one_is_told_of(dock, session, picture):
    other = session.viewer.add_image(picture, name="other")
    assert said(dock, "notice") == "This works on 'cells', and 'other' lies over it."
    banner_buttons(dock)["Take 'other'"].click()
    assert session.image is other
    assert dock.findChild(Banner).isHidden()
    session.viewer.add_image(picture, name="red", blending="additive")
    assert dock.findChild(Banner).isHidden()


def test_a_hidden_image_is_told_of_while_it_is_hidden(dock, session):
    session.image.visible = False
    assert said(dock).endswith("The image 'cells' is hidden.")
    session.click(100, 120)
    assert said(dock).endswith("The image 'cells' is hidden.")
    session.image.visible = True
    assert "hidden" not in said(dock)


def test_another_tool_of_napari_is_told_of(dock, session):
    layer = session.image
    session.viewer.layers.selection.active = layer
    layer.mode = "transform"
    assert (
        dock.findChild(QLabel, "hint").text().startswith("napari's tool 'transform' is on 'cells'")
    )
    layer.mode = "pan_zoom"
    assert "give the keys back" in dock.findChild(QLabel, "hint").text()


def test_a_view_of_other_axes_is_told_of_and_can_be_left(dock, session, picture):
    session.image = session.viewer.add_image(np.stack([picture] * 3), name="stack")
    session.viewer.dims.order = (1, 2, 0)
    assert said(dock, "notice").startswith("The view shows the axes")
    banner_buttons(dock)["Roll the axes back"].click()
    assert session.viewer.dims.order == (0, 1, 2)
    assert dock.findChild(Banner).isHidden()


def test_without_an_image_delete_says_that_there_is_none(dock, session):
    session.viewer.layers.clear()
    with session.telling():
        scene(session.viewer).hand.delete()
    assert session.status.startswith("Open an image")


def test_without_an_image_buttons_are_out_of_reach_and_say_why(dock, session):
    buttons = [button(dock, name) for name in ("keep", "drop", "undo", "redo")]
    assert all(each.isEnabled() for each in buttons)
    image = session.image
    session.image = None
    assert not any(each.isEnabled() for each in buttons)
    assert all("image" in each.toolTip() for each in buttons)
    session.image = image
    assert all(each.isEnabled() and "Key:" in each.toolTip() for each in buttons)


def test_the_button_says_what_it_turns_to(dock):
    button = dock.findChild(TwoPages).button
    assert button.text() == "▸ Advanced"
    button.click()
    assert button.text() == "◂ Back to the tools"
    button.click()
    assert button.text() == "▸ Advanced"


def test_a_longer_hint_moves_nothing(dock, session):
    hint = dock.findChild(QLabel, "hint")
    for tool in Tool:
        scene(session.viewer).hand.take(tool)
        assert hint.heightForWidth(300) <= hint.minimumHeight()


def test_a_model_that_is_gone_can_be_fetched(dock, session, monkeypatch):
    asked = []
    file = SimpleNamespace(
        url="https://example.org/vit_x.pth", target=SimpleNamespace(name="vit_x.pth")
    )
    spec = SimpleNamespace(name=session.model, built_in=False, files=(file,))
    monkeypatch.setattr(notices, "list_models", lambda: [spec])
    monkeypatch.setattr(
        notices, "bring_forward", lambda viewer, name: SimpleNamespace(ask_fetch=asked.append)
    )
    gone = FileNotFoundError("discs is not installed. It is at https://example.org/vit_x.pth")
    dock._on_failed(session.predictor, gone)
    assert said(dock, "notice") == "discs is not installed."
    banner_buttons(dock)["Fetch …"].click()
    assert asked == ["discs"]


def test_what_is_said_of_a_model_is_not_said_of_the_next(dock, session, model):
    session.fail(session.predictor, ValueError("The weights are damaged."))
    assert said(dock) == "The weights are damaged."
    session.model = type(model)()
    assert said(dock).startswith("Click an object")
