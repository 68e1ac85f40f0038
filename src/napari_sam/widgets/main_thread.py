"""The way from threads to the main thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from qtpy.QtCore import QObject, Signal


class MainThread(QObject):
    """Calls functions on the main thread, in the order in which threads ask for it.

    There is one, which lives as long as the process: threads may outlive the docks that they work
    for, and must never meet an object of Qt that is gone.
    """

    _asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._asked.connect(self._call)

    def call(self, function: Callable[[], Any]) -> None:
        """Have a function called soon; usable from any thread."""
        self._asked.emit(function)

    def _call(self, function: Callable[[], Any]) -> None:
        function()


@cache
def main_thread() -> MainThread:
    """Return the one there is; the first call has to come from the main thread."""
    return MainThread()
