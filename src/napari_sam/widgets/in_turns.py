"""Steps that take a while each, done when nobody waits for anything else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtWidgets import QApplication

PAUSE_MS = 60
"""Between two steps: enough for the canvas to be drawn, and for what the hand does."""


class InTurns(QObject):
    """Goes through iterables on the main thread, one step at a time, and pauses after each.

    While a button of the mouse is down, it waits: a step in the middle of a drag would be felt.

    Parameters
    ----------
    parent : QObject
        It ends with that.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._steps: Iterator[object] = iter(())
        self._timer = QTimer(self)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._take_step)

    def start(self, steps: Iterable[object]) -> None:
        """Begin with other steps; those left of others are forgotten."""
        self._steps = iter(steps)
        self._timer.start()

    def stop(self) -> None:
        """Forget the steps that are left."""
        self.start(())
        self._timer.stop()

    def _take_step(self) -> None:
        if QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            return
        self._timer.stop()  # a step may take longer than a pause
        for _ in self._steps:
            self._timer.start()
            return
