"""Commands that wait for their turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar


class Waits(Protocol):
    """Something that may have to wait before its next command."""

    held_up: list[Callable[[], Any]]

    @property
    def is_held_up(self) -> bool:
        """Whether the next command has to wait."""

    @property
    def is_deserted(self) -> bool:
        """Whether nobody is left who would end the waiting."""

    def take_over(self) -> None:
        """End the waiting, as nobody else does."""

    def telling(self) -> AbstractContextManager[None]:
        """Tell, instead of raising, what cannot be done."""


W = TypeVar("W", bound=Waits)
P = ParamSpec("P")
R = TypeVar("R")


def in_order(
    command: Callable[Concatenate[W, P], R],
) -> Callable[Concatenate[W, P], R | None]:
    """Make a method put itself off while its object is held up, behind those put off before."""

    @wraps(command)
    def do(self: W, *args: P.args, **kwargs: P.kwargs) -> R | None:
        if self.is_held_up and self.is_deserted:
            self.take_over()
        if self.is_held_up:
            self.held_up.append(partial(do, self, *args, **kwargs))
            return None
        return command(self, *args, **kwargs)

    return do  # type: ignore[return-value]  # mypy wants to know the name of `self`


def go_on(waiting: Waits, first: Callable[[], Any]) -> None:
    """Do `first` and what was put off, until something holds up again.

    One that cannot be done says so. Whatever it raises, the others are done.
    """
    commands, waiting.held_up = [first, *waiting.held_up], []
    with ExitStack() as all_of_them:
        for command in reversed(commands):  # the stack begins with the last
            all_of_them.callback(_do, waiting, command)


def _do(waiting: Waits, command: Callable[[], Any]) -> None:
    with waiting.telling():
        command()
