"""The sliders say what is kept."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_sam.masks import Mask
from napari_sam.masks.knobs import Thresholds
from napari_sam.masks.mask_table import MaskTable
from napari_sam.widgets.automatic_knobs import AutomaticKnobs
from napari_sam.widgets.score_knob import ScoreKnob


@pytest.fixture
def knob(qtbot):
    knob = ScoreKnob("Stability", "")
    for part in (knob.label, knob.histogram, knob.slider, knob.number):
        qtbot.addWidget(part)
    return knob


def test_the_slider_spans_the_scores_and_its_low_end_lets_all_pass(knob):
    knob.set_scores(np.array([0.81, 0.9, np.nan]), 0.3, 0.3)
    assert knob.slider.minimum() == pytest.approx(0.8)
    assert knob.slider.maximum() == pytest.approx(0.9)
    assert knob.value == 0.3  # not 0.8: elsewhere in the image, there may be lower ones
    assert knob.number.text() == "any"
    knob.slider.setValue(0.85)
    assert knob.value == pytest.approx(0.85)
    assert knob.number.value() == pytest.approx(0.85)
    knob.number.setValue(0.88)
    assert knob.value == pytest.approx(0.88)


def test_a_threshold_beyond_all_scores_stays(knob):
    knob.set_scores(np.array([0.91, 0.95]), 0.6, 0.75)
    assert knob.value == pytest.approx(0.75)
    knob.set_scores(np.array([0.4, 0.5]), 0.0, 0.75)
    assert knob.value == pytest.approx(0.75)


def test_without_scores_it_is_of_no_use(knob):
    knob.set_scores(np.full(3, np.nan), 0.0, 0.0)
    assert not knob.slider.isEnabled()
    knob.set_scores(np.array([0.5]), 0.0, 0.0)
    assert knob.slider.isEnabled()


def table(*sides):
    return MaskTable.of(
        Mask.from_array(np.ones((side, side), bool), 0, 0, predicted_iou=0.8, stability_score=0.9)
        for side in sides
    )


def test_areas_have_no_limits_at_the_ends(qtbot):
    knobs = AutomaticKnobs()
    qtbot.addWidget(knobs)
    knobs.set_table(table(3, 10, 100), Thresholds(0, 0), Thresholds(0, 0, overlap=0.4))
    assert knobs.thresholds == Thresholds(0, 0, 0, math.inf, 0.4)
    with qtbot.waitSignal(knobs.changed):
        knobs._area.setValue((1.5, 3.0))
    assert (knobs.thresholds.min_area, knobs.thresholds.max_area) == (32, 1000)
    knobs.set_table(table(3, 10, 200), Thresholds(0, 0))  # more of them; the sliders stay
    assert knobs.thresholds.min_area == pytest.approx(32, abs=1)
    assert knobs.thresholds.max_area == pytest.approx(1000, abs=10)
    knobs.set_table(MaskTable.of(), Thresholds(0, 0), Thresholds(0, 0))
    assert knobs.thresholds.max_area == math.inf
