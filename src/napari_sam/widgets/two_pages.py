"""Two pages in one place: what is used all the time, and what seldom is; a button turns them."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton, QStackedWidget, QWidget

from napari_sam.widgets.scrolled import Column

STYLE = "QPushButton { text-align: left; padding: 4px; }"


class TwoPages(QWidget):
    """Shows one of two widgets; has room for either, so that nothing moves when they change.

    Parameters
    ----------
    often, seldom : QWidget
        The first is shown at first.
    title, back : str
        Of the button, before `seldom` is shown, and meanwhile.
    tip : str
        What `seldom` is.

    Attributes
    ----------
    button : QPushButton
        Turns the page.
    """

    def __init__(self, often: QWidget, seldom: QWidget, *, title: str, back: str, tip: str) -> None:
        super().__init__()
        self._titles = title, back
        self._pages, self.button = QStackedWidget(), QPushButton()
        self._pages.addWidget(often)
        self._pages.addWidget(seldom)
        self.button.setObjectName("turn")
        self.button.setStyleSheet(STYLE)
        self.button.setToolTip(tip)
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.button.clicked.connect(self._turn)
        column = Column(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._pages)
        column.addWidget(self.button)
        self._show(0)

    def _turn(self) -> None:
        self._show(1 - self._pages.currentIndex())

    def _show(self, index: int) -> None:
        self._pages.setCurrentIndex(index)
        self.button.setText(self._titles[index])
