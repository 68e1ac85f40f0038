"""Work for a session that is neither a prompt nor the opening of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Chore(Generic[T]):
    """What to do in any thread, and what to do with what comes of it on the main thread.

    Parameters
    ----------
    iter_answer : callable
        Yields what is being done, a sentence at a time, and at last the answer.
    take : callable
        Takes the answer.
    give_up : callable
        Told when there is none: because of an error, or as nobody does the work any more.
    call_off : callable
        Returns whether the work ends without an answer; if not, it is too late: it has to be
        heard to its end.
    keeps_part : bool
        Whether `give_up` keeps what has been done until then.
    """

    iter_answer: Callable[[], Iterator[str | T]]
    take: Callable[[T], object]
    give_up: Callable[[], object] = lambda: None
    call_off: Callable[[], bool] = lambda: True
    keeps_part: bool = False

    def do(self) -> None:
        """Do all of it here and now."""
        try:
            *_, answer = self.iter_answer()
        except BaseException:
            self.give_up()
            raise
        self.take(answer)  # type: ignore[arg-type]  # the last thing yielded
