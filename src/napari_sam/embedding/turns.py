"""Whose turn it is to encode: what somebody waits for comes before what may be asked for later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field

from napari_sam.model.features import Features
from napari_sam.model.interrupt import interruptible


@dataclass(eq=False)
class Encoding:
    """A window that is being encoded, or is about to be.

    Attributes
    ----------
    is_awaited : bool
        Whether somebody waits for it, now or since it began; then it is never given up.
    is_unwanted : callable
        Asked meanwhile if nobody waits: True gives it up.
    in_memory : bool
        Whether its features are kept in memory.
    is_needed : bool
        Whether it turned out that the window really has to be encoded.
    features : Future of Features
        What becomes of it.
    """

    is_awaited: bool = True
    is_unwanted: Callable[[], bool] = lambda: False
    in_memory: bool = True
    is_needed: bool = False
    features: Future[Features] = field(default_factory=Future)


class EncoderTurns:
    """Lets one thread at a time encode.

    An encoding that nobody waits for begins when nobody waits for any other, and gives way in the
    middle as soon as somebody does.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_busy = False
        self._n_awaited = 0  # of those that stand in line

    @contextmanager
    def take(self, encoding: Encoding) -> Iterator[None]:
        """Wait for the encoder, and have it within a ``with`` statement.

        Raises
        ------
        Interrupted
            By the encoder, if the encoding has to give way.
        """

        def is_unwanted() -> bool:
            return not encoding.is_awaited and (self._n_awaited > 0 or encoding.is_unwanted())

        self._stand_in_line(encoding)
        try:
            with interruptible(is_unwanted):
                yield
        finally:
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _stand_in_line(self, encoding: Encoding) -> None:
        def is_next() -> bool:
            return not self._is_busy and (encoding.is_awaited or self._n_awaited == 0)

        was_awaited = encoding.is_awaited  # somebody may begin to wait in between
        with self._changed:
            self._n_awaited += was_awaited
            try:
                self._changed.wait_for(is_next)
                self._is_busy = True
            finally:
                self._n_awaited -= was_awaited
                self._changed.notify_all()
