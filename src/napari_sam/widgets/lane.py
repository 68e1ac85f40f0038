"""Work off the main thread: one request at a time, and of those that wait mostly the latest."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from weakref import WeakMethod

from qtpy.QtCore import QObject, Signal

from napari_sam.model.interrupt import Interrupted, interruptible
from napari_sam.widgets.main_thread import main_thread
from napari_sam.widgets.overheard import overhearing


class Work(Protocol):
    """Something to do in a thread, complete in itself."""

    def iter_answer(self) -> Iterator[Any]:
        """Yield what is being done, a sentence at a time, and at last the answer, if any.

        A better answer may follow one that `is_tentative`, unless something else waits then.
        """


@dataclass(frozen=True)
class Warned:
    """A warning that was given meanwhile."""

    text: str


class Ended:
    """Work is done; nothing more is heard of it."""


class Lane(QObject):
    """Does work in a thread of its own; all signals are emitted on the main thread.

    A request for a click holds all clicks before it, so to keep only the latest of those that wait
    loses none. The thread knows no object of Qt but the `main_thread`, which outlives it.

    Parameters
    ----------
    keeps_all : bool
        Whether all that waits is done, one after the other, as for work that is no later state of
        what came before.
    """

    progressed = Signal(str)
    answered = Signal(object, object)
    failed = Signal(object, object)
    warned = Signal(object, str)
    idle = Signal()

    def __init__(self, *, keeps_all: bool = False) -> None:
        super().__init__()
        main_thread()
        self._waiting: deque[Work] = deque(maxlen=None if keeps_all else 1)
        self._begin()

    def _begin(self) -> None:
        self._current: Work | None = None
        self._doing = ""
        self._is_stopped, self._has_news = threading.Event(), threading.Event()
        self._thread = ThreadPoolExecutor(1, "napari-sam")

    @property
    def current(self) -> Work | None:
        """The work going on, if any."""
        return self._current

    @property
    def doing(self) -> str:
        """What the work going on has said last of what it does, if anything."""
        return self._doing

    @property
    def works(self) -> list[Work]:
        """The work going on, and what waits."""
        return [*filter(None, [self._current]), *self._waiting]

    def submit(self, work: Work) -> None:
        """Have something done, as soon as what is going on has ended."""
        self._waiting.append(work)
        self._has_news.clear()
        if self._current is None:
            self._start()

    def give_way(self, seconds: float) -> None:
        """Let the thread work undisturbed until it has news; not if it has told what it is doing.

        For work that is shorter than what the main thread would do meanwhile. Python runs in one
        thread at a time, and PyQt keeps that right while it draws a window, so a network, which
        needs Python between any two layers, would stand still all the while. What tells that it
        encodes, or opens something, takes longer than that.

        Parameters
        ----------
        seconds : float
            At most so long: the main thread does nothing then.
        """
        if not self._doing:
            self._has_news.wait(seconds)

    def drop_waiting(self) -> list[Work]:
        """Forget the work that waits, and return it; what is going on is done."""
        dropped = list(self._waiting)
        self._waiting.clear()
        return dropped

    def abandon(self) -> None:
        """Forget all work, so that the next need not wait; what is going on ends unheard.

        It ends at its next news; an encoder in the middle of a window, between two of its blocks.
        """
        self.stop()
        self._begin()

    def stop(self) -> None:
        """Forget all work, for good; what is going on ends unheard."""
        self._waiting.clear()
        self._current, self._doing = None, ""
        self._is_stopped.set()
        self._thread.shutdown(wait=False)

    def _start(self) -> None:
        self._current, self._doing = self._waiting.popleft() if self._waiting else None, ""
        if self._current is None:
            self.idle.emit()
        elif not self._is_stopped.is_set():
            tell = partial(_tell, WeakMethod(self._hear), self._is_stopped, self._has_news)
            self._thread.submit(_run, self._current, tell, self._is_stopped, self._waiting)

    def _hear(self, news: Any) -> None:
        if isinstance(news, Ended):
            self._start()
        elif isinstance(news, str):
            self._doing = news
            self.progressed.emit(news)
        elif isinstance(news, Warned):
            self.warned.emit(self._current, news.text)
        elif isinstance(news, Exception):
            self.failed.emit(self._current, news)
        else:
            self.answered.emit(self._current, news)


def _run(
    work: Work,
    tell: Callable[[Any], None],
    is_stopped: threading.Event,
    waiting: Collection[Work],
) -> None:
    """Do the work, in the thread; ends early if nobody is left to hear of it.

    If something else waits, a tentative answer is good enough.
    """

    def is_unwanted() -> bool:
        return is_stopped.is_set() or not threading.main_thread().is_alive()

    with overhearing(lambda text: tell(Warned(text))), interruptible(is_unwanted):
        try:
            for news in work.iter_answer():
                tell(news)
                if is_unwanted():
                    return
                if waiting and getattr(news, "is_tentative", False):
                    break
        except Interrupted:
            return
        except Exception as error:
            tell(error)
    tell(Ended())


def _tell(
    hear: WeakMethod[Callable[[Any], None]],
    is_stopped: threading.Event,
    has_news: threading.Event,
    news: Any,
) -> None:
    """Let the main thread hear some news, if the lane is still there and wants to."""

    def hand_over() -> None:
        method = hear()
        if method is not None and not is_stopped.is_set():
            method(news)

    main_thread().call(hand_over)
    has_news.set()
