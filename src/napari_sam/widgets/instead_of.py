"""Callbacks of napari's own that give way to others while the plugin is at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Callback = Callable[[Any, Any], Any]


class InsteadOf:
    """Puts a callback of ours in the place of one of napari's, and back.

    napari calls all callbacks of a list, and none can stop the next: Alt + wheel would also step
    through the layer list, a double click zoom in. Ours is asked first; if it returns False, the
    other one is called after all.

    Parameters
    ----------
    name : str
        Of napari's function. If there is none of that name, ours is called beside the others.
    ours : callable
        Returns whether the event was for us.
    """

    def __init__(self, name: str, ours: Callable[[Any], bool]) -> None:
        self._name = name
        self._ours = ours
        self._theirs: Callback | None = None

    def __call__(self, viewer: Any, event: Any) -> None:
        """Take an event."""
        if not self._ours(event) and self._theirs is not None:
            self._theirs(viewer, event)

    def put(self, callbacks: list[Callback]) -> None:
        """Take the place."""
        names = [getattr(callback, "__name__", "") for callback in callbacks]
        if self._name in names:
            place = names.index(self._name)
            self._theirs, callbacks[place] = callbacks[place], self
        else:
            callbacks.append(self)

    def take_back(self, callbacks: list[Callback]) -> None:
        """Give the place back."""
        if self in callbacks:
            place = callbacks.index(self)
            callbacks[place : place + 1] = [self._theirs] if self._theirs else []
            self._theirs = None
