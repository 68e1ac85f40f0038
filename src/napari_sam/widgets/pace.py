"""How fast bytes arrive, and how long the rest will take."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_S = 8.0
"""The speed is that of the last seconds: connections change."""
SETTLED_S = 1.0
"""Before that a speed would be a guess."""


class Pace:
    """Measures a transfer from what it reports of itself.

    Parameters
    ----------
    clock : callable
        Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reports: deque[tuple[float, int]] = deque()

    def add(self, done: int) -> None:
        """Take note of how many bytes are there by now."""
        now = self._clock()
        self._reports.append((now, done))
        while now - self._reports[0][0] > WINDOW_S and len(self._reports) > 2:
            self._reports.popleft()

    @property
    def bytes_per_second(self) -> float | None:
        """The speed; None before there is one."""
        if not self._reports:
            return None
        (first, before), (last, now) = self._reports[0], self._reports[-1]
        return (now - before) / (last - first) if last - first >= SETTLED_S else None

    def describe(self, done: int, total: int | None) -> str:
        """Return such as ``120 of 375 MB · 4.2 MB/s · 1 min left``."""
        parts = [size_text(done) if total is None else share_text(done, total)]
        speed = self.bytes_per_second
        if speed is not None:
            parts.append(f"{size_text(round(speed))}/s" if speed else "waiting for the server")
        if speed and total is not None:
            parts.append(f"{time_text((total - done) / speed)} left")
        return " · ".join(parts)


def size_text(n_bytes: float) -> str:
    """Return a size in the unit that suits it, in two or three digits."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n_bytes >= 0.9995 * factor:
            value = n_bytes / factor
            return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
    return f"{n_bytes:.0f} B"


def share_text(done: int, total: int) -> str:
    """Return such as ``120 of 375 MB``."""
    have, whole = size_text(done), size_text(total)
    number, unit = have.split()
    return f"{number if unit == whole.split()[1] else have} of {whole}"


def time_text(seconds: float) -> str:
    """Return a duration, as precise as a guess can be."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
