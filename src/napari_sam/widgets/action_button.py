"""Buttons that do what a key does, and say which."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QPushButton

from napari_sam.widgets.key_choices import key_choices, short

if TYPE_CHECKING:
    from napari_sam.widgets.hand import Hand
    from napari_sam.widgets.keys import Action
    from napari_sam.widgets.links import Links


class ActionButton(QPushButton):
    """A button for an action; shows title and key.

    Parameters
    ----------
    action : Action
        What it does.
    hand : Hand
        To what.
    links : Links
        Cut when the dock is closed.
    other_title : str
        What it may be called at times; it has room for both, so that nothing moves then.
    """

    def __init__(self, action: Action, hand: Hand, links: Links, other_title: str = "") -> None:
        super().__init__()
        self._action, self._title = action, action.title
        self._titles = (action.title, other_title)
        self._why_not = ""
        self.setObjectName(action.name)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.clicked.connect(partial(_run, action, hand))
        links.add(key_choices.changed, self._show)
        self._show()

    def set_title(self, title: str) -> None:
        """Show another title, before the same key."""
        self._title = title
        self._show()

    def refuse(self, why_not: str) -> None:
        """Be out of reach, for a reason that the tooltip tells; without one, in reach again."""
        self._why_not = why_not
        self.setEnabled(not why_not)
        self._show()

    def sizeHint(self) -> QSize:
        """Ask for the room of the longest title."""
        texts = [titled(title, self._action.key) for title in self._titles if title]
        widths = [self.fontMetrics().horizontalAdvance(text) for text in (self.text(), *texts)]
        hint = super().sizeHint()
        return QSize(hint.width() + max(widths) - widths[0], hint.height())

    def minimumSizeHint(self) -> QSize:
        """Ask for no less."""
        return self.sizeHint()

    def _show(self) -> None:
        self.setText(titled(self._title, self._action.key))
        self.setToolTip(self._why_not or self._action.tooltip)


def titled(title: str, key: str) -> str:
    """Return a title with the key behind it."""
    return f"{title} ({short(key)})"


def _run(action: Action, hand: Hand, *clicked: bool) -> None:
    action.run(hand)
