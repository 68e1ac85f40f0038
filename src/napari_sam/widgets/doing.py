"""What the threads of the dock Segment do: in a sentence, how far it is, and how to stop it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_sam.widgets.chore import Chore
from napari_sam.widgets.draft import SEGMENTING
from napari_sam.widgets.pace import time_text
from napari_sam.widgets.predictor import Request

if TYPE_CHECKING:
    from napari_sam.embedding.underway import Underway
    from napari_sam.embedding.view_queue import QueueState
    from napari_sam.widgets.ahead import Ahead
    from napari_sam.widgets.lanes import Lanes

PATIENCE_S = 0.3
"""What ends sooner is not told of."""

WORKING = "Working …"

STOP_TIP = "Stop. The object stays as it was before your last prompt. Escape does it too."
STOP_WORK_TIP = "Stop this; nothing changes."
STOP_PART_TIP = "Stop; what has been found so far is kept, as one step. Escape does it too."
STOP_AHEAD_TIP = (
    "Encode nothing any more before you click there. 'Encode ahead' under Advanced begins again."
)
STOP_JOB_TIP = "Stop; what is encoded stays."


@dataclass(frozen=True)
class Doing:
    """What is being done.

    Attributes
    ----------
    text : str
        A sentence.
    share : float or None
        How much of it is done, 0 to 1; None: not known.
    stop : callable or None
        Stops it; None: it cannot be stopped.
    stop_tip : str
        What that means, a sentence.
    """

    text: str
    share: float | None = None
    stop: Callable[[], object] | None = None
    stop_tip: str = ""


class Watch:
    """Looks at what is being done, as often as somebody wants to know.

    Parameters
    ----------
    lanes : Lanes
        That answer what is asked.
    ahead : Ahead
        What encodes before that.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self, lanes: Lanes, ahead: Ahead, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._lanes, self._ahead, self._clock = lanes, ahead, clock
        self._seen: object = None
        self._since = 0.0
        self._window: Underway | None = None
        self._n_windows = 0

    def look(self) -> Doing | None:
        """Return what is being done, if anything has been for a while."""
        lane, state = self._lanes.busy, self._ahead.state
        is_ahead = lane is None and state is not None and state.window is not None
        seen = lane.current if lane is not None else "ahead" if is_ahead else None
        if seen is not self._seen:
            self._seen, self._since = seen, self._clock()
            self._window, self._n_windows = None, 0
        if isinstance(seen, Request):
            self._count_windows()
        if seen is None or self._clock() - self._since < PATIENCE_S:
            return None
        if lane is None:
            return None if state is None else self._encoding_ahead(state)
        if isinstance(seen, Request):
            return self._answering(seen, lane.doing)
        if not isinstance(seen, Chore):
            return Doing(lane.doing or WORKING)
        tip = STOP_PART_TIP if seen.keeps_part else STOP_WORK_TIP
        return Doing(lane.doing or WORKING, None, self._stop_seen, tip)

    @property
    def complaint(self) -> str:
        """Why nothing is encoded ahead; a sentence, or nothing."""
        state = self._ahead.state
        return f"Encoding ahead: {state.error}" if state is not None and state.error else ""

    @property
    def _underway(self) -> Underway | None:
        embeddings = self._ahead.embeddings
        return None if embeddings is None else embeddings.underway

    def _count_windows(self) -> None:
        """Note which window of a question it is that is being encoded."""
        underway = self._underway
        if underway is not None and not underway.is_awaited:
            underway = None  # it is about to give way
        self._n_windows += underway is not None and underway is not self._window
        self._window = underway

    def _answering(self, request: Request, said: str) -> Doing:
        text, share = said or SEGMENTING, None
        if self._window is not None:
            share, left = _how_far(self._window)
            text = _with_time(f"Encoding tile {self._n_windows}", left)
        if request.is_hover:
            return Doing(text, share, self._stop_ahead, STOP_AHEAD_TIP)
        return Doing(text, share, self._stop_seen, STOP_TIP)

    def _encoding_ahead(self, state: QueueState) -> Doing:
        nth, n = state.around
        stop, tip = self._stop_ahead, STOP_AHEAD_TIP
        if nth == 0 and state.n_done < state.n_total:
            nth, n = state.n_done + 1, state.n_total
            stop, tip = self._stop_job, STOP_JOB_TIP
        share, left = _how_far(self._underway)
        each = None if self._ahead.queue is None else self._ahead.queue.seconds_per_tile
        if each is not None:
            left = (each if left is None else left) + (n - nth) * each
        elif n > nth:
            left = None
        text = _with_time(f"Encoding tile {nth:,}/{n:,} ahead", left)
        return Doing(text, (nth - 1 + (share or 0)) / max(n, 1), stop, tip)

    def _stop_seen(self) -> None:
        """Stop what was seen last, not what has begun since."""
        self._lanes.cancel(self._seen)

    def _stop_ahead(self) -> None:
        self._stop_seen()
        self._ahead.is_on = False

    def _stop_job(self) -> None:
        if self._ahead.queue is not None:
            self._ahead.queue.cancel()


def _how_far(underway: Underway | None) -> tuple[float | None, float | None]:
    """Return how much of a window is done, and the seconds left, where these are known."""
    return (None, None) if underway is None else (underway.share, underway.seconds_left)


def _with_time(text: str, seconds_left: float | None) -> str:
    if seconds_left is None:
        return f"{text} …"
    left = f"{seconds_left:.1f} s" if seconds_left < 0.95 else time_text(seconds_left)
    return f"{text} · {left} left"
