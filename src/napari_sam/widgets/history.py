"""One stack of undo over prompts and commits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import accumulate, groupby
from typing import TYPE_CHECKING

from napari_sam.widgets.keys import UNDO

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_sam.labels.edit import Edit
    from napari_sam.widgets.draft import Draft
    from napari_sam.widgets.recipe import Call
    from napari_sam.widgets.written import PackedWritten, Written


N_WHOLE = 50
"""Of so many steps the candidates are kept, which take some hundred kilobytes each."""


@dataclass(frozen=True, eq=False)
class Step:
    """What one command changed, and how to do it again.

    Parameters
    ----------
    before, after : Draft
        The object being made.
    written : tuple of Written
        What changed in the labels, one after the other.
    calls : tuple of Call
        The commands that change the labels as it does; none, if it does not.
    """

    before: Draft
    after: Draft
    written: tuple[Written | PackedWritten, ...] = ()
    calls: tuple[Call, ...] = ()

    @property
    def note(self) -> str:
        """A sentence on the object that was given up for another one; "" if none was."""
        before, after = self.before, self.after
        if before.is_empty or before.is_void or after.is_waiting:
            return ""
        if before.plane != after.plane:
            plane = ", ".join(map(str, before.plane))
            return f"What you began on plane {plane} is not kept; {UNDO.key} goes back to it."
        if after.old not in (None, before.old):
            return f"{UNDO.key} goes back to the prompts of before."
        return ""

    def thinned(self) -> Step:
        """Return the step in little memory: its drafts are answered anew when they are needed."""
        before, after = self.before.thinned(), self.after.thinned()
        written = tuple(one.packed() for one in self.written)
        return replace(self, before=before, after=after, written=written)


class History:
    """Steps that can be undone, and undone steps that can be done again."""

    def __init__(self) -> None:
        self._done: list[Step] = []
        self._undone: list[Step] = []

    def __len__(self) -> int:
        """Return how many steps can be undone."""
        return len(self._done)

    def push(self, step: Step) -> None:
        """Add a step just done; what was undone before it is forgotten."""
        self._done.append(step)
        self._undone.clear()
        if len(self._done) > N_WHOLE:
            self._done[-1 - N_WHOLE] = self._done[-1 - N_WHOLE].thinned()

    def amend(self, after: Draft) -> None:
        """Note what has become of the draft since the last step."""
        if self._done:
            self._done[-1] = replace(self._done[-1], after=after)

    def drop_last(self) -> Step | None:
        """Forget the last step, for good, and return it."""
        return self._done.pop() if self._done else None

    def join(self, n_before: int) -> None:
        """Make one step of all but the first `n_before`."""
        joined = self._done[n_before:]
        if len(joined) < 2:
            return
        written = tuple(one for step in joined for one in step.written)
        calls = tuple(call for step in joined for call in step.calls)
        self._done[n_before:] = [
            replace(joined[0], after=joined[-1].after, written=written, calls=calls)
        ]

    @property
    def done(self) -> tuple[Step, ...]:
        """The steps that can be undone, the oldest first."""
        return tuple(self._done)

    @property
    def last(self) -> Step | None:
        """The step that `undo` moves over."""
        return self._done[-1] if self._done else None

    @property
    def note(self) -> str:
        """What is to be said of the last step, if anything; see `Step.note`."""
        return "" if self.last is None else self.last.note

    @property
    def next(self) -> Step | None:
        """The step that `redo` moves over."""
        return self._undone[-1] if self._undone else None

    def n_steps_to(self, edit: Edit, layer: Labels) -> int:
        """Return how many steps to move so that the last one changes pixels as an edit does.

        Forward, or backward if that is below 0; 0, if the next one on neither way that changes
        labels does so.
        """
        for n, step in enumerate(reversed(self._undone), 1):
            if step.written:
                if _is_it(step, edit, layer):
                    return n
                break
        for n, step in enumerate(reversed(self._done), 1):
            if step.written:
                return -n if _is_it(step, edit, layer, backward=True) else 0
        return 0

    def undo(self) -> None:
        """Move to before the last step; the caller has taken back what it changed."""
        self._undone.append(self._done.pop())

    def redo(self) -> None:
        """Move to after the step undone last; the caller has changed it again."""
        self._done.append(self._undone.pop())

    def take_back(self, draft: Draft) -> Draft:
        """Drop the steps that led to a draft without an answer; return the last that has one.

        Steps that changed labels are kept, to be undone.
        """
        while draft.is_waiting and self._done and not self._done[-1].written:
            draft = self._done.pop().before
        return draft.emptied() if draft.is_waiting else draft

    def forget(self, layer: Labels) -> None:
        """Forget what was done to some labels, with the prompts that led to it.

        What was done to others stays, and so do the prompts of an object that is still being made,
        unless it has been opened in these labels. What was undone is forgotten if any of it was
        done to them.
        """
        drafts = _iter_drafts(self._done)
        self._done = [step for steps in drafts for step in _without(steps, layer)]
        if any(_is_about(step, layer) for step in self._undone):
            self._undone.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._done.clear()
        self._undone.clear()


def _is_it(step: Step, edit: Edit, layer: Labels, *, backward: bool = False) -> bool:
    """Whether a step changes labels as an edit does; `backward`: whether its undoing does."""
    if len(step.written) != 1 or step.written[0].layer is not layer:
        return False
    change = step.written[0].unpacked().change
    edits = (change.inverse() if backward else change).edits
    return len(edits) == 1 and edit.puts_the_same(edits[0])


def _iter_drafts(steps: list[Step]) -> Iterator[list[Step]]:
    """Yield the steps of one draft after the other, each from the first prompt on."""
    n_begun = accumulate(int(step.before.is_empty) for step in steps)
    for _, draft in groupby(zip(n_begun, steps, strict=True), lambda pair: pair[0]):
        yield [step for _, step in draft]


def _without(steps: list[Step], layer: Labels) -> list[Step]:
    """Return what is left of the steps of one draft without what was done to some labels.

    If it was opened in these, or kept there, only what was done to others meanwhile.
    """
    others = [step for step in steps if not _writes(step, layer)]
    was_kept = _writes(steps[-1], layer) and steps[-1].after.is_empty
    if not was_kept and not any(_is_of(step, layer) for step in steps):
        return others
    written = (step for step in others if step.written)
    return [replace(s, before=s.before.emptied(), after=s.after.emptied()) for s in written]


def _is_about(step: Step, layer: Labels) -> bool:
    return _writes(step, layer) or _is_of(step, layer)


def _writes(step: Step, layer: Labels) -> bool:
    return any(one.layer is layer for one in step.written)


def _is_of(step: Step, layer: Labels) -> bool:
    """Whether a step begins or ends with an object that was opened in some labels."""
    opened = (draft.old for draft in (step.before, step.after))
    return any(old is not None and old.layer is layer for old in opened)
