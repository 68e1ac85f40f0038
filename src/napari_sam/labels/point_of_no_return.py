"""The last moment at which work in a thread can still be called off."""

from __future__ import annotations

from threading import Lock


class PointOfNoReturn:
    """Passed by the thread that does the work, unless another one has called it off before."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._is_passed = self._is_called_off = False

    def go_past(self) -> bool:
        """Return whether the work may be ended; if so, it cannot be called off any more."""
        with self._lock:
            self._is_passed = not self._is_called_off
            return self._is_passed

    def call_off(self) -> bool:
        """Return whether the work is called off; if not, it will be ended."""
        with self._lock:
            self._is_called_off = not self._is_passed
            return self._is_called_off
