"""The line that always tells the truth: what is being done, what there is, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from napari_sam.widgets.draft import NO_IMAGE
from napari_sam.widgets.layers import iter_images
from napari_sam.widgets.sentences import Sentences, without_hashes
from napari_sam.widgets.tools import Tool

if TYPE_CHECKING:
    from napari_sam.widgets.lanes import Lanes
    from napari_sam.widgets.links import Links
    from napari_sam.widgets.scene import Scene

HINTS = {
    Tool.CLICK: "Shift+click takes away · drag pans",
    Tool.BOX: "Drag from corner to corner · Space+drag pans",
    Tool.SCRIBBLE: "Drag over the object · with Shift, over what is not it · Space+drag pans",
    Tool.LASSO: "Drag around the object · Space+drag pans",
}
KEYS_ASLEEP = "Click the image to give the keys back to this tool."
OTHER_TOOL = "napari's tool '{}' is on '{}'. Press a tool above to go on here."
CHOOSE_IMAGE = "Choose an image above, or point at the one on screen."
PADDING = 8
"""What napari's themes put around a text, in pixels."""

HINT_STYLE = "font-style: italic;"
PROGRESS_STYLE = """
QProgressBar { border: none; background: rgba(128, 128, 128, 60); }
QProgressBar::chunk { background: rgb(86, 180, 233); }
"""


class StateLines(QWidget):
    """Progress, status, a hint for the tool in the hand, and notes on image and model.

    Parameters
    ----------
    scene : Scene
        Of the viewer.
    lanes : Lanes
        What is being done.
    links : Links
        Cut when the dock is closed.
    """

    def __init__(self, scene: Scene, lanes: Lanes, links: Links) -> None:
        super().__init__()
        self._scene, self._session = scene, scene.session
        self._progress = QProgressBar()
        self._progress.setRange(0, 0)
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(4)
        self._progress.setStyleSheet(PROGRESS_STYLE)
        keep_size = self._progress.sizePolicy()
        keep_size.setRetainSizeWhenHidden(True)
        self._progress.setSizePolicy(keep_size)
        self._progress.hide()
        self._status, self._notes, self._hint = Sentences(2), Sentences(1), QLabel()
        self._hint.setMinimumHeight(2 * self._hint.fontMetrics().lineSpacing() + PADDING)
        for line, name in ((self._status, "status"), (self._notes, "notes"), (self._hint, "hint")):
            line.setObjectName(name)
        self._hint.setWordWrap(True)
        self._hint.setStyleSheet(HINT_STYLE)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        for line in (self._progress, self._status, self._hint, self._notes):
            column.addWidget(line)
        lanes.progressed.connect(self._show_progress)
        lanes.idle.connect(self._hide_progress)
        links.add(self._session.status_changed, self._show_status)
        links.add(scene.hand.tool_changed, self._show_hint)
        layers = self._session.viewer.layers
        links.add(layers.selection.events.active, self._show_hint)
        links.add(self._session.viewer.events.help, self._show_hint)  # other with another mode
        for event in (layers.events.inserted, layers.events.removed):
            links.add(event, self._on_layers)
        self._show_status(self._session.status)
        self._show_hint()

    def show_notes(self) -> None:
        """Show what the user should know of image and model, if anything."""
        self._notes.say(self._session.notes)
        self._notes.setVisible(bool(self._session.notes))

    def _show_status(self, text: str) -> None:
        if text == NO_IMAGE and any(iter_images(self._session.viewer)):
            text = CHOOSE_IMAGE
        self._status.say(without_hashes(text))
        self._status.setToolTip(text if without_hashes(text) != text else "")
        self.show_notes()

    def _show_progress(self, text: str) -> None:
        self._progress.show()
        self._status.say(text)

    def _hide_progress(self) -> None:
        self._progress.hide()
        self._show_status(self._session.status)

    def _on_layers(self, event: Any) -> None:
        if self._session.status == NO_IMAGE:
            self._show_status(NO_IMAGE)

    def _show_hint(self, event: Any = None) -> None:
        scene, active = self._scene, self._session.viewer.layers.selection.active
        is_awake = active is not None and active in (scene.points.layer, scene.box.layer)
        if is_awake:
            self._hint.setText(HINTS[scene.hand.tool])
        elif active is not None and active.mode != "pan_zoom":
            self._hint.setText(OTHER_TOOL.format(str(active.mode).replace("_", " "), active.name))
        else:
            self._hint.setText(KEYS_ASLEEP)
