"""A list of models: two lines each, under the headings of their groups."""

from __future__ import annotations

from itertools import groupby

from qtpy.QtCore import QModelIndex, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QFont, QFontMetrics, QKeyEvent, QPainter, QPen, QResizeEvent
from qtpy.QtWidgets import (
    QApplication,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
)

from napari_sam.widgets.colors import BLUE
from napari_sam.widgets.model_rows import GROUPS, Row

ROW = Qt.ItemDataRole.UserRole
FAINT = 0.8
"""Opacity of what is said aside, but on the line that is chosen, where contrast is less."""
MARGIN = 6
DOT = 9
NOTHING_OWN = "None yet: Import … takes your own checkpoints."


class ModelList(QListWidget):
    """Shows `Row`s; one of them is chosen."""

    chosen = Signal()
    used = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setItemDelegate(_Delegate(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setMinimumHeight(70)
        self.currentItemChanged.connect(self._on_current)
        self.itemDoubleClicked.connect(self._on_double_click)

    @property
    def current(self) -> Row | None:
        """The row chosen."""
        item = self.currentItem()
        return item.data(ROW) if item else None

    def show_rows(self, rows: list[Row]) -> None:
        """Show models, in groups; the one chosen stays chosen if it is still there."""
        items = [item for item in map(self.item, range(self.count())) if item.data(ROW)]
        if [item.data(ROW).name for item in items] == [row.name for row in rows]:
            for item, row in zip(items, rows, strict=True):
                _fill(item, row)
            return
        name = self.current.name if self.current else ""
        self.blockSignals(True)
        self.clear()
        for group, members in groupby(rows, lambda row: row.group):
            self._add_heading(group)
            for row in members:
                item = QListWidgetItem(self)
                _fill(item, row)
        if all(row.group != GROUPS[-1] for row in rows):
            self._add_heading(GROUPS[-1])
            self._add_heading(NOTHING_OWN, is_hint=True)
        self.blockSignals(False)
        self.choose(name)

    def choose(self, name: str) -> None:
        """Choose a model by its name, or the first one if there is none of that name."""
        items = [item for item in map(self.item, range(self.count())) if item.data(ROW)]
        for item in items:
            if item.data(ROW).name == name:
                self.setCurrentItem(item)
                return
        if items:
            self.setCurrentItem(items[0])

    def sizeHint(self) -> QSize:
        """Ask for the room of half a dozen models."""
        return QSize(360, 360)

    def resizeEvent(self, event: QResizeEvent | None) -> None:
        """Keep the one chosen in sight."""
        super().resizeEvent(event)
        if item := self.currentItem():
            self.scrollToItem(item)

    def keyPressEvent(self, event: QKeyEvent | None) -> None:
        """Take Enter for a double click."""
        if event is not None and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.used.emit()
        else:
            super().keyPressEvent(event)

    def _add_heading(self, text: str, *, is_hint: bool = False) -> None:
        item = QListWidgetItem(text, self)
        item.setFlags(Qt.ItemFlag.NoItemFlags)
        font = self.font()
        font.setBold(not is_hint)
        font.setItalic(is_hint)
        item.setFont(font)

    def _on_current(self, item: QListWidgetItem | None, before: object) -> None:
        self.chosen.emit()

    def _on_double_click(self, item: QListWidgetItem) -> None:
        self.used.emit()


def _fill(item: QListWidgetItem, row: Row) -> None:
    if item.data(ROW) != row:
        item.setData(ROW, row)
        item.setText(f"{row.name}, {row.state}")  # read out, and found by typing
        item.setToolTip(f"{row.spec.description}\n{row.facts}")


class _Delegate(QStyledItemDelegate):
    """Paints name and state on the first line, purpose and licence on the second."""

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        line = option.fontMetrics.lineSpacing()
        if index.data(ROW):
            return QSize(0, 2 * line + 2 * MARGIN)
        return QSize(0, line + 2 * MARGIN)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        row = index.data(ROW)
        option = QStyleOptionViewItem(option)  # Qt paints all items with the same one
        self.initStyleOption(option, index)
        text, option.text = option.text, ""
        style = option.widget.style() if option.widget else QApplication.style()
        painter.save()
        ink = option.widget.palette().text().color()
        area = QRectF(option.rect).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        if row is None:
            painter.setFont(option.font)
            painter.setPen(_faint(ink))
            painter.drawText(area, Qt.AlignmentFlag.AlignBottom, text)
        else:
            style.drawControl(QStyle.ControlElement.CE_ItemViewItem, option, painter, option.widget)
            is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
            _paint_row(painter, area, row, option.font, (ink, ink if is_chosen else _faint(ink)))
        painter.restore()


def _paint_row(
    painter: QPainter, area: QRectF, row: Row, font: QFont, inks: tuple[QColor, QColor]
) -> None:
    ink, faint = inks
    line = QFontMetrics(font).lineSpacing()
    dot = QRectF(area.left(), area.top() + (line - DOT) / 2, DOT, DOT)
    _paint_dot(painter, dot, row.share, ink)
    first = QRectF(area.left() + DOT + MARGIN, area.top(), 0, line)
    first.setRight(area.right())
    second = first.translated(0, line)
    bold = QFont(font)
    bold.setBold(True)
    small = QFont(font)
    small.setPointSizeF(0.9 * font.pointSizeF())
    state = f"in use · {row.state}" if row.is_used else row.state
    _paint_ends(painter, first, (row.name, bold, ink), (state, small, ink))
    _paint_ends(painter, second, (row.purpose, small, faint), (row.spec.licence, small, faint))


def _paint_ends(
    painter: QPainter,
    area: QRectF,
    left: tuple[str, QFont, QColor],
    right: tuple[str, QFont, QColor],
) -> None:
    """Write two texts at the ends of a line; the left one gives way."""
    text, font, color = right
    painter.setFont(font)
    painter.setPen(color)
    middle = Qt.AlignmentFlag.AlignVCenter
    painter.drawText(area, middle | Qt.AlignmentFlag.AlignRight, text)
    room = area.width() - QFontMetrics(font).horizontalAdvance(text) - 2 * MARGIN
    text, font, color = left
    painter.setFont(font)
    painter.setPen(color)
    text = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, int(room))
    painter.drawText(area, middle | Qt.AlignmentFlag.AlignLeft, text)


def _paint_dot(painter: QPainter, area: QRectF, share: float, ink: QColor) -> None:
    """Paint a disc, filled as far as the weights are here."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    here = QColor.fromRgbF(*BLUE)
    painter.setPen(QPen(here if share else _faint(ink), 1.2))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawEllipse(area)
    if share:
        painter.setBrush(here)
        painter.drawPie(area, 90 * 16, round(-360 * 16 * share))


def _faint(color: QColor) -> QColor:
    faint = QColor(color)
    faint.setAlphaF(FAINT)
    return faint
