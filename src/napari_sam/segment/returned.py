"""What a generator returns at its end."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Generic, TypeVar

Y = TypeVar("Y")
T = TypeVar("T")


class Returning(Generic[Y, T]):
    """A generator, of which it is known afterwards what it returned.

    Attributes
    ----------
    value
        That; there once it has been gone through.
    """

    def __init__(self, generator: Generator[Y, None, T]) -> None:
        self._generator = generator

    def __iter__(self) -> Iterator[Y]:
        self.value: T = yield from self._generator


def returned(generator: Generator[Y, None, T]) -> T:
    """Go through a generator, and return what it returns."""
    whole = Returning(generator)
    for _ in whole:
        pass
    return whole.value
