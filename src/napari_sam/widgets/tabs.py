"""Docks of the plugin share one place, as one alone fills the height of a small screen."""

from __future__ import annotations

import atexit
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QTimer, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QDockWidget, QMainWindow, QVBoxLayout, QWidget

from napari_sam.widgets.canvas import delete_in_own_context
from napari_sam.widgets.layers import unwrap
from napari_sam.widgets.scrolled import Scrolled

if TYPE_CHECKING:
    import napari

SUFFIX = " (napari-sam)"
"""What napari puts behind the names of this plugin's docks."""


class Tab(QWidget):
    """The content of a dock that becomes a tab on top of those of its like, when it is placed.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Given by napari.

    Attributes
    ----------
    closed : Signal
        Emitted when the dock has been closed for good (its ✕), which takes it its content.
    """

    closed = Signal()

    def __init__(self, viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._layers = weakref.ref(unwrap(viewer).layers)
        self._is_placed = False
        self._ends: list[Callable[[], object]] = []
        if not _ALL:
            atexit.register(_end_all)  # not before Qt has done so: what comes last is called first
        _ALL.add(self)

    def hold(self, content: QWidget) -> None:
        """Show a widget, which is complete; it scrolls where there is too little room.

        So the window never grows for a dock, whatever else is above or below it.
        """
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(Scrolled(content))

    def showEvent(self, event: QShowEvent | None) -> None:
        """Have layers leave the canvas without a crash, from now on."""
        super().showEvent(event)
        if (layers := self._layers()) is not None:
            delete_in_own_context(self, layers)

    def changeEvent(self, event: QEvent | None) -> None:
        """Hear of a dock, or that it has been closed, which napari tells in no other way."""
        super().changeEvent(event)
        if event is None or event.type() != QEvent.Type.ParentChange:
            return
        dock = self.parentWidget()
        if dock is None:
            self.closed.emit()
        elif isinstance(dock, QDockWidget):
            dock.dockLocationChanged.connect(self._share_place)

    def at_end(self, end: Callable[..., object]) -> None:
        """Have a function called, once, when the dock or the window has been closed.

        It must not hold the widget. It outlives the widget, whoever takes that away: were it kept
        by the widget alone, Python might have taken the function apart before Qt calls it.
        """
        finalize = weakref.finalize(self, end)
        finalize.atexit = False
        self._ends.append(finalize)
        self.closed.connect(finalize)
        self.destroyed.connect(finalize)

    def _share_place(self) -> None:
        """Join those that are in the same area of the window already, before anything is drawn."""
        dock = _dock(self)
        window = None if dock is None else dock.parentWidget()
        if self._is_placed or dock is None or not isinstance(window, QMainWindow):
            return
        self._is_placed = True
        for other in (_dock(tab) for tab in window.findChildren(Tab) if tab._is_placed):
            if (
                other is not None
                and other is not dock
                and not other.isFloating()
                and window.dockWidgetArea(other) == window.dockWidgetArea(dock)
            ):
                was_blocked = dock.blockSignals(True)  # napari saves its settings at each
                window.tabifyDockWidget(other, dock)
                dock.blockSignals(was_blocked)
                break
        QTimer.singleShot(0, self._come_forward)  # napari has not named the dock yet

    def _come_forward(self) -> None:
        if (dock := _dock(self)) is not None:
            _shorten(dock)
            dock.raise_()


_ALL: weakref.WeakSet[Tab] = weakref.WeakSet()


def _end_all() -> None:
    """End what is open when Python ends, before Qt takes its objects away one by one."""
    for end in [end for tab in _ALL for end in tab._ends]:
        end()


def _shorten(dock: QDockWidget) -> None:
    """Have the tab of a dock not name the plugin too, or three tabs would be cut already.

    The bar of the dock and the menu still do.
    """
    action = dock.toggleViewAction()
    name = action.text()
    dock.setWindowTitle(dock.windowTitle().removesuffix(SUFFIX))
    action.setText(name)


def _dock(widget: QWidget | None) -> QDockWidget | None:
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
