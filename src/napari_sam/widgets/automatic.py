"""The dock of automatic segmentation: all objects, first on screen, then everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from napari_sam.widgets.ahead import Ahead, ahead
from napari_sam.widgets.automatic_apply import AutomaticApply
from napari_sam.widgets.automatic_preview import AutomaticPreview
from napari_sam.widgets.draft import NO_IMAGE
from napari_sam.widgets.lane import Lane
from napari_sam.widgets.links import Links
from napari_sam.widgets.scrolled import Column
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import scene
from napari_sam.widgets.tabs import Tab

if TYPE_CHECKING:
    import napari


class AutomaticWidget(Tab):
    """Finds all objects: previews those on screen, keeps them, or segments planes and stacks.

    Only a view: image, model, labels and undo are those of the viewer's session, and everything
    that takes long happens in its lanes.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Given by napari.
    """

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__(viewer)
        self._scene = scene(viewer)
        self._session = self._scene.session
        self._ahead = ahead(viewer)
        self._links = Links()
        self._lanes = for_previews, for_runs, for_forecasts = Lane(), Lane(), Lane()
        with self._session.telling():
            self._session.adopt_image()
        self._preview = AutomaticPreview(self._scene, for_previews, self._links)
        self._apply = AutomaticApply(
            self._scene, self._preview, self._ahead, (for_runs, for_forecasts), self._links
        )
        self._build()
        self._link(for_previews, for_runs)
        self._ahead.join(self._links)
        self.closed.connect(self._scene.remove_found)
        self.at_end(partial(_close, self._links, self._lanes, self._ahead))
        self._show()

    def _build(self) -> None:
        self._about = Sentences(1)
        self._progress, self._cancel = QProgressBar(), QPushButton("Cancel")
        self._cancel.setToolTip("Stop; what was found stays.")
        self._status = Sentences(2)
        row = QHBoxLayout()
        row.addWidget(self._progress, 2)
        row.addWidget(self._cancel, 1)
        content = QWidget()
        column = Column(content)
        column.addWidget(self._about)
        column.addWidget(self._preview)
        column.addWidget(self._apply)
        column.addLayout(row)
        column.addWidget(self._status)
        column.addStretch(1)
        self.hold(content)

    def _link(self, *lanes: Lane) -> None:
        self._links.add(self._session.layers_changed, self._show)
        for lane in lanes:
            lane.progressed.connect(self._status.say)
            lane.failed.connect(self._on_failed)
            lane.idle.connect(self._show)
        for part in (self._preview, self._apply):
            part.said.connect(self._status.say)
            part.progressed.connect(self._show_progress)
        self._cancel.clicked.connect(self._stop)

    def _stop(self) -> None:
        self._preview.stop()
        self._apply.stop()
        self._show()

    def _show_progress(self, n_done: int, n_total: int) -> None:
        self._progress.setRange(0, n_total)
        self._progress.setValue(n_done)
        self._show()

    def _on_failed(self, work: Any, error: Exception) -> None:
        self._status.say(f"⚠ {error or type(error).__name__}")

    def _show(self, event: Any = None) -> None:
        layer = self._session.image
        self._about.say(f"{layer.name} · {self._session.model}" if layer else NO_IMAGE)
        is_busy = self._preview.is_searching or self._apply.is_running
        self._cancel.setEnabled(is_busy)
        if self._progress.isTextVisible() and not is_busy:  # draws the whole window at once
            self._progress.reset()
        self._progress.setTextVisible(is_busy)


def _close(links: Links, lanes: Iterable[Lane], ahead: Ahead, gone: object = None) -> None:
    """Cut what reaches into a dock that is gone, and end what it has begun."""
    links.cut()
    for lane in lanes:
        lane.stop()
    ahead.leave(links)
