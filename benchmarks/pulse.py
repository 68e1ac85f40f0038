"""The longest gaps of the event loop: how long a window stands still."""

from __future__ import annotations

import time
from dataclasses import dataclass

from qtpy.QtCore import QTimer

TICK_MS = 5


@dataclass(frozen=True)
class Gap:
    """Time between two ticks, in milliseconds.

    Parameters
    ----------
    wall : float
        By the clock on the wall.
    main : float
        CPU time of the main thread.
    process : float
        CPU time of all threads; the software that draws has several.
    """

    wall: float
    main: float
    process: float

    @property
    def own(self) -> float:
        """How long it was at most without other programs, which take the processor away."""
        return min(self.wall, self.process)


class Pulse:
    """Ticks every few milliseconds on the main thread, and remembers how late each tick came."""

    def __init__(self) -> None:
        self._gaps: list[Gap] = []
        self._last = _clocks()
        self._timer = QTimer()
        self._timer.timeout.connect(self._tick)
        self._timer.start(TICK_MS)

    def _tick(self) -> None:
        now = _clocks()
        self._gaps.append(Gap(*(1e3 * (b - a) for a, b in zip(self._last, now, strict=True))))
        self._last = now

    def longest(self) -> Gap:
        """Return the longest gap since the last call, other programs left aside."""
        gaps, self._gaps = self._gaps, []
        return max(gaps, key=lambda gap: gap.own)


def _clocks() -> tuple[float, float, float]:
    return time.perf_counter(), time.thread_time(), time.process_time()
