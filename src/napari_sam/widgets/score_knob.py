"""A threshold for a score: a slider under the histogram of what it acts on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QDoubleSpinBox, QLabel, QSizePolicy, QWidget
from superqt import QDoubleSlider

from napari_sam.widgets.colors import BLUE

N_BINS = 32
HANDLE_PX = 8
"""From the end of a slider to the middle of its handle there, about."""

KEPT, DROPPED = QColor.fromRgbF(*BLUE), QColor(140, 140, 140, 150)
"""Dropped candidates are gray, which shows on dark and light."""

NOTCH, LEAST_RANGE = 0.05, 0.1
"""Sliders begin and end at round numbers, and are not finer than a hand can move them."""


class Histogram(QWidget):
    """How many candidates have which score, and which of them are kept."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: NDArray[np.float64] = np.zeros(N_BINS)
        self._low, self._high = 0.0, 1.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Ask for little."""
        return QSize(80, 22)

    def show_scores(self, scores: ArrayLike, low: float, high: float) -> None:
        """Count scores; those beyond the range count at its ends."""
        there = np.asarray(scores, float)
        there = np.clip(there[np.isfinite(there)], low, high)
        counts, _ = np.histogram(there, N_BINS, (low, max(high, low + 1e-9)))
        self._counts = np.sqrt(counts)  # a few of another kind stay in sight
        self.update()

    def show_kept(self, low: float, high: float) -> None:
        """Tell which part of the range is kept, as shares of it."""
        self._low, self._high = low, high
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:
        """Draw a bar for each bin."""
        painter = QPainter(self)
        highest = self._counts.max()
        width = (self.width() - 2 * HANDLE_PX) / N_BINS
        for i in np.flatnonzero(self._counts).tolist():
            height = max(2, round(self._counts[i] / highest * (self.height() - 2)))
            is_kept = self._low <= (i + 0.5) / N_BINS <= self._high
            left, right = (round(HANDLE_PX + k * width) for k in (i, i + 1))
            painter.fillRect(
                left,
                self.height() - height,
                max(1, right - left - 1),
                height,
                KEPT if is_kept else DROPPED,
            )
        painter.end()


class ScoreKnob(QWidget):
    """A slider, its number and its histogram; whoever makes it puts these side by side.

    Attributes
    ----------
    label, histogram, slider, number : QWidget
        The parts.
    """

    changed = Signal()

    def __init__(self, name: str, tip: str) -> None:
        super().__init__()
        self._floor = 0.0
        self.label, self.histogram = QLabel(name), Histogram()
        self.slider = QDoubleSlider()  # type: ignore[no-untyped-call]
        self.number = QDoubleSpinBox()
        self.slider.setOrientation(Qt.Orientation.Horizontal)
        for part in (self.slider, self.number):
            part.setRange(0.0, 1.0)
            part.setSingleStep(0.01)
            part.setToolTip(tip)
        self.label.setToolTip(tip)
        self.number.setDecimals(2)
        self.number.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.number.setKeyboardTracking(False)
        self.number.setMaximumWidth(62)
        self.slider.valueChanged.connect(self._on_slid)
        self.number.valueChanged.connect(self._on_typed)

    @property
    def value(self) -> float:
        """The threshold; at the lower end, all that there is passes, and what there may be."""
        is_lowest = self.slider.value() <= self.slider.minimum()
        return self._floor if is_lowest else float(self.slider.value())

    @value.setter
    def value(self, value: float) -> None:
        self.slider.setValue(value)
        self._show()

    def set_scores(self, scores: NDArray[np.floating], floor: float, value: float) -> None:
        """Show the histogram of scores, from the lowest to the highest, and a threshold for them.

        Parameters
        ----------
        scores : (N,) float array
            NaN where there is none; without any the knob is of no use.
        floor : float
            What is lower has not been looked for.
        value : float
            The threshold.
        """
        there = scores[np.isfinite(scores)].astype(float)
        for part in (self.label, self.slider, self.number):
            part.setEnabled(bool(len(there)) or not len(scores))
        ends = [*there, *([value - 0.01, value] if value > floor else [])]
        low = max(floor, math.floor(min(ends, default=0) / NOTCH) * NOTCH)
        high = min(1.0, math.ceil(max(ends, default=1) / NOTCH) * NOTCH)
        low = max(floor, min(low, high - LEAST_RANGE))
        self._floor = floor
        for part in (self.slider, self.number):
            part.setRange(low, max(high, low + LEAST_RANGE))
        self.number.setSpecialValueText("any")
        self.histogram.show_scores(there, self.slider.minimum(), self.slider.maximum())
        self.value = value

    def _on_slid(self, value: float) -> None:
        self._show()
        self.changed.emit()

    def _on_typed(self, value: float) -> None:
        self.slider.setValue(value)

    def _show(self) -> None:
        low, high = self.slider.minimum(), self.slider.maximum()
        value = float(self.slider.value())
        self.number.blockSignals(True)
        self.number.setValue(value)
        self.number.blockSignals(False)
        self.histogram.show_kept((value - low) / (high - low), 1.0)
