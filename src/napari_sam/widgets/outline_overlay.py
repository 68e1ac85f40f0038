"""A sheet of glass over the canvas of a napari window, for the outline under the cursor."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF, QRegion
from qtpy.QtWidgets import QWidget

from napari_sam.widgets.canvas import canvas_of
from napari_sam.widgets.hover_outline import HoverOutline
from napari_sam.widgets.preview import COLORS, HOVER_EDGE, NEGATIVE_EDGE

WIDTH, SHADOW_WIDTH = 2.0, 4.0
SHADOW = QColor(0, 0, 0, 110)
"""Around the line, so that it can be seen on bright images too."""


class OutlineOverlay(QWidget):
    """Paints an outline; the mouse goes through it.

    Qt lays it over the canvas as that was drawn last, which takes a third of drawing the canvas,
    and paints only where lines were and are.

    Parameters
    ----------
    canvas : QWidget
        What it covers, and lives as long as.
    outline : HoverOutline
        What it shows.
    """

    def __init__(self, canvas: QWidget, outline: HoverOutline) -> None:
        super().__init__(canvas)
        self._outline = outline
        self._lines: list[QPolygonF] = []
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(Qt.WidgetAttribute.WA_NoSystemBackground)
        self.hide()
        outline.changed.connect(self._on_change)

    def _on_change(self) -> None:
        canvas = self.parentWidget()
        if self._outline.shown is None or canvas is None:
            self.hide()
            return
        self.setGeometry(canvas.rect())
        before = self._touched()
        self._lines = [
            QPolygonF([QPointF(x, y) for x, y in line.tolist()])
            for line in self._outline.on_screen((self.height(), self.width()))
        ]
        self.show()
        self.update(before | self._touched())

    def _touched(self) -> QRegion:
        """Return the part of the canvas that the lines are in."""
        box = QRectF()
        for line in self._lines:
            box |= line.boundingRect()
        margin = SHADOW_WIDTH
        box.adjust(-margin, -margin, margin, margin)
        return QRegion((box & QRectF(self.rect())).toAlignedRect())

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw the lines."""
        outline = self._outline.shown
        if outline is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        color = COLORS[HOVER_EDGE if outline.positive else NEGATIVE_EDGE]
        for pen in (QPen(SHADOW, SHADOW_WIDTH), QPen(QColor.fromRgbF(*color), WIDTH)):
            painter.setPen(pen)
            for line in self._lines:
                painter.drawPolyline(line)
        painter.end()


def lay_over_canvas(dock: QWidget, outline: HoverOutline) -> None:
    """Show an outline on the canvas of the window that a dock belongs to, floating or not."""
    canvas = canvas_of(dock)
    if canvas is not None and canvas.findChild(OutlineOverlay) is None:
        OutlineOverlay(canvas, outline)
