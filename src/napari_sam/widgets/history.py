"""One stack of undo over prompts and commits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.widgets.draft import Draft
    from napari_sam.widgets.target import Written


@dataclass(frozen=True, eq=False)
class Step:
    """What one command changed: the draft, and the labels if it was a commit."""

    before: Draft
    after: Draft
    written: Written | None = None


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

    def amend(self, after: Draft) -> None:
        """Note what has become of the draft since the last step."""
        if self._done:
            self._done[-1] = replace(self._done[-1], after=after)

    @property
    def last(self) -> Step | None:
        """The step that `undo` moves over."""
        return self._done[-1] if self._done else None

    @property
    def next(self) -> Step | None:
        """The step that `redo` moves over."""
        return self._undone[-1] if self._undone else None

    def undo(self) -> None:
        """Move to before the last step; the caller has taken back what it changed."""
        self._undone.append(self._done.pop())

    def redo(self) -> None:
        """Move to after the step undone last; the caller has changed it again."""
        self._done.append(self._undone.pop())

    def take_back(self, draft: Draft) -> Draft:
        """Drop the steps that led to a draft without an answer; return the last that has one."""
        while draft.is_waiting and self._done:
            draft = self._done.pop().before
        return draft

    def clear(self) -> None:
        """Forget everything."""
        self._done.clear()
        self._undone.clear()
