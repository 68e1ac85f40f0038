"""How the object being made came about: commands that make it again, as Python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypedDict

import numpy as np

Choices: TypeAlias = Mapping[str, str]
"""What a command was given under, by the properties of a session, as Python."""


QUIET = frozenset({"preferred_rank", "overlap", "labels"})
"""Choices that are for what comes next: the object being made is not asked about again."""


class Asking(TypedDict, total=False):
    """How the model is asked, when a prompt is given.

    Attributes
    ----------
    step : float, optional
        How finely the model looks this time. Default: `step_now`.
    left_out : tuple of float, optional
        To repeat an answer of a model that takes long: steps of the windows that it was not asked
        to look through, as they were not encoded yet.
    ask : bool
        False: the model is asked when the next prompt comes. Default: True.
    wait : bool
        Whether to return only when the model has answered. Default: True.
    """

    step: float | None
    left_out: tuple[float, ...] | None
    ask: bool
    wait: bool


@dataclass(frozen=True)
class Call:
    """A command as it was given, and what had been chosen then.

    Parameters
    ----------
    serial : int
        Commands and strokes are numbered through.
    command : str
        Its name.
    args : tuple of str
        As Python.
    options : mapping
        By name; those that are None are not written.
    choices : mapping
        See `Choices`.
    of : str
        What has the command.
    """

    serial: int
    command: str
    args: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    choices: Choices = field(default_factory=dict)
    of: str = "session"

    @property
    def text(self) -> str:
        """The command as Python."""
        args = (Code(arg) for arg in self.args)
        return f"{self.of}.{call_text(self.command, *args, **self.options)}"

    def amended(self, **options: Any) -> Call:
        """Return the command with other options."""
        return replace(self, options={**self.options, **options})


@dataclass(frozen=True)
class Recipe:
    """The commands that a draft came by, the oldest first. Immutable.

    The last one that asks the model is noted as it was asked last: with the step then, and what had
    been chosen.
    """

    calls: tuple[Call, ...] = ()

    def then(self, call: Call, *, is_waiting: bool = False) -> Recipe:
        """Return the recipe with one more command.

        If the one before `is_waiting`, its answer had no part in what came after.
        """
        calls = self.calls
        if is_waiting and calls:
            calls = (*calls[:-1], calls[-1].amended(ask=False))
        return Recipe((*calls, call))

    def asked_anew(self, call: Call) -> Recipe:
        """Return the recipe as the same prompts are asked about as if by `call`, an `ask_again`."""
        calls = self._without_choice()
        last = calls[-1].command if calls else "reopen"
        if last == "reopen" or (call.options.get("alone") and last != "ask_again"):
            return Recipe((*calls, call))
        if last != "ask_again" and len(calls) > 1 and _asks_anew(calls[-1].choices, call.choices):
            return Recipe((*calls[:-1], calls[-1].amended(left_out=None, ask=False), call))
        renewed = replace(calls[-1], serial=call.serial, choices=call.choices)
        how = {name: call.options.get(name) for name in ("step", "left_out", "ask")}
        return Recipe((*calls[:-1], renewed.amended(**how)))

    def answered(self, left_out: tuple[float, ...] | None) -> Recipe:
        """Return the recipe with what the model was not asked because it takes long."""
        if not self.calls:
            return self
        return Recipe((*self.calls[:-1], self.calls[-1].amended(left_out=left_out, ask=None)))

    def chosen(self, call: Call) -> Recipe:
        """Return the recipe with the choice of a candidate."""
        return Recipe((*self._without_choice(), call))

    @property
    def step(self) -> float | None:
        """How finely the model looks."""
        return self._options.get("step")

    @property
    def left_out(self) -> tuple[float, ...] | None:
        """Steps of the windows that it is not asked to look through, if that is to be repeated."""
        return self._options.get("left_out")

    @property
    def is_asked(self) -> bool:
        """Whether the model is asked, and not only when the next prompt comes."""
        return self._options.get("ask") is not False

    @property
    def _options(self) -> Mapping[str, Any]:
        """Options of the last command that asks the model."""
        calls = self._without_choice()
        return calls[-1].options if calls else {}

    def _without_choice(self) -> tuple[Call, ...]:
        calls = self.calls
        return calls[:-1] if calls and calls[-1].command == "choose" else calls


NOTHING = Recipe()


def _asks_anew(before: Choices, after: Choices) -> bool:
    """Whether a session asks about the object being made again, when it comes to other choices."""
    return any(before.get(name) != value for name, value in after.items() if name not in QUIET)


def call_text(command: str, *args: Any, **options: Any) -> str:
    """Return the call of a command as Python reads it; arguments that are None are left out."""
    given = [literal(arg) for arg in args]
    given += [f"{name}={literal(arg)}" for name, arg in options.items() if arg is not None]
    return f"{command}({', '.join(given)})"


class Code(str):
    """An expression, as an argument of a call."""

    __slots__ = ()


def literal(value: Any) -> str:
    """Return a value as Python, without numpy's types."""
    if isinstance(value, Code):
        return str(value)
    return repr(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, Mapping):
        return {_plain(key): _plain(each) for key, each in value.items()}
    return value
