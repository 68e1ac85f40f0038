"""A hand on mouse and keyboard: real events on the canvas of a real napari window.

For the pictures of the documentation, the demo and the benchmarks. Needs a display, or a virtual
one: ``xvfb-run -a -s "-screen 0 1366x768x24" python -m …``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import napari
import numpy as np
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

Place = tuple[float, float]
"""(row, column) of an image without scale or translation."""

LEFT = Qt.MouseButton.LeftButton
PLAIN, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
ALT, CONTROL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
NOTCH = 120
"""What Qt calls one notch of a wheel."""


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
    """Moves, clicks, drags, turns the wheel and types over the canvas of a viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        The one there is.
    pause : float
        Seconds that the window gets after each thing done.
    """

    def __init__(self, viewer: napari.Viewer, pause: float = 0.1) -> None:
        self._camera = viewer.scene.camera
        self._pause = pause
        self._canvas: QWidget = next(
            widget
            for widget in QApplication.allWidgets()
            if type(widget).__name__.startswith("CanvasBackend")
        )

    @property
    def corner(self) -> tuple[int, int]:
        """Where the canvas begins in its window, (x, y)."""
        corner = self._canvas.mapTo(self._canvas.window(), QPoint())
        return corner.x(), corner.y()

    def at(self, place: Place) -> QPoint:
        """Return where on the canvas a place of the image is."""
        size = np.array([self._canvas.height(), self._canvas.width()])
        center = np.array(self._camera.center[-2:])
        y, x = (np.array(place) - center) * self._camera.zoom + size / 2
        return QPoint(round(x), round(y))

    def move(self, place: Place) -> None:
        """Move the mouse; where it is already, it moves away first, or nothing would be heard."""
        QTest.mouseMove(self._canvas, self.at(place) + QPoint(1, 0))
        QTest.mouseMove(self._canvas, self.at(place))
        wait(self._pause)

    def press(self, place: Place, modifier: Qt.KeyboardModifier = PLAIN) -> None:
        """Click the left button at once, without hovering first."""
        QTest.mouseClick(self._canvas, LEFT, modifier, self.at(place))

    def click(self, place: Place, modifier: Qt.KeyboardModifier = PLAIN) -> None:
        """Move the mouse there and click the left button."""
        self.move(place)
        self.press(place, modifier)
        wait(self._pause)

    def double_click(self, place: Place) -> None:
        """Move the mouse there, and press and release the left button twice."""
        self.click(place)
        QTest.mouseDClick(self._canvas, LEFT, PLAIN, self.at(place))
        QTest.mouseRelease(self._canvas, LEFT, PLAIN, self.at(place))
        wait(self._pause)

    @contextmanager
    def dragging(
        self, path: Iterable[Place], modifier: Qt.KeyboardModifier = PLAIN
    ) -> Iterator[None]:
        """Drag with the left button along a path; release it when the block is left."""
        start, *others = path
        self.move(start)
        QTest.mousePress(self._canvas, LEFT, modifier, self.at(start))
        stop = start
        for stop in others:
            self.move(stop)
        yield
        QTest.mouseRelease(self._canvas, LEFT, modifier, self.at(stop))
        wait(self._pause)

    def drag(self, start: Place, stop: Place, modifier: Qt.KeyboardModifier = PLAIN) -> None:
        """Drag with the left button, in a straight line."""
        steps = np.linspace(0, 1, 5)[:, None]
        path = np.array(start) + steps * (np.array(stop) - np.array(start))
        with self.dragging([tuple(place) for place in path.tolist()], modifier):
            pass

    def wheel(self, place: Place, notches: int, modifier: Qt.KeyboardModifier = PLAIN) -> None:
        """Turn the wheel over a place; as Qt does, Alt turns it into a horizontal one."""
        turn = QPoint(notches * NOTCH, 0) if modifier & ALT else QPoint(0, notches * NOTCH)
        point = QPointF(self.at(place))
        event = QWheelEvent(
            point,
            self._canvas.mapToGlobal(point),
            QPoint(),
            turn,
            Qt.MouseButton.NoButton,
            modifier,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self._canvas, event)
        wait(self._pause)

    def key(self, key: Qt.Key, modifier: Qt.KeyboardModifier = PLAIN) -> None:
        """Press a key."""
        QTest.keyClick(self._canvas, key, modifier)
        wait(self._pause)

    @contextmanager
    def holding(self, key: Qt.Key, modifier: Qt.KeyboardModifier = PLAIN) -> Iterator[None]:
        """Hold a key down while in the block."""
        QTest.keyPress(self._canvas, key, modifier)
        wait(self._pause)
        yield
        QTest.keyRelease(self._canvas, key)
        wait(self._pause)
