"""The dock: choose an image and a model, click objects, keep them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from napari.layers import Image as ImageLayer
from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam.labels.write import Overlap
from napari_sam.model import list_models
from napari_sam.widgets.advanced import Advanced
from napari_sam.widgets.ahead import Ahead, ahead
from napari_sam.widgets.candidates_bar import CandidatesBar
from napari_sam.widgets.installed import installed
from napari_sam.widgets.keys import DROP, KEEP, REDO, UNDO, Action
from napari_sam.widgets.lane import Lane, Work
from napari_sam.widgets.links import Links
from napari_sam.widgets.mouse import Mouse
from napari_sam.widgets.predictor import Predictor, Request
from napari_sam.widgets.sentences import Sentences, without_hashes
from napari_sam.widgets.session import scene
from napari_sam.widgets.tabs import Tab

if TYPE_CHECKING:
    import napari

HINTS = {
    "points": "Shift+click takes away · drag pans",
    "box": "Drag around an object · clicks work too",
}
KEYS_ASLEEP = "Click the image to give the keys back to this tool."
TO_FETCH = "Fetch it in the Models dock."
TOOLS = {"points": "Click", "box": "Box"}
PROGRESS_STYLE = """
QProgressBar { border: none; background: rgba(128, 128, 128, 60); }
QProgressBar::chunk { background: rgb(86, 180, 233); }
"""
TOOL_TIPS = {
    "points": "Click an object; Shift+click what does not belong to it; click a point to drop it.",
    "box": "Draw a rectangle around an object; clicks work as well.",
}
OVERLAP_TIPS = {
    "keep": "Objects that are there stay whole.",
    "replace": "The new object lies over those that are there.",
    "erase": "The mask is an eraser: what lies under it becomes background.",
}


class SegmentWidget(Tab):
    """Segment objects by pointing at them.

    Only a view: what it shows and changes is the session of the viewer, and everything that takes
    long happens in its lanes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Given by napari.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._scene = scene(viewer)
        self._session = self._scene.session
        self._mouse = Mouse(self._scene)
        self._lanes = self._for_drafts, self._for_hover, self._for_chores = Lane(), Lane(), Lane()
        self._links = Links()
        self._ahead = ahead(viewer)
        self._build()
        self._link()
        self._ahead.join(self._links)
        self.at_end(partial(_close, self._links, self._mouse, self._lanes, self._ahead))
        self._session.adopt_image()
        self._session.prepare()
        self._show_layers()
        self._show_draft()

    # The parts

    def _build(self) -> None:
        self._image, self._model, self._labels = QComboBox(), QComboBox(), QComboBox()
        self._overlap = QComboBox()
        self._object = QLabel()
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Image", self._image)
        form.addRow("Model", self._model)
        form.addRow("Labels", self._labels)
        self._model.setMinimumContentsLength(12)  # names may be long, the dock is narrow
        adjust = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        self._model.setSizeAdjustPolicy(adjust)
        self._fill_models()
        for rule in get_args(Overlap):
            self._overlap.addItem(f"{rule} others" if rule != "erase" else "erase", rule)
            self._overlap.setItemData(
                self._overlap.count() - 1, OVERLAP_TIPS[rule], Qt.ItemDataRole.ToolTipRole
            )
        self._overlap.setToolTip("What happens to objects that lie under a new one.")

        self._candidates = CandidatesBar()
        self._progress = QProgressBar()
        self._progress.setRange(0, 0)
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(4)
        self._progress.setStyleSheet(PROGRESS_STYLE)
        keep_size = self._progress.sizePolicy()
        keep_size.setRetainSizeWhenHidden(True)
        self._progress.setSizePolicy(keep_size)
        self._progress.hide()
        self._status, self._notes = Sentences(2), Sentences(1)
        self._notes.hide()
        self._hint = QLabel(KEYS_ASLEEP)
        self._hint.setWordWrap(True)
        self._hint.setEnabled(False)

        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addLayout(self._tool_row())
        column.addWidget(self._candidates)
        column.addLayout(_row(self._object, self._overlap))
        column.addLayout(_row(self._button(KEEP), self._button(DROP)))
        column.addLayout(_row(self._button(UNDO), self._button(REDO)))
        column.addWidget(self._progress)
        column.addWidget(self._status)
        column.addWidget(self._hint)
        column.addWidget(self._notes)
        column.addWidget(Advanced(self._session, self._links))
        column.addStretch(1)

    def _fill_models(self) -> None:
        """List the models, those that can be used first; the choice stays."""
        self._model.clear()
        for spec in sorted(list_models(), key=lambda spec: not spec.installed):
            state = "built in" if spec.built_in else "installed"
            self._model.addItem(f"{spec.name} · {state if spec.installed else 'not installed'}")
            index = self._model.count() - 1
            self._model.setItemData(index, spec.name, Qt.ItemDataRole.UserRole)
            tip = spec.description if spec.installed else f"{spec.description} {TO_FETCH}"
            self._model.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
            self._model.model().item(index).setEnabled(spec.installed)
        self._model.setCurrentIndex(self._model.findData(self._session.model))

    def _tool_row(self) -> QHBoxLayout:
        self._tools = QButtonGroup(self)
        row = QHBoxLayout()
        for name, title in TOOLS.items():
            button = QPushButton(title)
            button.setObjectName(name)
            button.setCheckable(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setToolTip(TOOL_TIPS[name])
            self._tools.addButton(button)
            row.addWidget(button)
        self._tools.buttons()[0].setChecked(True)
        return row

    def _button(self, action: Action) -> QPushButton:
        button = QPushButton(f"{action.title}  ({action.key_text})")
        button.setToolTip(f"{action.tip} Key: {action.key_text}.")
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        button.clicked.connect(partial(action.run, self._session))
        return button

    # Who tells whom

    def _link(self) -> None:
        session, layers = self._session, self._session.viewer.layers
        link = self._links.add
        link(session.asked, self._do)
        link(session.draft_changed, self._show_draft)
        link(session.layers_changed, self._show_layers)
        link(session.status_changed, self._show_status)
        link(installed.changed, self._on_installed)
        for event in ("inserted", "removed", "reordered", "renamed"):
            link(getattr(layers.events, event), self._show_layers)
        link(layers.selection.events.active, self._show_hint)
        for lane in self._lanes:
            lane.answered.connect(session.accept)
            lane.failed.connect(session.fail)
            lane.warned.connect(self._on_warned)
            lane.progressed.connect(self._show_progress)
            lane.idle.connect(self._hide_progress)
        self._image.activated.connect(self._choose_image)
        self._model.activated.connect(self._choose_model)
        self._labels.activated.connect(self._choose_labels)
        self._overlap.activated.connect(self._choose_overlap)
        self._candidates.chosen.connect(self._choose_candidate)
        self._tools.buttonClicked.connect(self._choose_tool)

    def _do(self, work: Work) -> None:
        if not isinstance(work, Request):
            lane = self._for_chores
        else:
            lane = self._for_hover if work.is_hover else self._for_drafts
        predictor = _predictor(work)
        for each in self._lanes:
            old = _predictor(each.current)
            if predictor and old and not predictor.shares_model(old):
                each.abandon()  # who has chosen another model waits for that one only
        lane.submit(work)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Begin to listen to the mouse."""
        super().showEvent(event)
        self._mouse.connect()
        self._scene.activate(self._tools.checkedButton().objectName())

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Leave the mouse alone while the dock is hidden; under another one it is not, to Qt."""
        super().hideEvent(event)
        self._mouse.disconnect()

    def _on_installed(self) -> None:
        self._fill_models()
        self._session.prepare()  # the model chosen may have become one that can be opened

    # What the user chose

    def _choose_image(self, index: int) -> None:
        with self._session.telling():
            self._session.image = self._image.itemData(index)
        self._scene.activate(self._tools.checkedButton().objectName())

    def _choose_model(self, index: int) -> None:
        with self._session.telling():
            self._session.model = self._model.itemData(index)

    def _choose_labels(self, index: int) -> None:
        with self._session.telling():
            self._session.labels = self._labels.itemData(index)
        self._show_layers()

    def _choose_overlap(self, index: int) -> None:
        self._session.overlap = self._overlap.itemData(index)
        self._show_layers()

    def _choose_candidate(self, rank: int) -> None:
        self._session.choose(rank)

    def _choose_tool(self, button: QPushButton) -> None:
        self._scene.activate(button.objectName())

    # What there is

    def _show_layers(self, event: Any = None) -> None:
        session = self._session
        layers = [layer for layer in session.viewer.layers if layer not in self._scene.layers]
        images = [layer for layer in layers if isinstance(layer, ImageLayer)]
        labels = [layer for layer in layers if isinstance(layer, Labels)]
        _fill(self._image, images, session.image, "no image" if not images else "choose …")
        _fill(self._labels, labels, session.labels, "new layer")
        self._model.setCurrentIndex(self._model.findData(session.model))
        self._overlap.setCurrentIndex(self._overlap.findData(session.overlap))
        self._object.setText(f"Object {session.next_label if session.is_counted else '…'}")

    def _show_draft(self) -> None:
        draft = self._session.draft
        self._candidates.show_candidates(draft.candidates, draft.rank)
        self._show_status(self._session.status)

    def _show_status(self, text: str) -> None:
        self._status.say(without_hashes(text))
        self._status.setToolTip(text if without_hashes(text) != text else "")
        self._show_notes()

    def _show_notes(self) -> None:
        notes = self._session.notes
        self._notes.say(notes)
        self._notes.setVisible(bool(notes))
        self._image.setToolTip(notes)

    def _on_warned(self, work: Work, text: str) -> None:
        predictor = _predictor(work)
        if predictor and text not in predictor.warnings:
            predictor.warnings.append(text)
            self._show_notes()

    def _show_progress(self, text: str) -> None:
        self._progress.show()
        self._status.say(text)

    def _hide_progress(self) -> None:
        if not any(lane.current for lane in self._lanes):
            self._progress.hide()
            self._show_status(self._session.status)

    def _show_hint(self, event: Any = None) -> None:
        active = self._session.viewer.layers.selection.active
        layers = {"points": self._scene.points.layer, "box": self._scene.box.layer}
        hints = (HINTS[tool] for tool, layer in layers.items() if layer and layer is active)
        self._hint.setText(next(hints, KEYS_ASLEEP))


def _close(
    links: Links, mouse: Mouse, lanes: Iterable[Lane], ahead: Ahead, gone: object = None
) -> None:
    """Cut all that reaches from the viewer and the session into a dock that is gone."""
    links.cut()
    mouse.disconnect()
    for lane in lanes:
        lane.stop()
    ahead.leave(links)


def _predictor(work: Work | None) -> Predictor | None:
    """Return the predictor that some work is for, if it is for one."""
    predictor = work.predictor if isinstance(work, Request) else work
    return predictor if isinstance(predictor, Predictor) else None


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, 1)
    return row


def _fill(combo: QComboBox, layers: list[Any], current: Any, nothing: str) -> None:
    """List layers, after an entry for none."""
    combo.clear()
    combo.addItem(nothing, None)
    for layer in layers:
        combo.addItem(layer.name, layer)
    combo.setCurrentIndex(layers.index(current) + 1 if current in layers else 0)
