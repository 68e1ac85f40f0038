"""How far the window is that is being encoded, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Callable


class Underway:
    """A window on its way through the encoder.

    Parameters
    ----------
    n_stops : int
        How often the encoder stops on the way; 0: not known.
    usual_seconds : float or None
        What the window before took; None: there was none.
    is_awaited : callable
        Tells whether somebody waits for it.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self,
        n_stops: int,
        usual_seconds: float | None = None,
        is_awaited: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._n_stops, self._n_passed = n_stops, 0
        self._usual_seconds = usual_seconds
        self._is_awaited = is_awaited
        self._clock = clock
        self._began = clock()

    def note_stop(self) -> None:
        """Take note that the encoder has come to its next stop."""
        self._n_passed += 1

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it; else it is encoded ahead."""
        return self._is_awaited()

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return self._clock() - self._began

    @property
    def share(self) -> float | None:
        """How much of it is done, 0 to 1: by the time of the one before, or by the stops."""
        if self._usual_seconds:
            return min(self.seconds / self._usual_seconds, 1.0)
        if not self._n_stops:
            return None
        return min(max(self._n_passed - 1, 0) / self._n_stops, 1.0)  # the first is at the beginning

    @property
    def seconds_left(self) -> float | None:
        """How long the rest will take; None while that cannot be told."""
        if self._usual_seconds:
            return max(self._usual_seconds - self.seconds, 0.0)
        share = self.share
        return self.seconds * (1 - share) / share if share else None
