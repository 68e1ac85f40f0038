"""A hand on mouse and keyboard: real events on the canvas of a real napari window.

For the pictures of the documentation, the demo and the benchmarks. Needs a display, or a virtual
one: ``xvfb-run -a -s "-screen 0 1366x768x24" python -m …``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import napari
import numpy as np
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

Place = tuple[float, float]
"""(row, column) of an image without scale or translation."""

LEFT = Qt.MouseButton.LeftButton
PLAIN, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier


def wait_until(is_done: Callable[[], object], seconds: float = 60) -> None:
    """Let the window live until something is done."""
    end = time.monotonic() + seconds
    while not is_done():
        QApplication.processEvents()
        time.sleep(0.002)
        if time.monotonic() > end:
            raise TimeoutError("The window did not get there in time.")


def wait(seconds: float) -> None:
    """Let the window live for a while."""
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end, seconds + 60)


class Hand:
    """Moves, clicks, drags and types over the canvas of the one viewer there is."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._camera = viewer.scene.camera
        self._canvas: QWidget = next(
            widget
            for widget in QApplication.allWidgets()
            if type(widget).__name__.startswith("CanvasBackend")
        )

    def at(self, place: Place) -> QPoint:
        """Return where on the canvas a place of the image is."""
        size = np.array([self._canvas.height(), self._canvas.width()])
        center = np.array(self._camera.center[-2:])
        y, x = (np.array(place) - center) * self._camera.zoom + size / 2
        return QPoint(round(x), round(y))

    def move(self, place: Place) -> None:
        """Move the mouse."""
        QTest.mouseMove(self._canvas, self.at(place))
        wait(0.1)

    def press(self, place: Place, *, shift: bool = False) -> None:
        """Click the left button at once, without hovering first."""
        QTest.mouseClick(self._canvas, LEFT, SHIFT if shift else PLAIN, self.at(place))

    def click(self, place: Place, *, shift: bool = False) -> None:
        """Move the mouse there and click the left button."""
        self.move(place)
        self.press(place, shift=shift)
        wait(0.1)

    def drag(self, start: Place, stop: Place) -> None:
        """Drag with the left button."""
        self.move(start)
        QTest.mousePress(self._canvas, LEFT, PLAIN, self.at(start))
        for share in (0.3, 0.6, 1.0):
            y, x = np.array(start) + share * (np.array(stop) - np.array(start))
            self.move((y, x))
        QTest.mouseRelease(self._canvas, LEFT, PLAIN, self.at(stop))
        wait(0.1)

    def key(self, key: Qt.Key) -> None:
        """Press a key."""
        QTest.keyClick(self._canvas, key)
        wait(0.1)
