"""What is done with the object: kept, dropped, deleted; and back and forth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_sam.widgets.action_button import ActionButton
from napari_sam.widgets.keys import DELETE, DELETE_HERE, DROP, FOLLOW, KEEP, REDO, UNDO
from napari_sam.widgets.rows import side_by_side

if TYPE_CHECKING:
    from napari_sam.widgets.hand import Hand
    from napari_sam.widgets.links import Links

REPLACE, LEAVE = "Replace", "Leave it"
"""What Keep and Drop mean for an object that was opened again."""

IMAGE_FIRST = "Without an image there is nothing to keep, drop or undo."


class KeepRows(QWidget):
    """Which object this is, and what can be done with it."""

    def __init__(self, hand: Hand, links: Links) -> None:
        super().__init__()
        self._session = hand.session
        self._object = QLabel(objectName="object")
        self._keep = ActionButton(KEEP, hand, links, REPLACE)
        self._drop = ActionButton(DROP, hand, links, LEAVE)
        self._delete, self._delete_here, self._undo, self._redo = (
            ActionButton(action, hand, links) for action in (DELETE, DELETE_HERE, UNDO, REDO)
        )
        self._follow = ActionButton(FOLLOW, hand, links)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(side_by_side(self._object, self._follow, spacing=4))
        rows = (self._keep, self._drop), (self._undo, self._redo)
        for row in (*rows, (self._delete, self._delete_here)):
            column.addLayout(side_by_side(*row, spacing=4))
        links.add(self._session.layers_changed, self._show)
        links.add(self._session.draft_changed, self._show)
        self._show()

    def _show(self) -> None:
        """Show the number of the object, and what the keys would do to it."""
        session, label = self._session, self._session.draft.label
        is_new = label is None
        if is_new:
            number = "without a number" if session.n_ids_left == 0 else session.coming_label or "…"
            self._object.setText(f"Object {number}")
        else:
            self._object.setText(f"<b>Object {label}</b>, opened again")
        self._keep.set_title(KEEP.title if is_new else REPLACE)
        self._drop.set_title(DROP.title if is_new else LEAVE)
        self._follow.setVisible(session.has_planes)
        for button in (self._keep, self._drop, self._undo, self._redo):
            button.refuse("" if session.image is not None else IMAGE_FIRST)
        for button in (self._delete, self._delete_here):
            button.setEnabled(not is_new)
