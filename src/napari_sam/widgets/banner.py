"""A notice on top of a dock: a sentence or two, and buttons that do something about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from napari_sam.widgets.colors import ORANGE, as_hex
from napari_sam.widgets.sentences import Sentences

STYLE = f"#banner {{ border-left: 4px solid {as_hex(ORANGE)}; }}"


@dataclass(frozen=True, eq=False)
class Notice:
    """What the user should know, and can do.

    Parameters
    ----------
    text : str
        A sentence or two.
    buttons : dict of str to callable
        What can be done, by the title of the button.
    """

    text: str
    buttons: dict[str, Callable[[], object]]


class Banner(QFrame):
    """Shows one notice, or nothing and then takes no room."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("banner")
        self.setStyleSheet(STYLE)
        self._text = Sentences(2)
        self._text.setObjectName("notice")
        self._row = QHBoxLayout()
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self._text)
        column.addLayout(self._row)
        self._shown: Notice | None = None
        self.hide()

    def show_notice(self, notice: Notice | None) -> None:
        """Show a notice; None: hide."""
        if notice is None or self._shown is None or notice.text != self._shown.text:
            self._clear()
            if notice is not None:
                self._offer(notice)
        self._shown = notice
        self.setVisible(notice is not None)

    def _offer(self, notice: Notice) -> None:
        self._text.say(notice.text)
        for title, do in notice.buttons.items():
            button = QPushButton(title)
            button.setToolTip(notice.text)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.clicked.connect(_without_arguments(do))
            self._row.addWidget(button, 1)

    def _clear(self) -> None:
        while (item := self._row.takeAt(0)) is not None:
            button = item.widget()
            button.setParent(None)
            button.deleteLater()


def _without_arguments(do: Callable[[], object]) -> Callable[..., object]:
    return lambda *clicked: do()
