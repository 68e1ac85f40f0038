"""The table of objects: a view of the list, in which only the lines on screen cost anything."""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple

from qtpy.QtCore import QAbstractTableModel, QModelIndex, QSize, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView

from napari_sam.widgets.object_text import REVIEWED, SizeUnit, planes_text, score_text
from napari_sam.widgets.review import Review

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
CENTER = Qt.AlignmentFlag.AlignCenter
DESCENDING = Qt.SortOrder.DescendingOrder
ARROWS = {Qt.SortOrder.AscendingOrder: "▴", DESCENDING: "▾"}
N_ROWS_LEAST = 4
WIDTH = 380
MARGIN = 14
"""Pixels beside the text of a cell, at both sides together."""


class Column(NamedTuple):
    """A column: how it is sorted, its title, how it is set, and a tip."""

    key: str
    title: str
    alignment: Qt.AlignmentFlag
    tip: str


COLUMNS = (
    Column("label", "Id", RIGHT, "Number in the labels."),
    Column("planes", "Planes", CENTER, "First and last plane that it is on."),
    Column("area", "Size", RIGHT, "Area, or volume: all planes together."),
    Column("score", "Score", CENTER, "Predicted IoU, the lowest of all its planes."),
    Column("reviewed", REVIEWED, CENTER, "Somebody has looked at it and accepted it."),
    Column("suspicion", "Why", LEFT, "Why to look at it; the most suspicious come first."),
)
PLANES = 1
WHY = len(COLUMNS) - 1
END_KEYS = {Qt.Key.Key_Home: 0, Qt.Key.Key_End: -1}


class ObjectsModel(QAbstractTableModel):
    """The objects of a review in their order, for Qt; texts are made when they are shown.

    What is shown stays, whatever happens to the objects, until `show_all`.
    """

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review
        self._order, self._objects = review.order, copy(review.objects)
        self._sorted = WHY, DESCENDING
        self.unit = SizeUnit()

    def show_all(self) -> None:
        """Show the list as it is now."""
        self.beginResetModel()
        self._order, self._objects = self._review.order, copy(self._review.objects)
        self.unit = SizeUnit.of(self._review.session.image)
        self.endResetModel()

    @property
    def has_planes(self) -> bool:
        """Whether there is more than one plane that an object can be on."""
        return self._objects is not None and len(self._objects.shape) > 2

    def widest(self) -> dict[str, str]:
        """Return the longest text of each column but the last, about."""
        texts = {column.key: self._title(i) for i, column in enumerate(COLUMNS[:-1])}
        if self._objects is not None and len(rows := self._objects.rows):
            highest = rows["last"].max(axis=0).tolist()
            longest = {
                "label": f"{rows['label'].max()}",
                "planes": ", ".join(f"{n}–{n}" for n in highest),
                "area": max(map(self.unit.tell, (rows["area"].max(), 10)), key=len),
            }
            texts |= {key: max(texts[key], text, key=len) for key, text in longest.items()}
        return texts

    def label(self, line: int) -> int:
        """Return the object on a line."""
        return int(self._row(line)["label"])

    def line(self, label: int) -> int | None:
        """Return the line of an object; None if it is not shown."""
        index = None if self._objects is None else self._objects.index(label)
        lines = [] if index is None else (self._order == index).nonzero()[0].tolist()
        return lines[0] if lines else None

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many objects there are."""
        return 0 if parent is not None and parent.isValid() else len(self._order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """Return how many columns there are."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Return the text of a cell, its tip, or how it is set."""
        column = COLUMNS[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return column.alignment
        if role == Qt.ItemDataRole.DisplayRole:
            return self._text(index.row(), column.key)
        if role == Qt.ItemDataRole.ToolTipRole and column.key == "suspicion":
            return self._text(index.row(), column.key) or "Nothing is odd about it."
        return None

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Return the title of a column, its tip, or how it is set."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        column = COLUMNS[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return self._title(section)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return column.alignment
        return column.tip if role == Qt.ItemDataRole.ToolTipRole else None

    def sort(self, column: int, order: Qt.SortOrder = DESCENDING) -> None:
        """Sort, as the user has clicked a title."""
        self._sorted = column, order
        self._review.sort(COLUMNS[column].key, descending=order == DESCENDING)

    def _title(self, section: int) -> str:
        """Return the title of a column, with an arrow if it is the one sorted by.

        Qt draws an arrow of its own over titles that leave no room for it.
        """
        title = self.unit.text if COLUMNS[section].key == "area" else COLUMNS[section].title
        column, order = self._sorted
        return f"{title} {ARROWS[order]}" if section == column else title

    def _row(self, line: int) -> Any:
        return self._objects.rows[self._order[line]]  # type: ignore[union-attr]

    def _text(self, line: int, key: str) -> str:
        row = self._row(line)
        if key == "label":
            return f"{row['label']}"
        if key == "planes":
            return planes_text(row)
        if key == "area":
            return self.unit.tell(int(row["area"]))
        if key == "score":
            return score_text(row)
        if key == "reviewed":
            return REVIEWED if row["is_reviewed"] else ""
        return ", ".join(self._objects.reasons(int(self._order[line])))  # type: ignore[union-attr]


class ObjectTable(QTableView):
    """Shows the objects, one line each; one is chosen.

    Attributes
    ----------
    chosen : Signal of int
        Emitted with the object of a line that the user has moved to, by mouse or keys.
    pressed_key : Signal of QKeyEvent
        Emitted with a key that the table itself has no use for; accept it to keep it.
    """

    chosen = Signal(int)
    opened = Signal()
    pressed_key = Signal(object)

    def __init__(self, model: ObjectsModel) -> None:
        super().__init__()
        self._objects, self._is_showing = model, False
        self.setModel(model)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setShowGrid(False)
        self.verticalHeader().hide()
        self._set_sizes()
        self.setSortingEnabled(True)
        self.horizontalHeader().setSortIndicator(WHY, DESCENDING)
        self.horizontalHeader().setSortIndicatorShown(False)  # the title shows it
        self.selectionModel().currentRowChanged.connect(self._on_row)
        self.doubleClicked.connect(self._on_double_click)

    def show_all(self, current: int | None) -> None:
        """Show the list as it is now, with an object chosen; the user sees the same lines."""
        at, was_away = self.verticalScrollBar().value(), self._has_scrolled_away(current)
        self._is_showing = True
        self._objects.show_all()
        self.setColumnHidden(PLANES, not self._objects.has_planes)
        self._set_widths()
        self.verticalScrollBar().setValue(at)
        self._is_showing = False
        self.choose(current)
        if was_away:
            self.verticalScrollBar().setValue(at)

    def choose(self, label: int | None) -> None:
        """Choose the line of an object, without telling that the user has."""
        line = None if label is None else self._objects.line(label)
        self._is_showing = True
        if line is None:
            self.setCurrentIndex(QModelIndex())
        elif line != self.currentIndex().row():
            self.selectRow(line)
            self.scrollTo(self.currentIndex())
        self._is_showing = False

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Let others take keys first; letters do not search."""
        if event is None:
            return
        event.ignore()
        self.pressed_key.emit(event)
        if event.isAccepted():
            return
        if event.key() in END_KEYS and (n_lines := self._objects.rowCount()):
            self.selectRow(END_KEYS[event.key()] % n_lines)
            return
        if event.text().strip() and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            return
        super().keyPressEvent(event)

    def _has_scrolled_away(self, label: int | None) -> bool:
        """Whether the user has scrolled so far that the line of an object, once chosen, is gone."""
        index = self.currentIndex()
        if label is None or not index.isValid() or self._objects.label(index.row()) != label:
            return False
        return not self.visualRect(index).intersects(self.viewport().rect())

    def _set_sizes(self) -> None:
        header, rows = self.horizontalHeader(), self.verticalHeader()
        height = self.fontMetrics().lineSpacing() + 6
        header.setHighlightSections(False)
        header.setMinimumSectionSize(MARGIN)
        header.setSectionResizeMode(WHY, QHeaderView.ResizeMode.Stretch)
        rows.setMinimumSectionSize(height)
        rows.setDefaultSectionSize(height)
        rows.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setMinimumHeight(height * (N_ROWS_LEAST + 1))

    def _set_widths(self) -> None:
        """Give each column the room of its longest text, and the last one the rest."""
        metrics = self.fontMetrics()
        for section, text in enumerate(self._objects.widest().values()):
            self.horizontalHeader().resizeSection(section, metrics.horizontalAdvance(text) + MARGIN)

    def sizeHint(self) -> QSize:
        """Ask for room for the reasons."""
        return QSize(WIDTH, 300)

    def _on_row(self, now: QModelIndex, before: QModelIndex) -> None:
        if now.isValid() and not self._is_showing:
            self.chosen.emit(self._objects.label(now.row()))

    def _on_double_click(self, index: QModelIndex) -> None:
        self.opened.emit()
