"""Commands that wait until labels are there, and until it is known what is in them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.widgets.chore import Chore
from napari_sam.widgets.drafting import Drafting
from napari_sam.widgets.in_order import go_on

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Arranging(Drafting):
    """The part of a session that finds out what is in labels, and has them made and changed.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Kept by weak reference.
    """

    objects_changed = Signal(object)
    """Emitted with the `Change` made to labels and records; with None, if all may be others."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self._is_rearranging = False
        self._once_known: Callable[[], Any] | None = None

    @property
    def is_held_up(self) -> bool:
        """Whether commands are put off: labels are being opened, or looked through, for example."""
        return self._is_rearranging or self._once_known is not None or super().is_held_up

    def fail(self, request: Any, error: Exception) -> None:
        """Forget what cannot be done, and say why. Main thread only."""
        super().fail(request, error)
        self._go_on_if_known()

    def prepare(self) -> None:
        """Have all that can be done before the first click done by whoever listens to `asked`."""
        if self._source.predictor is not None and self._source.predictor.is_hopeless:
            self._say_draft()  # instead of why; it is said again if nothing has changed
        if self.is_deserted:
            self._have_done(self._unread(is_now=True), is_now=True)
            return
        chores = self.look_for_recovery(), self._unread(), self._target.uncounted
        for work in filter(None, (self._source.predictor, *chores)):
            self.asked.emit(work)

    def drop(self, work: Any) -> None:
        """Hear that nobody will answer what was `asked`. Main thread only.

        If the dock is closed, prompts are answered when the next command, or the next dock, comes.
        If somebody has stopped it, commands that wait for it are dropped.
        """
        if self._viewer() is not None and isinstance(work, Chore):
            work.give_up()
            if not self.is_deserted:
                self._go_on_if_known()

    def take_over(self) -> None:
        """Have answered, by whoever listens now, what those asked before have left."""
        if self._draft.is_waiting:
            self._resume(self._draft, wait=self.is_deserted)
        if self.is_deserted:
            self._go_on_if_known()

    @abstractmethod
    def look_for_recovery(self) -> Chore[Any] | None:
        """Return the work of finding out what there is to recover; None if that is known."""

    # Inside

    def _is_put_off(self, command: Callable[[], Any], wait: bool) -> bool:
        """Whether a command has to wait until it is known what is in the labels; it is done then.

        Not if somebody waits for it, or nobody is there to find that out: then it is found out now.
        """
        is_now = wait or self.is_deserted
        with suppress(OSError, ValueError):  # then nothing is noted for a crash
            self._have_done(self.look_for_recovery(), is_now)
        for chore in (self._unread(is_now), self._target.uncounted):
            self._have_done(chore, is_now)
        if self._target.is_read and (is_now or self._target.is_counted):
            return False
        self._once_known = command
        return True

    def _go_on_if_known(self) -> None:
        """Do the command that waits to know the labels; if nobody else looks, it finds that out.

        If they cannot be read, it is dropped.
        """
        if (command := self._once_known) is None:
            return
        is_known = self._target.is_read and self._target.is_counted
        if is_known or self.is_deserted:
            self._once_known = None
            go_on(self, command)
        elif not self._target.is_being_read:
            self._drop_commands()
            self._take_choices()

    def _drop_commands(self) -> None:
        super()._drop_commands()
        self._once_known = None

    def _unread(self, is_now: bool = False) -> Chore[Any] | None:
        """Return the work of reading the records of labels on disk, if they are not known."""
        chore = self._target.read(is_now=is_now)
        return chore and replace(chore, take=partial(self._take_records, chore.take))

    def _take_records(self, take: Callable[[Any], object], records: Any) -> None:
        take(records)
        self.objects_changed.emit(None)

    def _have_done(self, chore: Chore[Any] | None, is_now: bool) -> None:
        if chore is None:
            return
        if not (is_now or self.is_deserted):
            self.asked.emit(chore)
        else:
            chore.do()

    def _rearrange(
        self,
        make: Callable[[], Iterator[Any]],
        take: Callable[[Any], object],
        wait: bool,
        give_up: Callable[[], object] = lambda: None,
        call_off: Callable[[], bool] = lambda: True,
        *,
        keeps_part: bool = False,
    ) -> None:
        """Have labels made or changed that the commands that come next are about."""

        def take_and_go_on(answer: Any) -> None:
            try:
                self._is_rearranging = False
                take(answer)
            finally:
                go_on(self, self.layers_changed.emit)

        def give_up_and_go_on() -> None:
            try:
                give_up()
            finally:
                self._is_rearranging = False
                go_on(self, self.layers_changed.emit)

        self._is_rearranging = True
        chore = Chore(make, take_and_go_on, give_up_and_go_on, call_off, keeps_part)
        self._have_done(chore, wait)
