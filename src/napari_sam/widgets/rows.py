"""Widgets side by side."""

from __future__ import annotations

from qtpy.QtWidgets import QHBoxLayout, QWidget


def side_by_side(*widgets: QWidget, spacing: int | None = None) -> QHBoxLayout:
    """Return a row of widgets that share the width evenly."""
    row = QHBoxLayout()
    if spacing is not None:
        row.setSpacing(spacing)
    for widget in widgets:
        row.addWidget(widget, 1)
    return row
