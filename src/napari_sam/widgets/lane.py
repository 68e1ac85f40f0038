"""Work off the main thread: one request at a time, and of those that wait only the latest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol

from qtpy.QtCore import QObject, Signal
from superqt.utils import GeneratorWorker, create_worker


class Work(Protocol):
    """Something to do in a thread, complete in itself."""

    def iter_answer(self) -> Iterator[Any]:
        """Yield what is being done, a sentence at a time, and at last the answer, if any."""


class Lane(QObject):
    """Does work in a thread; all signals arrive on the main thread.

    A request for a click holds all clicks before it, so to keep only the latest of those that wait
    loses none.
    """

    progressed = Signal(str)
    answered = Signal(object, object)
    failed = Signal(object, object)
    idle = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._current: Work | None = None
        self._next: Work | None = None
        self._worker: GeneratorWorker[Any, None, None] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether there is work going on."""
        return self._current is not None

    def submit(self, work: Work) -> None:
        """Have something done, as soon as what is going on has ended."""
        self._next = work
        if self._current is None:
            self._start()

    def stop(self) -> None:
        """Forget all work; what is going on ends unheard."""
        self._next = self._current = None
        if self._worker is not None:
            with suppress(TypeError):  # Qt has cut them itself, if the dock is gone already
                self._worker.yielded.disconnect(self._on_yielded)
                self._worker.finished.disconnect(self._on_finished)
            self._worker.quit()
            self._worker = None

    def _start(self) -> None:
        self._current, self._next = self._next, None
        if self._current is None:
            self._worker = None
            self.idle.emit()
            return
        self._worker = create_worker(_run, self._current, _ignore_errors=True)
        self._worker.yielded.connect(self._on_yielded)
        self._worker.finished.connect(self._on_finished)
        self._worker.start()

    def _on_yielded(self, news: Any) -> None:
        if isinstance(news, str):
            self.progressed.emit(news)
        elif isinstance(news, Exception):
            self.failed.emit(self._current, news)
        else:
            self.answered.emit(self._current, news)

    def _on_finished(self, nothing: None = None) -> None:
        self._start()


def _run(work: Work) -> Iterator[Any]:
    """Do the work; an error comes out like an answer, as workers would swallow some kinds."""
    try:
        yield from work.iter_answer()
    except Exception as error:
        yield error
