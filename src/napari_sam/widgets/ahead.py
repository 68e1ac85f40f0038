"""Encoding ahead of the user: a queue is told what is looked at, and docks what it does."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from napari_sam.widgets.cores import apply_cores
from napari_sam.widgets.lane import Lane
from napari_sam.widgets.links import Links
from napari_sam.widgets.looking import step_to_look, view_of
from napari_sam.widgets.main_thread import main_thread
from napari_sam.widgets.overheard import overhearing
from napari_sam.widgets.predictor import Predictor, Request
from napari_sam.widgets.session import session

if TYPE_CHECKING:
    from napari_sam.embedding import Embeddings
    from napari_sam.embedding.view import View
    from napari_sam.embedding.view_queue import QueueState, ViewQueue
    from napari_sam.widgets.segment_session import SegmentSession

LOOK_MS = 60
"""How often the queue is told where the user looks, at most."""

BUDGET_BYTES = 1 << 30
"""Of features around a view; those of the store count too, if there is one."""


class Ahead:
    """Has tiles encoded before they are asked for, in one viewer.

    Begins when something is first asked of the model, by the mouse or by a button: nothing is
    computed for an image that is only looked at. Use on the main thread.

    Parameters
    ----------
    session : SegmentSession
        Whose image and model it is.

    Attributes
    ----------
    queue : ViewQueue or None
        None before the beginning, and while model and image are being opened.
    state : QueueState or None
        What the queue does.
    error : str
        Why model or image could not be opened.
    """

    changed = Signal()
    """Emitted when there is something new to tell: of the queue, of tiles, or of the view."""

    def __init__(self, session: SegmentSession) -> None:
        self._session = session
        self._links = Links()
        self._lane: Lane | None = None
        self._docks: set[object] = set()
        self._is_on, self._is_about_to_look = True, False
        self._predictor: Predictor | None = None
        self._then: Callable[[ViewQueue], None] | None = None
        self.queue: ViewQueue | None = None
        self.state: QueueState | None = None
        self.error = ""

    # The docks that it works for

    def join(self, dock: object) -> None:
        """Work for one more dock, or whatever stands for it."""
        self._docks.add(dock)
        if self._lane is not None:
            return
        viewer, link = self._session.viewer, self._links.add
        self._lane = Lane()
        self._lane.idle.connect(self._on_open)
        self._lane.failed.connect(self._on_failed)
        self._lane.warned.connect(self._on_warned)
        link(self._session.asked, self._on_asked)
        self._session.n_onlookers += 1
        link(self._session.layers_changed, self._on_choice)
        for signal in (
            viewer.scene.camera.events.zoom,
            viewer.scene.camera.events.center,
            viewer.canvas.events.size,
            viewer.dims.events.point,
            viewer.dims.events.ndisplay,
            viewer.dims.events.order,
            viewer.cursor.events.position,
        ):
            link(signal, self._look_soon)

    def leave(self, dock: object) -> None:
        """Work for one dock less; without any, all ends."""
        self._docks.discard(dock)
        if not self._docks and self._lane is not None:
            self._links.cut()
            self._session.n_onlookers -= 1
            self._lane.stop()
            self._lane = None
            self._end()

    # What there is

    @property
    def embeddings(self) -> Embeddings | None:
        """Those of the image and the model chosen; None while they have not been opened."""
        predictor = self._session.predictor
        return None if predictor is None else predictor.embeddings

    @property
    def step(self) -> float | None:
        """Step of the windows that a click looks through now; None if it cannot be told."""
        embeddings, session = self.embeddings, self._session
        if embeddings is None:
            return None
        try:
            return step_to_look(embeddings, session.step_now, session.object_diameter)
        except ValueError:  # of objects too large to be looked at
            return None

    @property
    def view(self) -> View | None:
        """What the user looks at; None in 3-D, before there are embeddings, or without an image."""
        try:
            return self._find_view()
        except ValueError:  # of 3-D, and of axes that are not the image's
            return None

    @property
    def obstacle(self) -> str:
        """Why there is no view of an image that has been opened; a sentence, or nothing."""
        try:
            self._find_view()
        except ValueError as error:
            return str(error)
        return ""

    def _find_view(self) -> View | None:
        layer, embeddings, session = self._session.image, self.embeddings, self._session
        if layer is None or embeddings is None:
            return None
        step = step_to_look(embeddings, session.step_now, session.object_diameter)
        return view_of(session.viewer, layer, step)

    @property
    def is_on(self) -> bool:
        """Whether tiles around the view are encoded without being asked for."""
        return self._is_on

    @is_on.setter
    def is_on(self, is_on: bool) -> None:
        self._is_on = is_on
        self._look_soon()

    # Beginning and ending

    def begin(self, then: Callable[[ViewQueue], None] | None = None) -> None:
        """Open model and image, if that has not been done; then look, and do what is asked for.

        Parameters
        ----------
        then : callable, optional
            Called with the queue, as soon as there is one. Of several, only the last.
        """
        with self._session.telling():
            self._session.adopt_image()
        predictor = self._session.predictor
        if predictor is None or self._lane is None:
            return
        self._then = then or self._then
        if predictor is not self._predictor:
            self._end()
            self._predictor, self._then = predictor, then
            self._lane.submit(predictor)
        elif self.queue is not None:
            self._go_on()
        elif self._lane.current is None:
            self._lane.submit(predictor)

    def _on_asked(self, work: Any) -> None:
        if isinstance(work, Request) and work.predictor is not self._predictor:
            self.begin()

    def _on_choice(self) -> None:
        before, now = self._predictor, self._session.predictor
        if before is not None and now is not before:
            self._end()
            if before.sees_as(now):
                self.begin()
        self._look_soon()

    def _end(self) -> None:
        if self._lane is not None:
            self._lane.abandon()
        if self.queue is not None:
            self.queue.stop()
        self.queue = self.state = self._predictor = self._then = None
        self.error = ""
        self.changed.emit()

    def _on_failed(self, predictor: Predictor, error: Exception) -> None:
        self.error = str(error) or type(error).__name__
        self._then = None
        self.changed.emit()

    def _on_warned(self, predictor: Predictor, text: str) -> None:
        predictor.warn(text)
        self.changed.emit()

    def _on_open(self) -> None:
        embeddings, predictor = self.embeddings, self._predictor
        if embeddings is None or predictor is None or predictor is not self._session.predictor:
            return
        from napari_sam.embedding.view_queue import ViewQueue

        self.error = ""
        tell = partial(_tell, weakref.ref(self), weakref.ref(embeddings))
        warn = partial(_warn, weakref.ref(self), weakref.ref(predictor))
        self.queue = ViewQueue(
            embeddings,
            budget_bytes=BUDGET_BYTES,
            on_encoded=lambda window: tell(None),
            on_state=tell,
            within=overhearing(warn),
        )
        self._go_on()

    def _go_on(self) -> None:
        self._look()
        then, self._then = self._then, None
        if then is not None and self.queue is not None:
            then(self.queue)

    # Looking and hearing

    def _look_soon(self, event: Any = None) -> None:
        if not self._is_about_to_look:
            self._is_about_to_look = True
            QTimer.singleShot(LOOK_MS, self._look)

    def _look(self) -> None:
        self._is_about_to_look = False
        if self.queue is not None:
            self.queue.look(self.view if self._is_on else None)
        self.changed.emit()

    def _hear(self, embeddings: Embeddings, state: QueueState | None) -> None:
        if self.queue is None or embeddings is not self.embeddings:
            return
        self.state = state or self.state
        self.changed.emit()


def _tell(
    ahead: weakref.ref[Ahead], embeddings: weakref.ref[Embeddings], state: QueueState | None
) -> None:
    """Let the main thread hear what the queue of some embeddings has done; called in its thread."""
    if (encoding := embeddings()) is not None:
        apply_cores(encoding.model)

    def hand_over() -> None:
        listener, source = ahead(), embeddings()
        if listener is not None and source is not None:
            listener._hear(source, state)

    main_thread().call(hand_over)


def _warn(ahead: weakref.ref[Ahead], predictor: weakref.ref[Predictor], text: str) -> None:
    """Let the main thread hear what the queue of a predictor warns of; called in its thread."""

    def hand_over() -> None:
        listener, about = ahead(), predictor()
        if listener is not None and about is not None:
            listener._on_warned(about, text)

    main_thread().call(hand_over)


_ALL: weakref.WeakKeyDictionary[Any, Ahead] = weakref.WeakKeyDictionary()


def ahead(viewer: Any) -> Ahead:
    """Return what encodes ahead in a viewer; makes it when first asked."""
    of_session = session(viewer)
    if of_session.viewer not in _ALL:
        _ALL[of_session.viewer] = Ahead(of_session)
    return _ALL[of_session.viewer]
