"""A column that scrolls when the window is too low for it, and is never cut at the side."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, QSize, Qt
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

LEAST_HEIGHT = 200


class Column(QVBoxLayout):
    """Widgets one above the other, of which texts get less room before anything is scrolled."""

    def hasHeightForWidth(self) -> bool:
        """Else a scroll area would give everything the height that it asks for."""
        return False


class Scrolled(QScrollArea):
    """Shows a widget; asks for its room, and scrolls if there is too little.

    Parameters
    ----------
    content : QWidget
        Complete, and laid out as a `Column`. Boxes that it holds do not change when the wheel turns
        over them in passing.
    """

    def __init__(self, content: QWidget) -> None:
        super().__init__()
        self.setWidget(content)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        content.installEventFilter(self)
        for kind in (QComboBox, QAbstractSpinBox):
            for box in content.findChildren(kind):
                box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                box.installEventFilter(self)

    def minimumSizeHint(self) -> QSize:
        """Ask for the width of the content, beside the bar."""
        hint = self._content.minimumSizeHint()
        return QSize(hint.width() + self._bar_width, min(hint.height(), LEAST_HEIGHT))

    def sizeHint(self) -> QSize:
        """Ask for the room of the content."""
        return self._content.sizeHint() + QSize(self._bar_width, 0)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
        """Follow the content's size; scroll past boxes that are not being changed."""
        if event is None:
            return False
        if watched is self._content and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        if isinstance(watched, QComboBox | QAbstractSpinBox):
            is_passing = event.type() == QEvent.Type.Wheel and not watched.hasFocus()
            if is_passing:
                event.ignore()
            return is_passing
        return super().eventFilter(watched, event)

    @property
    def _content(self) -> QWidget:
        content = self.widget()
        assert content is not None
        return content

    @property
    def _bar_width(self) -> int:
        bar = self.verticalScrollBar()
        assert bar is not None
        return bar.sizeHint().width()
