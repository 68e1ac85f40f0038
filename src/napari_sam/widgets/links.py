"""Connections that are made together and cut together."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any
from weakref import WeakMethod


class Links:
    """Connections from signals that live long (of a viewer, a session) to methods that may not.

    Keeps nobody alive: the methods are held weakly.
    """

    def __init__(self) -> None:
        self._pairs: list[tuple[Any, WeakMethod[Callable[..., Any]]]] = []

    def add(self, signal: Any, method: MethodType | Callable[..., Any]) -> None:
        """Connect a napari or psygnal signal to a method."""
        signal.connect(method)
        self._pairs.append((signal, WeakMethod(method)))

    def cut(self) -> None:
        """Disconnect all that are still there; a second time changes nothing."""
        while self._pairs:
            signal, reference = self._pairs.pop()
            method = reference()
            if method is not None:
                signal.disconnect(method)
