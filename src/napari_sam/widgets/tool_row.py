"""The tools, as buttons in a row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QButtonGroup, QVBoxLayout, QWidget

from napari_sam.widgets.action_button import ActionButton
from napari_sam.widgets.colors import BLUE, as_hex
from napari_sam.widgets.keys import TOOLS
from napari_sam.widgets.rows import side_by_side

if TYPE_CHECKING:
    from napari_sam.widgets.hand import Hand
    from napari_sam.widgets.links import Links

STYLE = f"""
QPushButton {{ padding: 4px 6px; }}
QPushButton:checked {{ border: 2px solid {as_hex(BLUE)}; border-radius: 3px; }}
"""
"""napari's themes hardly show which button is checked."""


class ToolRow(QWidget):
    """One button for each tool; that of the tool in the hand is checked."""

    def __init__(self, hand: Hand, links: Links) -> None:
        super().__init__()
        self.setStyleSheet(STYLE)
        self._hand = hand
        self._buttons = {tool: ActionButton(action, hand, links) for tool, action in TOOLS.items()}
        group = QButtonGroup(self)
        for button in self._buttons.values():
            button.setCheckable(True)
            group.addButton(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(side_by_side(*self._buttons.values(), spacing=2))
        links.add(hand.tool_changed, self._show)
        self._show()

    def _show(self) -> None:
        self._buttons[self._hand.tool].setChecked(True)
