"""The dock of embeddings: how much of an image is encoded, where that is kept, and more of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QWidget,
)

from napari_sam.widgets.ahead import Ahead, ahead
from napari_sam.widgets.draft import NO_IMAGE
from napari_sam.widgets.foretell import foretell
from napari_sam.widgets.lane import Lane
from napari_sam.widgets.layers import iter_images
from napari_sam.widgets.level_table import LevelTable
from napari_sam.widgets.links import Links
from napari_sam.widgets.place_panel import PlacePanel
from napari_sam.widgets.predictor import Predictor
from napari_sam.widgets.queue_text import describe_queue
from napari_sam.widgets.scrolled import Column
from napari_sam.widgets.sentences import Sentences
from napari_sam.widgets.session import scene
from napari_sam.widgets.survey import Survey, Surveying
from napari_sam.widgets.tabs import Tab
from napari_sam.widgets.tile_map import LEGEND

if TYPE_CHECKING:
    import napari

    from napari_sam.embedding.view_queue import ViewQueue

LOOK_MS = 250
LEAST_PAUSE = 10.0
"""Times that a survey took, before the next one: those of large stores are slow."""

NO_CHOICE = "No image is chosen: the buttons below take the topmost."
AHEAD_TIP = (
    "While you look at the image, encode what is under the cursor, then what is on screen, then "
    "what lies around, so that clicks are answered at once."
)
MAP_TIP = (
    "Show over the image which tiles are encoded, at the chosen resolution: orange in memory, "
    "blue on disk, white being encoded now."
)


class EmbeddingsWidget(Tab):
    """Shows which tiles of an image are encoded, and has more of them encoded.

    Only a view: what encodes is the queue of `Ahead`, and what takes long to find out is found out
    in a thread.

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
        self._lane = Lane()
        self._links = Links()
        self._predictor: Predictor | None = None  # that all of this is of
        self._survey: Survey | None = None
        self._chosen_step: float | None = None
        self._news, self._next_survey = "", 0.0
        self._is_new = self._is_stale = True
        self._timer = QTimer(self)
        self._timer.start(LOOK_MS)
        self._build()
        self._link()
        self._ahead.join(self._links)
        self.closed.connect(self._scene.remove_tiles)
        lanes = self._lane, self._place.lane
        self.at_end(partial(_close, self._links, lanes, self._ahead))
        with self._session.telling():
            self._session.adopt_image()
        self._show()

    # The parts

    def _build(self) -> None:
        self._about = Sentences(1)
        self._table = LevelTable()
        self._is_ahead = QCheckBox("Encode ahead")
        self._is_ahead.setToolTip(AHEAD_TIP)
        self._is_ahead.setChecked(self._ahead.is_on)
        self._has_map = QCheckBox("Map")
        self._has_map.setToolTip(MAP_TIP)
        legend = QLabel(LEGEND)
        self._place = PlacePanel(self._session)
        self._forecast, self._status = Sentences(2), Sentences(2)
        self._visible = _button("Visible", "Encode what is on screen, at the chosen resolution.")
        self._plane = _button("Plane", "Encode all of this plane, at the chosen resolution.")
        self._stack = _button("Stack", "Encode all planes, at the chosen resolution.")
        self._pause = _button("Pause", "Encode nothing until you go on; clicks are still answered.")
        self._cancel = _button("Cancel", "Stop; what is encoded stays.")
        self._progress = QProgressBar()

        content = QWidget()
        column = Column(content)
        column.addWidget(self._about)
        column.addWidget(self._table)
        column.addLayout(_row(self._is_ahead, self._has_map, legend))
        column.addWidget(self._place)
        column.addWidget(_title("Encode"))
        column.addLayout(_row(self._visible, self._plane, self._stack))
        column.addLayout(_row(self._progress, self._pause, self._cancel, first=2))
        column.addWidget(self._status)
        column.addWidget(self._forecast)  # texts come last: buttons never move away from the mouse
        column.addStretch(1)
        self.hold(content)

    # Who tells whom

    def _link(self) -> None:
        layers = self._session.viewer.layers
        self._links.add(self._ahead.changed, self._on_changed)
        self._links.add(self._session.layers_changed, self._on_changed)
        self._links.add(layers.events.inserted, self._on_changed)
        self._links.add(layers.events.removed, self._on_removed)
        self._timer.timeout.connect(self._look)
        self._lane.answered.connect(self._on_surveyed)
        self._lane.failed.connect(self._on_failed)
        for lane in (self._lane, self._place.lane):
            lane.warned.connect(self._on_warned)
        self._place.said.connect(self._say)
        self._table.chosen.connect(self._choose_step)
        self._is_ahead.toggled.connect(self._choose_ahead)
        self._has_map.toggled.connect(self._choose_map)
        self._visible.clicked.connect(self._start_visible)
        self._plane.clicked.connect(self._start_plane)
        self._stack.clicked.connect(self._start_stack)
        self._pause.clicked.connect(self._pause_or_resume)
        self._cancel.clicked.connect(self._stop)

    # What the user asks for

    def _choose_step(self, step: float) -> None:
        self._chosen_step = None if step == self._ahead.step else step
        self._on_changed()
        self._look()

    def _choose_ahead(self, is_on: bool) -> None:
        self._ahead.is_on = is_on

    def _choose_map(self, is_on: bool) -> None:
        if is_on:
            self._show_map()
        else:
            self._scene.remove_tiles()

    def _start_visible(self) -> None:
        self._start(lambda queue: self._compute_here(queue, is_visible=True))

    def _start_plane(self) -> None:
        self._start(self._compute_here)

    def _start_stack(self) -> None:
        self._start(lambda queue: queue.compute(steps=[self._step]))

    def _start(self, then: Callable[[ViewQueue], None]) -> None:
        self._news = ""
        self._ahead.begin(then)
        self._show()

    def _compute_here(self, queue: ViewQueue, *, is_visible: bool = False) -> None:
        view = self._ahead.view
        if view is None:  # the status tells why
            return
        queue.compute([view.plane], [self._step], region=view.screen if is_visible else None)

    def _pause_or_resume(self) -> None:
        queue, state = self._ahead.queue, self._ahead.state
        if queue is not None:
            (queue.resume if state and state.is_paused else queue.pause)()

    def _stop(self) -> None:
        if self._ahead.queue is not None:
            self._ahead.queue.cancel()

    # What has been found out

    def _on_changed(self, event: Any = None) -> None:
        self._is_new = self._is_stale = True

    def _look(self) -> None:
        """Show what is new, and find out more if something has changed; but not all the time.

        Nor while nobody sees it. (A dock under another one is still visible to Qt.)
        """
        if self.visibleRegion().isEmpty() and not self._has_map.isChecked():
            return
        is_free = self._lane.current is None and time.monotonic() >= self._next_survey
        is_coming = is_free and self._is_stale and self._find_out()
        if self._is_new and not is_coming:  # what is coming is shown once, with the answer
            self._show()

    def _find_out(self) -> bool:
        """Find out more, in the thread; return whether that will be a survey."""
        predictor, embeddings = self._session.predictor, self._ahead.embeddings
        view = self._ahead.view
        if embeddings is not None and view is not None:
            self._is_stale = False
            self._lane.submit(Surveying(embeddings, view.plane, self._step))
        elif predictor is not None and embeddings is None and not predictor.is_hopeless:
            self._lane.submit(predictor)
        return not self._is_stale

    def _on_surveyed(self, work: Surveying, survey: Survey) -> None:
        self._next_survey = time.monotonic() + LEAST_PAUSE * survey.seconds
        if survey.embeddings is self._ahead.embeddings:
            self._survey = survey
            self._show()

    def _on_failed(self, work: Any, error: Exception) -> None:
        self._say(f"⚠ {error}")

    def _on_warned(self, work: Any, text: str) -> None:
        if (predictor := self._session.predictor) is not None:
            predictor.warn(text)
            self._on_changed()

    def _on_removed(self, event: Any) -> None:
        self._on_changed()
        if event.value is self._scene.tiles.layer:
            self._has_map.setChecked(False)

    # What there is

    @property
    def _step(self) -> float:
        """The resolution that is shown and encoded: the one clicked, or that of the view."""
        return self._chosen_step or self._ahead.step or 1.0

    @property
    def _has_images(self) -> bool:
        return any(iter_images(self._session.viewer))

    def _show(self) -> None:
        self._is_new = False
        self._forget_others()
        layer = self._session.image
        none = NO_CHOICE if self._has_images else NO_IMAGE
        self._about.say(f"{layer.name} · {self._session.model}" if layer else none)
        self._table.show_survey(self._survey, self._ahead.step, self._step)
        self._place.show_survey(self._survey)
        self._show_queue()
        self._show_map()

    def _forget_others(self) -> None:
        """Forget what was said of another image, model or place."""
        before, now = self._predictor, self._session.predictor
        if now is not before:
            self._predictor, self._survey, self._news = now, None, ""
            if before is None or not before.sees_as(now):
                self._chosen_step = None

    def _show_forecast(self, seconds: float | None) -> None:
        survey = self._survey
        level = survey.level(self._step) if survey else None
        has_stack = level is not None and level.n_stack > level.n_plane
        scopes = {"Plane": False, "Stack": True} if has_stack else {"Plane": False}
        ahead = [
            f"{scope}: {foretell(survey, level, of_stack=of_stack, seconds_per_tile=seconds)}"
            for scope, of_stack in scopes.items()
            if survey is not None and level is not None
        ]
        self._forecast.say("\n".join(ahead))
        self._stack.setVisible(has_stack)
        for button in (self._visible, self._plane, self._stack):
            button.setEnabled(self._has_images)

    def _show_queue(self) -> None:
        queue, state = self._ahead.queue, self._ahead.state
        seconds = queue.seconds_per_tile if queue else None
        self._show_forecast(seconds)
        is_going_on = state is not None and 0 <= state.n_done < state.n_total
        self._progress.setRange(0, state.n_total if state and is_going_on else 1)
        self._progress.setValue(state.n_done if state and is_going_on else 0)
        self._progress.setTextVisible(is_going_on)
        self._pause.setEnabled(queue is not None)
        self._pause.setText("Go on" if state and state.is_paused else "Pause")
        self._cancel.setEnabled(is_going_on)
        error = self._ahead.error and f"⚠ {self._ahead.error}"
        doing = describe_queue(state, seconds) if self._session.image else ""
        obstacle = "" if is_going_on else self._ahead.obstacle
        warnings = self._predictor.warnings if self._predictor else ()
        said = self._news, error or obstacle or doing, *warnings
        self._status.say("\n".join(filter(None, said)))

    def _show_map(self) -> None:
        survey, state = self._survey, self._ahead.state
        if not self._has_map.isChecked():
            return
        if survey is None or self._ahead.view is None:
            self._scene.tiles.hide()
            return
        window = state.window if state else None
        is_here = window and (window.plane, window.step) == (survey.plane, survey.step)
        going_on = survey.grid.tile_of(window) if window and is_here else None
        self._scene.show_tiles(survey.plane, survey.grid, survey.states, going_on)

    def _say(self, text: str) -> None:
        self._forget_others()  # now, lest that takes this away
        self._news = text
        self._status.say(text)


def _close(links: Links, lanes: Iterable[Lane], ahead: Ahead, gone: object = None) -> None:
    """Cut what reaches into a dock that is gone, and end what it has begun."""
    links.cut()
    for lane in lanes:
        lane.stop()
    ahead.leave(links)


def _button(title: str, tip: str) -> QPushButton:
    button = QPushButton(title)
    button.setToolTip(tip)
    return button


def _title(text: str) -> QLabel:
    title = QLabel(f"<b>{text}</b>")
    title.setContentsMargins(0, 4, 0, 0)
    return title


def _row(*widgets: QWidget, first: int = 1) -> QHBoxLayout:
    """Put widgets side by side; the first is so many times as wide as the others."""
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget, first if widget is widgets[0] else 1)
    return row
