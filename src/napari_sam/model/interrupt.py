"""Giving up an encoding in the middle, when it is no longer wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar


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
    is_unwanted = _is_unwanted.get()
    if is_unwanted is not None and is_unwanted():
        raise Interrupted
