"""A viewer without a window, and a model that is quick and predictable."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sam.widgets.session import session as session_of

from .disc_model import DiscModel


@pytest.fixture
def model():
    return DiscModel()


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 255, (200, 240), dtype=np.uint8)


@pytest.fixture
def viewer():
    return ViewerModel()


@pytest.fixture
def make_session(model):
    def make(viewer):
        made = session_of(viewer)
        made.model = model
        return made

    return make


@pytest.fixture
def window(make_napari_viewer, picture, model, qtbot):
    """A viewer on screen with an image; its session uses the quick model."""
    viewer = make_napari_viewer(show=True)
    viewer.window.resize(1200, 700)
    viewer.add_image(picture, name="cells")
    session_of(viewer).model = model
    qtbot.wait(50)
    viewer.reset_view()
    qtbot.wait(50)
    return viewer


@pytest.fixture
def open_dock(window, qtbot):
    """Open the dock Segment; returns it and its widget."""
    from napari_sam.widgets.segment import SegmentWidget

    def open_it():
        widget = SegmentWidget(window)
        dock = window.window.add_dock_widget(widget, name="Segment")
        qtbot.wait(100)
        window.reset_view()
        qtbot.wait(50)
        return dock, widget

    return open_it


@pytest.fixture
def hand(window):
    """A hand on mouse and keyboard, over the canvas."""
    from tools.hand import Hand

    return Hand(window, pause=0.02)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """Journals of labels in memory lie here, and no test finds those of another."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def session(viewer, make_session, picture):
    """Return a session on a picture of discs."""
    viewer.add_image(picture, name="cells")
    session = make_session(viewer)
    session.adopt_image()
    return session
