"""How objects are made: at once or after a look, and over others or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QVBoxLayout, QWidget

from napari_sam.labels.write import Overlap
from napari_sam.widgets.action_button import titled
from napari_sam.widgets.key_choices import key_choices
from napari_sam.widgets.keys import TURBO
from napari_sam.widgets.rows import side_by_side

if TYPE_CHECKING:
    from napari_sam.widgets.links import Links
    from napari_sam.widgets.segment_session import SegmentSession

OVERLAPS = {
    "keep": ("keep others", "Objects that are there stay whole."),
    "replace": ("replace others", "The new object lies over those that are there."),
    "erase": ("erase", "The mask is an eraser: what lies under it becomes background."),
}


class HowRow(QWidget):
    """The turbo switch and the rule for overlaps."""

    def __init__(self, session: SegmentSession, links: Links) -> None:
        super().__init__()
        self._session = session
        self._turbo, self._overlap = QCheckBox(), QComboBox()
        self._turbo.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._overlap.setToolTip("What happens to objects that lie under a new one.")
        for index, rule in enumerate(get_args(Overlap)):
            text, tip = OVERLAPS[rule]
            self._overlap.addItem(text, rule)
            self._overlap.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(side_by_side(self._turbo, self._overlap))
        self._turbo.clicked.connect(self._choose_turbo)
        self._overlap.activated.connect(self._choose_overlap)
        links.add(session.layers_changed, self._show)
        links.add(key_choices.changed, self._show)
        self._show()

    def _choose_turbo(self, is_on: bool) -> None:
        self._session.turbo = is_on

    def _choose_overlap(self, index: int) -> None:
        self._session.overlap = self._overlap.itemData(index)

    def _show(self, event: Any = None) -> None:
        self._turbo.setText(titled(TURBO.title, TURBO.key))
        self._turbo.setToolTip(TURBO.tooltip)
        self._turbo.setChecked(self._session.turbo)
        self._overlap.setCurrentIndex(self._overlap.findData(self._session.overlap))
