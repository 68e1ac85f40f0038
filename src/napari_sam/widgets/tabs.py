"""Docks of the plugin share one place, as one alone fills the height of a small screen."""

from __future__ import annotations

from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


def share_place(widget: QWidget, kind: type[QWidget]) -> None:
    """Put the dock of a widget into a tab on top of the dock of a widget of another kind.

    Only if both are in the same area of one window, one above the other.
    """
    window, dock = widget.window(), _dock(widget)
    if not isinstance(window, QMainWindow) or dock is None or dock.isFloating():
        return
    for other in map(_dock, window.findChildren(kind)):
        if (
            other is not None
            and not other.isFloating()
            and window.dockWidgetArea(other) == window.dockWidgetArea(dock)
            and dock not in window.tabifiedDockWidgets(other)
        ):
            window.tabifyDockWidget(other, dock)
            dock.raise_()


def _dock(widget: QWidget | None) -> QDockWidget | None:
    while widget is not None and not isinstance(widget, QDockWidget):
        widget = widget.parentWidget()
    return widget
