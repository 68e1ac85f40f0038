"""Giving up an encoding in the middle, when it is no longer wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol


class Interrupted(Exception):
    """An encoding was given up, because it is not wanted any more."""


_is_unwanted: ContextVar[Callable[[], bool] | None] = ContextVar("is_unwanted", default=None)


@contextmanager
def interruptible(is_unwanted: Callable[[], bool]) -> Iterator[None]:
    """Let image encoders stop in the middle, in this thread alone, within a ``with`` statement.

    Parameters
    ----------
    is_unwanted : callable
        Asked between the blocks of an encoder. Once it returns True, the encoder raises
        `Interrupted`.
    """
    token = _is_unwanted.set(is_unwanted)
    try:
        yield
    finally:
        _is_unwanted.reset(token)


def give_way() -> None:
    """Raise `Interrupted` if what this thread encodes is no longer wanted; encoders call this."""
    if unwanted()():
        raise Interrupted


def unwanted() -> Callable[[], bool]:
    """Return what tells, in any thread, whether what this thread does is no longer wanted."""
    return _is_unwanted.get() or _never


class HasModules(Protocol):
    """What has parts, as a network of torch."""

    def modules(self) -> Iterable[Any]:
        """Yield itself and its parts."""


def count_stops(network: HasModules) -> int:
    """Return how often a network gives way while it encodes a batch; 0: not known.

    That is the sum of ``n_stops`` of its parts.
    """
    return sum(getattr(module, "n_stops", 0) for module in network.modules())


def _never() -> bool:
    return False
