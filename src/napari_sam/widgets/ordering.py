"""Commands in the order in which they are given, though the answers come late."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.widgets.choices import Choices
from napari_sam.widgets.chosen import ASKS_ANEW
from napari_sam.widgets.draft import NO_IMAGE, Draft
from napari_sam.widgets.in_order import go_on, in_order
from napari_sam.widgets.recipe import Asking, Call
from napari_sam.widgets.transcript import Transcript

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Labels


class Ordering(Choices):
    """The part of a session that has commands and choices wait for those given before.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Kept by weak reference.
    """

    asked = Signal(object)
    given_up = Signal()
    """Emitted when nobody wants an answer any more to the prompts that were `asked` about."""
    status_changed = Signal(str)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self._draft = Draft()
        self._transcript = Transcript()
        self.held_up: list[Callable[[], Any]] = []
        self._once_answered: Callable[[], Any] | None = None
        self.n_onlookers = 0  # who listen to `asked`, and answer nothing
        self.status = NO_IMAGE

    @property
    def is_held_up(self) -> bool:
        """Whether commands are put off: there is something to do once the draft is answered."""
        return self._once_answered is not None

    @property
    def is_deserted(self) -> bool:
        """Whether nobody is left who answers what has been `asked`."""
        return len(self.asked) <= self.n_onlookers

    @property
    def next_draft(self) -> Draft:
        """The draft that a command finds which is given now, as far as that is known.

        An empty one, if the draft is kept as soon as it is answered.
        """
        return self._draft if self._once_answered is None else self._draft.emptied()

    @in_order
    def in_turn(self, action: Callable[[], Any]) -> None:
        """Do something when all commands that were given before are done."""
        action()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell in the status line, instead of raising, what cannot be done; for the hand."""
        try:
            yield
        except (ValueError, TypeError, IndexError, OSError) as error:
            self._say(str(error))

    @abstractmethod
    def take_over(self) -> None:
        """Have answered what nobody is left to answer."""

    @abstractmethod
    def _say_anew(self) -> None:
        """Say of an object being made what may be otherwise now."""

    # Inside

    def _call(self, command: str, *args: Any, about: tuple[str, ...] = (), **options: Any) -> Call:
        """Return a command, given now, for the script; `about` some of the choices, or all."""
        choices = self._as_python(*about)
        return self._transcript.call(command, *args, choices=choices, **options)

    def _how(self, how: Asking) -> dict[str, Any]:
        """Return how the model is asked, as a script says it."""
        step, ask = how.get("step"), None if how.get("ask", True) else False
        step = self.step_now if step is None else step
        return {"step": step, "left_out": how.get("left_out"), "ask": ask}

    def _say(self, text: str) -> None:
        self.status = text
        self.status_changed.emit(text)

    def _drop_commands(self) -> None:
        """Forget the commands that wait; what has been chosen meanwhile is chosen.

        Labels are, once `_take_choices` is called, or what still holds up has ended.
        """
        self._once_answered = None
        self.held_up = [each for each in self.held_up if _chooses_labels(each)]
        self._in_force = self._wished

    def _take_choices(self) -> None:
        """Choose the labels that were chosen behind commands which have been dropped."""
        if self.held_up and not self.is_held_up:
            go_on(self, lambda: None)

    def _choose(self, name: str, value: Any) -> None:
        self._wished = replace(self._wished, **{name: value})
        if self.is_held_up:
            self.layers_changed.emit()
        self._take_choice(name, value)

    @in_order
    def _take_choice(self, name: str, value: Any) -> None:
        if value == getattr(self._in_force, name):
            return
        self._in_force = replace(self._in_force, **{name: value})
        if name in ASKS_ANEW:
            self._on_choice(asks_anew=True)
        else:
            self._say_anew()
            self.layers_changed.emit()

    @in_order
    def _take_labels(self, layer: Labels | None) -> None:
        self._check_labels(layer)  # it may be gone by now
        self._set_labels(layer)


def _chooses_labels(command: Callable[[], Any]) -> bool:
    """Whether a command that waits only chooses other labels."""
    return getattr(command, "func", None) is Ordering._take_labels
