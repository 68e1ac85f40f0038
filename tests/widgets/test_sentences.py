"""Texts that scroll where they do not fit, and only there."""

from __future__ import annotations

import pytest

from napari_sam.widgets.automatic import AutomaticWidget
from napari_sam.widgets.sentences import FRAME, Sentences

TEXT = "A text of a few words. " * 4


@pytest.fixture
def sentences(qtbot):
    made = Sentences(2)
    qtbot.addWidget(made)
    made.say(TEXT)
    made.show()
    return made


def fitting(sentences, width):
    return sentences.widget().heightForWidth(width - FRAME) + FRAME


def test_a_bar_is_there_as_long_as_the_text_does_not_fit(sentences, qtbot):
    bar, height = sentences.verticalScrollBar(), fitting(sentences, 200)
    for room, is_shown in ((height, False), (height - 20, True), (height, False)):
        sentences.resize(200, room)
        qtbot.wait(10)
        assert bar.isVisible() == is_shown
    sentences.say(TEXT * 3)
    assert bar.isVisible()
    sentences.say("Short.")
    assert not bar.isVisible()


def test_a_moment_of_too_little_room_leaves_no_bar(sentences, qtbot):
    height = fitting(sentences, 200)
    for room in (height, height + 30, height, height - 20, height):
        sentences.resize(200, room)
    qtbot.wait(10)
    assert not sentences.verticalScrollBar().isVisible()
    assert sentences.viewport().width() == sentences.widget().width()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("too large at step=1: try step=4.", "too large at full resolution: try resolution 1/4."),
        ("Windows of step 0.5 show it.", "Windows of resolution × 2 show it."),
        ("choose a smaller step or diameter", "choose a finer resolution or diameter"),
        ("as one step.", "as one step."),
    ],
)
def test_a_step_is_called_a_resolution_as_in_the_docks(sentences, text, said):
    sentences.say(text)
    assert sentences.text == said


@pytest.mark.parametrize(
    "text",
    [
        "time step 0 · sam2.1_tiny",
        "time step 4",
        "/data/step=2/a.zarr",
        r"C:\data\step=2\a.zarr",
        "run_step=2",
        "one-step=2",
        "step=2.zarr",
        "step=2_a.tif",
        "'slices step=2' has no pixels.",
        "step=0",
        "step=3",
        "step=1e-05",
        "step=4.5",
    ],
)
def test_names_of_layers_and_files_stay_as_they_are(sentences, text):
    sentences.say(text)
    assert sentences.text == text


def test_a_dock_names_a_layer_called_like_a_step(viewer, make_session, picture, qtbot):
    viewer.add_image(picture, name="time step 0")
    make_session(viewer)
    dock = AutomaticWidget(viewer)
    qtbot.addWidget(dock)
    assert any("time step 0 · " in each.text for each in dock.findChildren(Sentences))
