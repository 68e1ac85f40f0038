"""Thresholds for candidates, as sliders under the histograms of what they act on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QWidget
from superqt import QDoubleRangeSlider

from napari_sam.masks.knobs import Thresholds
from napari_sam.masks.mask_table import MaskTable
from napari_sam.widgets.score_knob import Histogram, ScoreKnob

TIPS = {
    "predicted_iou": "How well the model believes that it has hit the object; lower keeps more.",
    "stability": "How sharp the edge of an object is to the model; lower keeps more.",
    "area": "How large objects are, in pixels of the image.",
    "overlap": "How much two objects may overlap before the one with the lower score goes.",
}


class AutomaticKnobs(QWidget):
    """The thresholds for one table of candidates; `changed` whenever the user moves one."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._areas = 1.0, 2.0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(0)
        self._grid.setHorizontalSpacing(6)
        self._grid.setColumnStretch(1, 1)
        self._iou = self._add_score("Predicted IoU", TIPS["predicted_iou"])
        self._stability = self._add_score("Stability", TIPS["stability"])
        self._area, self._area_text, self._area_histogram = self._add_area()
        self._overlap = self._add_score("Overlap", TIPS["overlap"], has_histogram=False)

    @property
    def thresholds(self) -> Thresholds:
        """What the sliders say."""
        low, high = self._area_ends()
        ends = self._area.minimum(), self._area.maximum()
        return Thresholds(
            self._iou.value,
            self._stability.value,
            0 if low <= ends[0] else math.ceil(_area(low)),
            math.inf if high >= ends[1] else max(math.floor(_area(high)), math.ceil(_area(low))),
            self._overlap.value,
        )

    def offer_overlap(self, is_offered: bool) -> None:
        """Let the user choose the overlap, or not, as where it is given."""
        for part in (self._overlap.label, self._overlap.slider, self._overlap.number):
            part.setEnabled(is_offered)

    def set_table(
        self, table: MaskTable, floors: Thresholds, thresholds: Thresholds | None = None
    ) -> None:
        """Show the scores of candidates, and thresholds for them; None: leave the sliders.

        Parameters
        ----------
        table : MaskTable
            The candidates.
        floors : Thresholds
            Where the sliders begin.
        thresholds : Thresholds, optional
            What the sliders are set to.
        """
        before = self.thresholds
        had_limits = before.max_area < math.inf or before.min_area > 0
        areas = table.areas if len(table) else np.array([1, 100])
        self._areas = float(areas.min()), float(areas.max())
        self.blockSignals(True)
        chosen = thresholds or before
        for knob, scores, name in (
            (self._iou, table.predicted_iou, "predicted_iou"),
            (self._stability, table.stability, "stability"),
        ):
            knob.set_scores(scores, getattr(floors, name) or 0, getattr(chosen, name) or 0)
        self._show_areas(areas, len(table) > 0)
        self._overlap.value = chosen.overlap
        if thresholds is None and had_limits:
            low, high = np.clip((before.min_area, before.max_area), *self._areas)
            self._area.setValue((_position(low), _position(high)))
        else:
            self._area.setValue((self._area.minimum(), self._area.maximum()))
        self.blockSignals(False)
        self._show()

    def _add_score(self, name: str, tip: str, *, has_histogram: bool = True) -> ScoreKnob:
        knob = ScoreKnob(name, tip)
        row = self._grid.rowCount()
        if has_histogram:
            self._grid.addWidget(knob.histogram, row, 1)
        for column, widget in enumerate((knob.label, knob.slider, knob.number)):
            self._grid.addWidget(widget, row + 1, column)
        knob.changed.connect(self._on_moved)
        return knob

    def _add_area(self) -> tuple[QDoubleRangeSlider, QLabel, Histogram]:
        slider = QDoubleRangeSlider()  # type: ignore[no-untyped-call]
        label, text, histogram = QLabel("Area"), QLabel("\n"), Histogram()
        slider.setOrientation(Qt.Orientation.Horizontal)
        slider.setRange(0.0, 1.0)
        slider.setSingleStep(0.02)
        for widget in (slider, label, text):
            widget.setToolTip(TIPS["area"])
        row = self._grid.rowCount()
        self._grid.addWidget(histogram, row, 1)
        self._grid.addWidget(label, row + 1, 0)
        self._grid.addWidget(slider, row + 1, 1)
        self._grid.addWidget(text, row + 1, 2)
        slider.valueChanged.connect(self._on_moved)
        return slider, text, histogram

    def _show_areas(self, areas: NDArray[np.int64], is_there: bool) -> None:
        """Spread areas by their order of magnitude: most objects are much smaller than the rest."""
        low, high = (_position(area) for area in self._areas)
        high = max(high, low + 0.05)
        self._area.setRange(low, high)
        self._area_histogram.show_scores(_position(areas) if is_there else [], low, high)

    def _area_ends(self) -> tuple[float, float]:
        ends: Any = self._area.value()
        return float(ends[0]), float(ends[1])

    def _on_moved(self, value: Any = None) -> None:
        self._show()
        self.changed.emit()

    def _show(self) -> None:
        low, high = self._area_ends()
        first, last = self._area.minimum(), self._area.maximum()
        self._area_histogram.show_kept(
            (low - first) / (last - first), (high - first) / (last - first)
        )
        self._area_text.setText(f"{count_text(_area(low))} –\n{count_text(_area(high))} px")


def with_floors(thresholds: Thresholds, floors: Thresholds) -> Thresholds:
    """Return thresholds that are not below what candidates were looked for with."""
    return replace(
        thresholds,
        predicted_iou=max(thresholds.predicted_iou or 0, floors.predicted_iou or 0),
        stability=max(thresholds.stability or 0, floors.stability or 0),
    )


def count_text(number: float) -> str:
    """Return a number in three digits or so."""
    for unit, factor in (("M", 1e6), ("k", 1e3)):
        if number >= 10 * factor:
            return f"{number / factor:.0f} {unit}"
    return f"{number:,.0f}"


def _position(area: Any) -> Any:
    """Return where on its slider an area is."""
    return np.log10(np.maximum(area, 1))


def _area(position: float) -> float:
    return float(10.0**position)
