"""Whose turn it is to encode: what somebody waits for comes before what may be asked for later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple

from napari_sam.embedding.underway import Underway
from napari_sam.model.features import Features
from napari_sam.model.interrupt import Interrupted, interruptible, unwanted

NOBODY, A_PREVIEW, SOMEBODY = range(3)
"""Who waits for a window; the higher goes first."""

LOOK_SECONDS = 0.05
"""How often those in line look who waits for what: that changes without notice."""

_who: ContextVar[int] = ContextVar("who", default=SOMEBODY)


@contextmanager
def previewing() -> Iterator[None]:
    """Let others in this process go first, within a ``with`` statement, in this thread alone."""
    token = _who.set(A_PREVIEW)
    try:
        yield
    finally:
        _who.reset(token)


class Waiter(NamedTuple):
    """A thread that waits for a window.

    Attributes
    ----------
    is_gone : callable
        Tells whether it wants that no more.
    who : int
        `SOMEBODY`, or `A_PREVIEW` within `previewing`.
    """

    is_gone: Callable[[], bool]
    who: int

    @classmethod
    def here(cls) -> Waiter:
        """Return this thread."""
        return cls(unwanted(), _who.get())


@dataclass(eq=False)
class Encoding:
    """A window that is being encoded, or is about to be.

    Attributes
    ----------
    waiting : list of Waiter
        Who has asked for it. While one wants it, it gives way only to who goes first.
    is_unwanted : callable
        Asked meanwhile if nobody waits: True gives it up.
    in_memory : bool
        Whether its features are kept in memory.
    is_needed : bool
        Whether it turned out that the window really has to be encoded.
    features : Future of Features
        What becomes of it.
    """

    waiting: list[Waiter] = field(default_factory=list)
    is_unwanted: Callable[[], bool] = lambda: True
    in_memory: bool = True
    is_needed: bool = False
    features: Future[Features] = field(default_factory=Future)

    @property
    def urgency(self) -> int:
        """Who waits for it, of several the one that goes first."""
        still_there = [one.who for one in tuple(self.waiting) if not one.is_gone()]
        return max(still_there, default=NOBODY)

    @property
    def is_deserted(self) -> bool:
        """Whether somebody asked for it, and nobody wants it any more."""
        return len(self.waiting) > 0 and self.urgency == NOBODY


class EncoderTurns:
    """Lets one thread at a time encode.

    An encoding begins when there is none more urgent, and gives way in the middle as soon as there
    is one.

    Parameters
    ----------
    n_stops : int
        How often the encoder asks whether to give way, for each window; 0: not known.

    Attributes
    ----------
    underway : Underway or None
        What is being encoded now.
    """

    def __init__(self, n_stops: int = 0) -> None:
        self.underway: Underway | None = None
        self._n_stops = n_stops
        self._usual_seconds: float | None = None
        self._changed = threading.Condition()
        self._is_busy = False
        self._line: list[Encoding] = []

    @contextmanager
    def take(self, encoding: Encoding) -> Iterator[None]:
        """Wait for the encoder, and have it within a ``with`` statement.

        Raises
        ------
        Interrupted
            By the encoder, if the encoding has to give way; or before its turn, if it is deserted.
        """

        def is_unwanted() -> bool:
            underway.note_stop()
            if self._is_overtaken(encoding):
                return True
            return encoding.urgency == NOBODY and encoding.is_unwanted()

        self._stand_in_line(encoding)
        underway = self.underway = Underway(
            self._n_stops, self._usual_seconds, lambda: encoding.urgency > NOBODY
        )
        try:
            with interruptible(is_unwanted):
                yield
            self._usual_seconds = underway.seconds
        finally:
            self.underway = None
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _stand_in_line(self, encoding: Encoding) -> None:
        def is_next() -> bool:
            return not self._is_busy and not self._is_overtaken(encoding)

        with self._changed:
            self._line.append(encoding)
            try:
                while not (encoding.is_deserted or is_next()):
                    self._changed.wait(LOOK_SECONDS)
                if encoding.is_deserted:
                    raise Interrupted
                self._is_busy = True
            finally:
                self._line.remove(encoding)
                self._changed.notify_all()

    def _is_overtaken(self, encoding: Encoding) -> bool:
        """Whether something more urgent stands in line."""
        line = tuple(self._line)
        return bool(line) and max(other.urgency for other in line) > encoding.urgency
