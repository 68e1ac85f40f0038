"""Commands that wait for their turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar


class Waits(Protocol):
    """Something that may have to wait before its next command."""

    is_held_up: bool
    held_up: list[Callable[[], Any]]


W = TypeVar("W", bound=Waits)
P = ParamSpec("P")
R = TypeVar("R")


def in_order(
    command: Callable[Concatenate[W, P], R],
) -> Callable[Concatenate[W, P], R | None]:
    """Make a method put itself off while its object is held up, behind those put off before."""

    @wraps(command)
    def do(self: W, *args: P.args, **kwargs: P.kwargs) -> R | None:
        if self.is_held_up:
            self.held_up.append(partial(do, self, *args, **kwargs))
            return None
        return command(self, *args, **kwargs)

    return do  # type: ignore[return-value]  # mypy wants to know the name of `self`


def go_on(waiting: Waits, first: Callable[[], Any]) -> None:
    """End holding up, and do `first` and what was put off, until something holds up again."""
    waiting.is_held_up = False
    commands, waiting.held_up = [first, *waiting.held_up], []
    for command in commands:
        command()
