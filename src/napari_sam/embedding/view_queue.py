"""Encodes tiles before they are asked for, those that the user looks at first."""

from __future__ import annotations

import atexit
import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from statistics import median
from typing import Any, TypeVar
from weakref import WeakSet

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.embedding.job import Job
from napari_sam.embedding.selection import Selection
from napari_sam.embedding.view import View, count_in_view, view_order
from napari_sam.image.window import Window
from napari_sam.model.interrupt import Interrupted

T = TypeVar("T")

LEAVE_SECONDS = 5.0
"""How long the end of the program waits for an encoder that is about to give way."""


@dataclass(frozen=True)
class QueueState:
    """What a `ViewQueue` does at the moment.

    Attributes
    ----------
    window : Window or None
        What is being encoded now.
    around : tuple of 2 ints
        Which of the tiles around the view that is, from 1, and how many there will be: first those
        on screen, then all that memory is kept for. (0, 0): it is one of the job.
    n_done, n_total : int
        Tiles of the job that are encoded, and all of them; ``n_total`` is 0 without a job. A job
        that is done stays until the next one (``n_done == n_total``).
    is_paused : bool
        Whether nothing is encoded until `ViewQueue.resume`.
    reason : str
        Why nothing is being encoded, in words to be shown, such as "all tiles around the view are
        encoded"; empty while something is.
    error : str
        What went wrong last, a sentence; empty again after `resume`, `compute` or `cancel`.
    """

    window: Window | None = None
    around: tuple[int, int] = (0, 0)
    n_done: int = 0
    n_total: int = 0
    is_paused: bool = False
    reason: str = ""
    error: str = ""


@dataclass(frozen=True, eq=False)
class _Wishes:
    """What was asked of a queue last; a new object with every wish."""

    view: View | None = None
    select: Callable[[], Selection] | None = None
    complaint: str = ""
    n_retries: int = 0
    is_paused: bool = False
    is_stopped: bool = False


class ViewQueue:
    """A thread that encodes what the user looks at, then what may be looked at next.

    It goes through the tiles as `view_order` tells, under the cursor, on screen, then neighbors,
    until their features take `budget_bytes` (those that are encoded already count too). All of them
    are then in memory, and in the store, if there is one. A job that somebody asked for (`compute`)
    comes after what is on screen, and before its neighbors.

    Whoever calls ``embeddings.features`` goes first: what the queue encodes gives way, and is
    encoded later. All methods return at once, and may be called from any thread.

    Parameters
    ----------
    embeddings : Embeddings
        Of the image.
    budget_bytes : int
        Bound of the features around a view, and of those of a job without a store. Never more than
        the memory of the embeddings, so that what is on screen is not forgotten for the rest.
    on_encoded : callable
        Called with every tile that the queue has encoded; on the thread of the queue, like
        `on_state`. Neither is called any more after `stop` (though a call may be going on then).
        Their errors go to `threading.excepthook`, and the queue goes on.
    on_state : callable
        Called with the state whenever it has changed.
    within : context manager, optional
        Entered by the thread for as long as it lives: what listens to its warnings, for example.

    Attributes
    ----------
    state : QueueState
        As told last.
    seconds_per_tile : float or None
        What a tile took lately, reading included; None before the first one.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        *,
        budget_bytes: int,
        on_encoded: Callable[[Window], object] = lambda window: None,
        on_state: Callable[[QueueState], object] = lambda state: None,
        within: AbstractContextManager[object] | None = None,
    ) -> None:
        self.state = QueueState()
        self.seconds_per_tile: float | None = None
        self._seconds: deque[float] = deque(maxlen=9)
        self._embeddings = embeddings
        self._budget_bytes = min(budget_bytes, embeddings.memory.max_bytes)
        self._on_encoded = on_encoded
        self._on_state = on_state
        self._within = within or nullcontext()
        self._changed = threading.Condition()
        self._wishes = self._heeded = self._judged = _Wishes()
        self._job: Job | None = None
        self._failed: set[Window] = set()
        self._thread = threading.Thread(target=self._run, name="napari-sam queue", daemon=True)
        _queues.add(self)
        self._thread.start()

    def look(self, view: View | None) -> None:
        """Tell what the user looks at now; None: nothing, so that only a job goes on.

        The tile under the cursor overtakes what is going on, and so do tiles on screen if that is
        off screen. A view of a plane that does not exist is told as `QueueState.error`.
        """
        complaint = ""
        try:
            self._count_near(view)
            if view is not None:
                self._embeddings.image.normalize_plane(view.plane)
        except (TypeError, ValueError) as error:
            view, complaint = None, str(error)
        if (view, complaint) != (self._wishes.view, self._wishes.complaint):
            self._wish(view=view, complaint=complaint)

    def compute(
        self,
        planes: int | Iterable[int | tuple[int, ...]] | None = None,
        steps: float | Iterable[float] | None = None,
        *,
        region: tuple[float, float, float, float] | None = None,
    ) -> None:
        """Encode tiles, as a job that takes the place of the one before.

        What stands in its way (no such plane, no store and too little memory, a full disk) is told
        as `QueueState.error`, and the job rests until `resume`.

        Parameters
        ----------
        planes : int, or iterable of int or tuple of int, optional
            Default: all planes, the whole stack. The visible one is ``[view.plane]``.
        steps : float or iterable of float, optional
            Default: the base step.
        region : tuple of 4 floats, optional
            Only tiles whose cores touch (y0, x0, y1, x1), in level-0 pixels, as `View.screen`.
            Default: whole planes.
        """
        select = partial(Selection, self._embeddings, planes, steps, region)
        self._wish(select=select, is_retry=True)

    def pause(self) -> None:
        """Encode nothing until `resume`; what is going on gives way at once."""
        self._wish(is_paused=True)

    def resume(self) -> None:
        """Go on after `pause`, and try again what has failed."""
        self._wish(is_paused=False, is_retry=True)

    def cancel(self) -> None:
        """Drop the job, at once; the view's tiles go on."""
        self._wish(select=None, is_retry=True)

    def stop(self) -> None:
        """End the thread, for good; it ends by itself, and begins no further tile."""
        self._wish(is_stopped=True)

    def _wish(self, *, is_retry: bool = False, **changes: Any) -> None:
        with self._changed:
            n_retries = self._wishes.n_retries + is_retry
            self._wishes = replace(self._wishes, n_retries=n_retries, **changes)
            self._changed.notify_all()

    def _run(self) -> None:
        with self._within:
            self._fulfil_wishes()

    def _fulfil_wishes(self) -> None:
        while True:
            with self._changed:
                while self._wishes is self._heeded:
                    self._changed.wait()
                before, self._heeded = self._heeded, self._wishes
            self._judged = self._heeded
            if self._heeded.is_stopped:
                return
            self._heed(before, self._heeded)
            while self._wishes is self._heeded and not self._heeded.is_paused:
                with suppress(Interrupted):  # by other wishes, or by who needed the encoder first
                    self._go_through(self._heeded.view)
                    break

    def _heed(self, before: _Wishes, wishes: _Wishes) -> None:
        """Do what new wishes mean for the job and for what has failed."""
        self._tell(
            window=None, is_paused=wishes.is_paused, reason="paused" if wishes.is_paused else ""
        )
        if (wishes.n_retries, wishes.complaint) != (before.n_retries, before.complaint):
            self._failed.clear()
            self._tell(error=wishes.complaint)
        try:
            if wishes.select is not before.select:
                self._job = None
                if wishes.select is not None:
                    self._job = Job(self._embeddings, wishes.select(), self._budget_bytes)
            elif self._job is not None and wishes.n_retries != before.n_retries:
                self._job.retry()
        except (OSError, TypeError, ValueError) as error:
            self._tell(error=str(error))
        self._tell_progress()

    def _go_through(self, view: View | None) -> None:
        """Encode all that is wanted, one after the other.

        Raises
        ------
        Interrupted
            If it has to be begun again.
        """
        n_around = 0
        around, n_near = self._iter_around(view), self._count_near(view)
        for window in islice(around, n_near):
            n_around += 1
            self._encode(window, (n_around, n_near))
        while (job := self._job) and job.window and not job.has_failed:
            self._encode(job.window, job=job)
        for window in around:
            if self._embeddings.tile_bytes is None:  # none on screen: these would fail too
                break
            n_around += 1
            self._encode(window, (n_around, max(n_around, self._n_affordable)))
        more_bytes = (n_around + 1) * (self._embeddings.tile_bytes or 0)
        self._tell(
            window=None,
            reason="nothing is on screen"
            if not n_around
            else "what is on screen cannot be encoded"
            if self._embeddings.tile_bytes is None
            else "as many tiles around the view are encoded as memory is kept for"
            if more_bytes > self._budget_bytes
            else "all tiles around the view are encoded",
        )

    def _iter_around(self, view: View | None) -> Iterator[Window]:
        """Yield the tiles that a view wants, in order, one at least, while the budget lasts."""
        nbytes = 0
        for window in view_order(self._embeddings, view) if view else ():
            yield window
            tile_bytes = self._embeddings.tile_bytes or 0
            nbytes += tile_bytes
            if nbytes + tile_bytes > self._budget_bytes:
                return

    @property
    def _n_affordable(self) -> int:
        """How many tiles around a view memory is kept for; of small images, there are not more."""
        embeddings, view = self._embeddings, self._heeded.view
        if view is None:
            return 0
        n_tiles = math.prod((*embeddings.grid(view.step).tiles, *embeddings.image.plane_shape))
        return min(n_tiles, self._budget_bytes // (embeddings.tile_bytes or 1))

    def _count_near(self, view: View | None) -> int:
        return count_in_view(self._embeddings.grid(view.step), view) if view else 0

    def _encode(
        self, window: Window, place: tuple[int, int] = (0, 0), *, job: Job | None = None
    ) -> None:
        if self._wishes is not self._heeded:
            raise Interrupted
        if job is None and window in self._failed:
            return
        started = time.perf_counter()
        try:
            if not self._embeddings.is_encoded(window):
                self._tell(window=window, around=place, reason="")
            if job is not None:
                job.check()
            is_new = self._embeddings.prefetch(
                window, is_unwanted=partial(self._is_unwanted, window, job), in_memory=job is None
            )
            if job is not None:
                job.advance()
            elif is_new and self._job is not None:
                self._job.note(window)
        except Interrupted:
            raise
        except Exception as error:  # of whatever kind of array it is
            self._failed.add(window)
            if job is not None:
                job.has_failed = True
            self._tell(error=str(error) or type(error).__name__)
            return
        if is_new:
            self._seconds.append(time.perf_counter() - started)
            self.seconds_per_tile = median(self._seconds)
            self._call(self._on_encoded, window)
        self._tell_progress()

    def _is_unwanted(self, window: Window, job: Job | None) -> bool:
        """Whether what is being encoded is to be given up; judges new wishes once."""
        wishes = self._wishes
        if wishes is self._judged:
            return False
        self._judged = wishes
        if wishes.is_stopped or wishes.is_paused:
            return True
        if job is not None and wishes.select is not self._heeded.select:
            return True
        if job is None and wishes.view is None:
            return True
        near = list(islice(self._iter_around(wishes.view), self._count_near(wishes.view)))
        if window in near:  # then only the tile under the cursor is wanted more
            near = near[:1] if wishes.view and wishes.view.cursor else []
        return any(
            not (other == window or other in self._failed or self._embeddings.is_encoded(other))
            for other in near
        )

    def _tell_progress(self) -> None:
        done, total = (self._job.n_done, self._job.n_total) if self._job else (0, 0)
        self._tell(n_done=done, n_total=total)

    def _tell(self, **changes: Any) -> None:
        state = replace(self.state, **changes)
        if state != self.state and not self._wishes.is_stopped:
            self.state = state
            self._call(self._on_state, state)

    def _call(self, callback: Callable[[T], object], told: T) -> None:
        """Call back, unless the queue is stopped; an error there does not end the queue."""
        if self._wishes.is_stopped:
            return
        try:
            callback(told)
        except Exception:
            threading.excepthook(
                threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread()))
            )


_queues: WeakSet[ViewQueue] = WeakSet()


@atexit.register
def _stop_all() -> None:
    """Let encoders give way before Python itself ends, which threads must not outlive."""
    last = time.monotonic() + LEAVE_SECONDS
    for queue in list(_queues):
        queue.stop()
    for queue in list(_queues):
        queue._thread.join(max(0, last - time.monotonic()))
