"""The line that always tells the truth: what is being done, what there is, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtGui import QHideEvent, QShowEvent
from qtpy.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_sam.widgets.colors import BLUE, as_hex
from napari_sam.widgets.draft import NO_IMAGE, SEGMENTING
from napari_sam.widgets.layers import iter_images
from napari_sam.widgets.sentences import Sentences, without_hashes
from napari_sam.widgets.tools import Tool

if TYPE_CHECKING:
    from napari_sam.widgets.doing import Doing, Watch
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
HIDDEN = "The image '{}' is hidden."
PADDING = 8
"""What napari's themes put around a text, in pixels."""

LOOK_MS = 100
STEPS = 1000
"""Of the bar; they are smaller than a pixel."""

HINT_STYLE = "font-style: italic;"
PROGRESS_STYLE = f"""
QProgressBar {{ border: none; background: rgba(128, 128, 128, 60); }}
QProgressBar::chunk {{ background: {as_hex(BLUE)}; }}
"""


class StateLines(QWidget):
    """Progress, status, a hint for the tool in the hand, and notes on image and model.

    Parameters
    ----------
    scene : Scene
        Of the viewer.
    watch : Watch
        What is being done.
    links : Links
        Cut when the dock is closed.
    """

    def __init__(self, scene: Scene, watch: Watch, links: Links) -> None:
        super().__init__()
        self._scene, self._session = scene, scene.session
        self._watch = watch
        self._doing: Doing | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(LOOK_MS)
        self._timer.timeout.connect(self.look)
        self._progress, self._cancel = QProgressBar(), QPushButton("Cancel")
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(4)
        self._progress.setStyleSheet(PROGRESS_STYLE)
        self._cancel.setObjectName("cancel")
        self._cancel.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._cancel.clicked.connect(self._stop)
        for part in (self._progress, self._cancel):
            keep_size = part.sizePolicy()
            keep_size.setRetainSizeWhenHidden(True)
            part.setSizePolicy(keep_size)
            part.hide()
        self._status, self._notes, self._hint = Sentences(2), Sentences(1), _Hint()
        self._hint.setFixedHeight(2 * self._hint.fontMetrics().lineSpacing() + PADDING)
        for line, name in ((self._status, "status"), (self._notes, "notes"), (self._hint, "hint")):
            line.setObjectName(name)
        self._hint.setWordWrap(True)
        self._hint.setStyleSheet(HINT_STYLE)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        row.addWidget(self._progress, 1)
        row.addWidget(self._cancel)
        column.addLayout(row)
        for line in (self._status, self._hint, self._notes):
            column.addWidget(line)
        links.add(self._session.status_changed, self.show_status)
        links.add(self._session.layers_changed, self._show_hint)
        links.add(scene.hand.tool_changed, self._show_hint)
        layers = self._session.viewer.layers
        links.add(layers.selection.events.active, self._show_hint)
        links.add(self._session.viewer.events.help, self._show_hint)  # other with another mode
        for event in (layers.events.inserted, layers.events.removed):
            links.add(event, self._on_layers)
        self.show_status()
        self._show_hint()

    def showEvent(self, event: QShowEvent | None) -> None:
        """Watch what is being done."""
        super().showEvent(event)
        self._timer.start()

    def hideEvent(self, event: QHideEvent | None) -> None:
        """Watch nothing while nobody looks."""
        super().hideEvent(event)
        self._timer.stop()

    def look(self) -> None:
        """Show what is being done now, and how far it is."""
        doing = self._watch.look()
        if doing != self._doing:
            self._doing = doing
            self.show_status()
            self._show_progress()

    def show_notes(self) -> None:
        """Show what the user should know of image and model, if anything."""
        notes = "\n".join(filter(None, (self._session.notes, self._watch.complaint)))
        self._notes.say(without_hashes(notes))
        self._notes.setVisible(bool(notes))

    def _stop(self) -> None:
        if self._doing is not None and self._doing.stop is not None:
            self._doing.stop()
            self.look()

    def show_status(self, event: Any = None) -> None:
        """Show what is being done, and what the session has said last."""
        text = self._session.status
        if text == NO_IMAGE and any(iter_images(self._session.viewer)):
            text = CHOOSE_IMAGE
        if self._doing is not None:
            text = "\n".join([self._doing.text, text] if text != SEGMENTING else [self._doing.text])
        if (image := self._session.image) is not None and not image.visible:
            text = f"{text} {HIDDEN.format(image.name)}"
        self._status.say(without_hashes(text))
        self._status.setToolTip(text if without_hashes(text) != text else "")
        self.show_notes()

    def _show_progress(self) -> None:
        doing = self._doing
        self._progress.setVisible(doing is not None)
        self._cancel.setVisible(doing is not None and doing.stop is not None)
        if doing is not None:
            self._progress.setRange(0, 0 if doing.share is None else STEPS)
            self._progress.setValue(round(STEPS * (doing.share or 0)))
            self._cancel.setToolTip(doing.stop_tip)

    def _on_layers(self, event: Any) -> None:
        if self._session.status == NO_IMAGE:
            self.show_status()

    def _show_hint(self, event: Any = None) -> None:
        scene, active = self._scene, self._session.viewer.layers.selection.active
        is_awake = active is not None and active in (scene.points.layer, scene.box.layer)
        if is_awake:
            self._hint.setText(HINTS[scene.hand.tool])
        elif active is not None and active.mode != "pan_zoom":
            self._hint.setText(OTHER_TOOL.format(str(active.mode).replace("_", " "), active.name))
        else:
            self._hint.setText(KEYS_ASLEEP if self._session.image is not None else "")


class _Hint(QLabel):
    """Text of a fixed height: with another, the dock would scroll before it takes less room."""

    def hasHeightForWidth(self) -> bool:
        """Whether the height depends on the width, which Qt believes of all texts that wrap."""
        return False
