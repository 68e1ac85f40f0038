"""The upper part of the *Automatic* dock: candidates on screen, of which some are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_sam.masks.knobs import Thresholds
from napari_sam.widgets.automatic_find import Finding, Found, Searching
from napari_sam.widgets.automatic_how import How, Way
from napari_sam.widgets.automatic_knobs import AutomaticKnobs, with_floors
from napari_sam.widgets.labels_layer import ShownLabels
from napari_sam.widgets.lane import Lane
from napari_sam.widgets.layers import current_plane, screen_px
from napari_sam.widgets.looking import resolution_text, screen_box

if TYPE_CHECKING:
    from napari_sam.widgets.links import Links
    from napari_sam.widgets.scene import Scene

DRAW_MS = 30
"""How long a moving slider waits for its next position, so that not each one is drawn."""

MODE_TIPS = {
    None: "Centers if the model has instance maps, as nano has, else a grid.",
    "seeds": "Looks at each object that the model's instance maps show. Not for all models.",
    "grid": "Asks the model at a grid of points. Works with every model, and finds parts too.",
    "watershed": "Cuts the model's instance maps into objects. The fastest, and the roughest.",
    "exact": "The masks of SAM's own generator: looks at each plane as a whole. The slowest.",
}
MODE_NAMES = {
    None: "what suits the model",
    "seeds": "seeds",
    "grid": "grid",
    "watershed": "watershed",
    "exact": "SAM's own generator",
}
STEPS = (0.25, 0.5, None, 2.0, 4.0, 8.0, 16.0)
SMALL_SAMPLES = 14
"""Objects that the model sees as smaller than this are found better when they are magnified."""

STEP_TIP = "How finely the model looks at the image. Objects should be well smaller than its view."
POINTS_TIP = "Points of the grid along each side of what the model sees at once."
PREVIEW_TIP = "Find the objects on screen. Nothing is written before you keep them."
KEEP_TIP = (
    "Write the objects that are shown into the labels, each with a number of its own. Objects that "
    "are there already stay as they are."
)
NOTHING_YET = "Preview finds the objects on screen."


class AutomaticPreview(QWidget):
    """Candidates on screen, and which of them are kept.

    Parameters
    ----------
    scene : Scene
        Where they are shown.
    lane : Lane
        In which they are found.
    links : Links
        Cut when the dock is closed.
    """

    changed = Signal()
    """Emitted when settings, candidates or thresholds have changed."""
    progressed = Signal(int, int)
    said = Signal(str)

    def __init__(self, scene: Scene, lane: Lane, links: Links) -> None:
        super().__init__()
        self._scene, self._session, self._lane = scene, scene.session, lane
        self._finding: Finding | None = None
        self._image_layer: Any = None
        self.found: Found | None = None
        self._rows = np.zeros(0, np.int64)
        self._is_kept = False
        self._build()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DRAW_MS)
        self._link(links)
        self._show()

    # The parts

    def _build(self) -> None:
        self._mode, self._step, self._points = QComboBox(), QComboBox(), QSpinBox()
        for mode, tip in MODE_TIPS.items():
            self._mode.addItem(MODE_NAMES[mode], mode)
            self._mode.setItemData(self._mode.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self._mode.setToolTip("How objects are found.")
        for step in STEPS:
            self._step.addItem("full" if step is None else resolution_text(step), step)
        self._step.setCurrentIndex(STEPS.index(None))
        self._step.setToolTip(STEP_TIP)
        self._points.setRange(1, 128)
        self._points.setValue(32)
        self._points.setSuffix(" points")
        self._points.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self._points.setToolTip(POINTS_TIP)
        self._points.setKeyboardTracking(False)
        self._preview, self._keep = QPushButton("Preview"), QPushButton("Keep these")
        self._undo = QPushButton("Undo")
        self._preview.setToolTip(PREVIEW_TIP)
        self._keep.setToolTip(KEEP_TIP)
        self._undo.setToolTip("Take back what was kept last, or the last click of Segment.")
        self._count, self._knobs = QLabel(NOTHING_YET), AutomaticKnobs()
        self._count.setWordWrap(True)

        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(_row(QLabel("Find by"), self._mode, self._points, stretches=(0, 1, 0)))
        column.addLayout(_row(QLabel("Resolution"), self._step, self._preview, stretches=(0, 0, 1)))
        column.addWidget(self._knobs)
        column.addWidget(self._count)
        column.addLayout(_row(self._keep, self._undo, stretches=(2, 1)))

    def _link(self, links: Links) -> None:
        viewer = self._session.viewer
        links.add(self._session.layers_changed, self._on_layers)
        links.add(viewer.dims.events.point, self._show)
        self._lane.answered.connect(self._on_answer)
        self._lane.idle.connect(self._on_idle)
        self._mode.activated.connect(self._on_choice)
        self._step.activated.connect(self._on_choice)
        self._points.valueChanged.connect(self._on_choice)
        self._knobs.changed.connect(self._draw_soon)
        self._timer.timeout.connect(self._draw)
        self._preview.clicked.connect(self.start)
        self._keep.clicked.connect(self.keep)
        self._undo.clicked.connect(self._take_back)

    # What there is

    @property
    def chosen(self) -> How:
        """How to look."""
        mode: Way | None = self._mode.currentData()
        step = None if mode == "exact" else self._step.currentData()
        return How(mode=mode, points_per_side=self._points.value(), step=step)

    @property
    def thresholds(self) -> Thresholds | None:
        """What to keep: as the sliders say, if they are about what is chosen."""
        is_about = self.found is not None and self.found.finding.how == self.chosen
        return self._knobs.thresholds if is_about else None

    @property
    def is_searching(self) -> bool:
        """Whether candidates are being found."""
        return self._finding is not None

    @property
    def is_stale(self) -> bool:
        """Whether what is shown was found in another way, or elsewhere."""
        if self.found is None:
            return False
        finding, predictor = self.found.finding, self._session.predictor
        if finding.how != self.chosen or not finding.predictor.sees_as(predictor):
            return True
        try:
            plane = current_plane(self._session.viewer, self._image_layer)
        except ValueError:  # of 3-D
            return True
        return plane != finding.plane

    # What the user asks for

    def start(self) -> None:
        """Find the candidates on screen."""
        session = self._session
        try:
            session.adopt_image()
        except (ValueError, TypeError) as error:
            self.said.emit(str(error))
            return
        layer, predictor = session.image, session.predictor
        if layer is None or predictor is None:
            self.said.emit(
                "Open an image first: drag a file into the window, or File ▸ Open Sample."
            )
            return
        try:
            plane = current_plane(session.viewer, layer)
            screen, pixel = screen_box(session.viewer, layer), screen_px(session.viewer, layer)
        except ValueError as error:
            self.said.emit(str(error))
            return
        kept = None if session.labels is None else ShownLabels(session.labels).array
        self._image_layer = layer
        state = session.labels_state
        self._finding = Finding(predictor, plane, screen, pixel, self.chosen, kept, state)
        self._lane.submit(self._finding)
        self._show()
        self.said.emit("Looking for objects …")
        self.progressed.emit(0, 0)

    def stop(self) -> None:
        """Find no more."""
        if self._finding is None:
            return
        if self._finding.how.mode == "exact":  # there is nothing before its end
            self._lane.abandon()
            self._finding = None
            self.said.emit("Stopped.")
            self._show()
        else:
            self._finding.stop()
            self.said.emit("Stopping after this tile …")

    def keep(self) -> None:
        """Write what is shown into the labels, as one step."""
        if self.found is None:
            return
        self._draw()
        n_kept = 0
        with self._session.telling():
            finding = self.found.finding
            is_repeatable = (
                self.found.is_complete
                and finding.labels_state == self._session.labels_state
                and finding.predictor.sees_as(self._session.predictor)
            )
            n_kept = (
                self._session.commit_all(
                    self.found.table.select(self._rows),
                    plane=finding.plane,
                    source=finding.as_python(self._knobs.thresholds) if is_repeatable else "",
                    wait=False,
                )
                or 0
            )
        if n_kept or self._session.is_held_up:  # then they are kept in their turn
            self._is_kept = True
            self._scene.found.hide()
        self.said.emit(self._session.status)
        self._show()

    def _take_back(self) -> None:
        with self._session.telling():
            self._session.undo(wait=False)
        if self._is_kept:
            self._draw()
        is_refused = self._session.status.startswith("There is nothing")
        self.said.emit(self._session.status if is_refused else "Taken back.")

    # What happens

    def _on_answer(self, work: Any, news: Any) -> None:
        if work is not self._finding:
            return
        if isinstance(news, Searching):
            self.progressed.emit(news.n_done, news.n_wanted)
            if news.unit == "points":
                self.said.emit(f"{news.n_done:,} of {news.n_wanted:,} points asked …")
        elif isinstance(news, Found):
            self._show_found(news)

    def _on_idle(self) -> None:
        self._finding = None
        self._show()

    def _on_layers(self) -> None:
        if self._image_layer is not None and self._session.image is not self._image_layer:
            if self._finding is not None:
                self._lane.abandon()
            self._finding = self.found = self._image_layer = None
            self._scene.found.hide()
        self._show()

    def _on_choice(self, value: Any = None) -> None:
        self._show()
        self.changed.emit()

    def _show_found(self, found: Found) -> None:
        before, self.found = self.found, found
        is_like = before is not None and (
            before.settings.mode == found.settings.mode
            and before.settings.exact == found.settings.exact
            and before.finding.predictor.sees_as(found.finding.predictor)
        )
        self._knobs.offer_overlap(not found.settings.exact)
        self._knobs.set_table(
            found.table,
            found.floors,
            None if is_like else with_floors(found.defaults, found.floors),
        )
        self._draw()
        if found.is_complete or not self._lane.current:
            self.said.emit(describe(found))

    def _draw_soon(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _draw(self) -> None:
        if self.found is None:
            return
        self._is_kept = False
        self._rows = self.found.knobs.rows(self._knobs.thresholds)
        self._scene.show_found(self.found, self._rows)
        self._show()
        self.changed.emit()

    def _show(self, event: Any = None) -> None:
        mode = self._mode.currentData()
        self._step.setEnabled(mode != "exact")
        is_grid = mode in ("grid", "exact") or (
            self.found is not None and self.found.settings.mode == "grid"
        )
        self._points.setVisible(is_grid)
        is_stale = self.is_stale
        self._preview.setText("Preview again" if is_stale else "Preview")
        self._preview.setEnabled(not self.is_searching)
        self._keep.setEnabled(
            bool(len(self._rows)) and self.found is not None and not self._is_kept
        )
        self._knobs.setEnabled(self.found is not None)
        self._count.setText(count_text(self.found, len(self._rows), is_stale, self._is_kept))


def count_text(found: Found | None, n_rows: int, is_stale: bool, is_kept: bool) -> str:
    """Return how many candidates are kept, or what to do next."""
    if found is None:
        return NOTHING_YET
    n_all = len(found.table)
    if not n_all:
        return "No objects here. Try another mode, resolution or model, or another place."
    if is_kept:
        return "Kept; Preview finds what is left."
    if not n_rows:
        return f"<b>0 of {n_all:,}</b>: lower predicted IoU or stability, or widen the area."
    stale = " · found with other settings" if is_stale else ""
    return f"<b>{n_rows:,} of {n_all:,}</b> candidates{stale}"


def describe(found: Found) -> str:
    """Return a sentence on what was searched."""
    if found.settings.exact:
        return "All of the plane, as SAM's own generator finds it."
    mode = found.settings.mode
    n, on_screen = found.n_tiles, found.n_on_screen
    if n < on_screen:
        part = (
            f"The middle {n} of {on_screen:,} tiles on screen"
            if found.is_complete
            else f"{n} of {on_screen:,} tiles"
        )
        return f"{part}, by {mode}. Zoom in to see all that is on screen."
    all_of_it = f"All on screen, by {mode}: {n:,} tile{'s' if n > 1 else ''}."
    return f"{all_of_it} {small_hint(found)}".strip()


def small_hint(found: Found) -> str:
    """Return what to do if most objects are so small that the model misses some; else ""."""
    step = found.settings.step or 1.0
    if not len(found.table) or step <= min(filter(None, STEPS)):
        return ""
    diameter = float(np.median(np.sqrt(found.table.areas)))
    if diameter >= SMALL_SAMPLES * step:
        return ""
    finer = resolution_text(step / 2)
    return f"Objects of some {diameter:.0f} px are small for it: try the resolution {finer}."


def _row(*widgets: QWidget, stretches: tuple[int, ...]) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget, stretch in zip(widgets, stretches, strict=True):
        row.addWidget(widget, stretch)
    return row
