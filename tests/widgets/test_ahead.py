"""Encoding ahead, in a viewer without a window: when it begins, what it looks at, how it ends."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sam.model import memory
from napari_sam.widgets.ahead import Ahead
from napari_sam.widgets.session import session as session_of

from .slow_discs import SlowDiscs

PATIENCE_MS = 30_000  # a busy machine is no failure


@pytest.fixture
def viewer():
    viewer = ViewerModel()
    picture = np.random.default_rng(0).integers(0, 255, (2, 600, 700), dtype=np.uint8)
    viewer.add_image(picture, name="cells")
    viewer.canvas.size = (100, 100)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 100, 100), 1
    return viewer


@pytest.fixture
def session(viewer, make_session):
    return make_session(viewer)


@pytest.fixture
def ahead(session, qtbot):
    ahead = Ahead(session)
    ahead.join("a dock")
    yield ahead
    ahead.leave("a dock")


def wait_for_rest(ahead, qtbot):
    qtbot.waitUntil(lambda: bool(ahead.state and ahead.state.reason), timeout=PATIENCE_MS)


def test_nothing_is_encoded_that_nobody_asked_for(ahead, session, viewer, qtbot, model):
    session.adopt_image()
    session.prepare()
    viewer.scene.camera.zoom = 2
    viewer.dims.set_point(0, 1)
    qtbot.wait(200)
    assert ahead.queue is None
    assert not model.n_encoded


def test_the_first_hover_begins(ahead, session, viewer, qtbot, model):
    session.hover(100, 100, wait=False)
    wait_for_rest(ahead, qtbot)
    assert ahead.embeddings.encoded_tiles(0).all()
    assert ahead.embeddings.encoded_tiles(1).all()  # neighbors are on other planes too
    assert model.n_encoded == ahead.embeddings.encoded_tiles(0).size * 2


def test_a_click_looks_through_what_has_been_encoded(ahead, session, viewer, qtbot, model):
    """At every zoom: hover, click and queue agree on the window."""
    for zoom in (1, 0.4, 0.02):
        viewer.scene.camera.zoom = zoom
        ahead.begin()
        qtbot.waitUntil(
            lambda: bool(ahead.queue and ahead.embeddings.encoded_tiles(0, ahead.step).all()),
            timeout=PATIENCE_MS,
        )
        wait_for_rest(ahead, qtbot)
        n_before = model.n_encoded
        session.hover(300, 300)
        session.click(300, 300)
        assert model.n_encoded == n_before
        assert session.candidates.window.step == ahead.step
        session.clear()


def test_what_is_on_screen_comes_first(ahead, session, viewer, qtbot, model):
    may_go, encode = threading.Event(), model.encode
    model.encode = lambda windows: (may_go.wait(10), encode(windows))[1]
    viewer.dims.set_point(0, 1)
    viewer.scene.camera.center = (0, 550, 650)
    ahead.begin()
    qtbot.waitUntil(lambda: bool(ahead.state and ahead.state.window), timeout=PATIENCE_MS)
    may_go.set()
    row, column = np.subtract(ahead.embeddings.grid().tiles, 1)
    assert ahead.state.window == ahead.embeddings.grid().window(row, column, (1,))


def test_switched_off_only_what_is_asked_for_is_encoded(ahead, session, viewer, qtbot):
    ahead.is_on = False
    ahead.begin(lambda queue: queue.compute([1], [2.0]))
    qtbot.waitUntil(lambda: bool(ahead.state and ahead.state.n_total), timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: ahead.state.n_done == ahead.state.n_total, timeout=PATIENCE_MS)
    assert ahead.embeddings.encoded_tiles(1, 2.0).all()
    assert not ahead.embeddings.encoded_tiles(0, 1.0).any()


def test_3d_is_looked_away_from(ahead, session, viewer, qtbot):
    ahead.begin()
    wait_for_rest(ahead, qtbot)
    viewer.dims.ndisplay = 3
    assert ahead.view is None
    assert ahead.state.error == ""


def test_it_ends_with_the_image(ahead, session, viewer, qtbot, model):
    may_go, encode = threading.Event(), model.encode
    model.encode = lambda windows: (may_go.wait(10), encode(windows))[1]
    ahead.begin()
    qtbot.waitUntil(lambda: bool(ahead.state and ahead.state.window), timeout=PATIENCE_MS)
    viewer.layers.remove("cells")
    assert ahead.queue is None
    assert ahead.state is None
    may_go.set()
    qtbot.wait(200)
    assert model.n_encoded <= 1
    assert ahead.error == ""


def test_another_model_begins_only_when_asked(ahead, session, qtbot, model):
    ahead.begin()
    wait_for_rest(ahead, qtbot)
    other = type(model)()
    other.name = "other"
    session.model = other
    qtbot.wait(200)
    assert ahead.queue is None
    assert not other.n_encoded
    session.hover(100, 100, wait=False)
    wait_for_rest(ahead, qtbot)
    assert other.n_encoded


def test_a_model_that_does_not_open_is_told(ahead, session, qtbot, monkeypatch):
    def fail(name, **options):
        raise ValueError("The weights are damaged.")

    monkeypatch.setattr("napari_sam.model.load_model", fail, raising=False)
    session.adopt_image()
    session.model = "vit_b"
    ahead.begin()
    qtbot.waitUntil(lambda: ahead.error == "The weights are damaged.", timeout=PATIENCE_MS)
    assert ahead.queue is None


def test_without_docks_nothing_goes_on(session, viewer, qtbot, model):
    ahead = Ahead(session)
    ahead.join("a dock")
    ahead.join("another dock")
    ahead.leave("a dock")
    ahead.leave("a dock")
    ahead.begin()
    wait_for_rest(ahead, qtbot)
    ahead.leave("another dock")
    assert ahead.queue is None
    viewer.scene.camera.zoom = 3
    qtbot.wait(100)
    assert not len(session.asked)
    gone = weakref.ref(ahead)
    del ahead
    gc.collect()
    assert gone() is None


def test_a_store_takes_over_what_is_in_memory(ahead, session, qtbot, model, tmp_path):
    session.click(100, 100)
    candidates, n_before = session.candidates, model.n_encoded
    session.store = tmp_path / "cells.zarr"
    assert session.store == tmp_path / "cells.zarr"
    assert session.candidates is candidates
    session.click(105, 100)
    assert model.n_encoded == n_before
    session.store = None
    assert session.store is None
    assert session_of(session.viewer) is session


def test_it_goes_on_when_features_are_kept_elsewhere(ahead, session, qtbot, tmp_path):
    session.adopt_image()
    session.store = tmp_path / "first.zarr"
    qtbot.wait(100)
    assert ahead.queue is None  # nobody has asked for anything
    ahead.begin()
    wait_for_rest(ahead, qtbot)
    session.store = tmp_path / "second.zarr"
    wait_for_rest(ahead, qtbot)
    assert (ahead.embeddings.encoded_tiles(0) == 2).all()


def warn_of_memory():
    """Warn as `move_to_cpu` does, from its file."""
    warnings.warn_explicit("cuda has not enough free memory.", UserWarning, memory.__file__, 1)


def test_what_the_encoder_warns_of_ahead_is_told(ahead, session, qtbot, model, monkeypatch):
    warnings.simplefilter("always")
    encode = model.encode
    monkeypatch.setattr(model, "encode", lambda windows: (warn_of_memory(), encode(windows))[1])
    ahead.begin()
    qtbot.waitUntil(lambda: "not enough free memory" in session.notes, timeout=PATIENCE_MS)
    wait_for_rest(ahead, qtbot)
    assert session.notes.count("not enough free memory") == 1


def test_why_nothing_can_be_encoded_ahead_is_told(ahead, session, qtbot, model, monkeypatch):
    def fail(windows):
        raise MemoryError("This computer has not enough free memory for the model.")

    monkeypatch.setattr(model, "encode", fail)
    ahead.begin()
    qtbot.waitUntil(lambda: bool(ahead.state and ahead.state.error), timeout=PATIENCE_MS)
    assert "not enough free memory" in ahead.state.error


def test_switched_off_it_stops_in_the_middle_of_a_tile(session, viewer, qtbot):
    model = SlowDiscs()
    session.model = model
    ahead = Ahead(session)
    ahead.join("a dock")
    with model.held_up():
        ahead.begin()
        qtbot.waitUntil(lambda: model.n_begun == 1, timeout=PATIENCE_MS)
        ahead.is_on = False
        qtbot.waitUntil(lambda: model.n_given_up == 1, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: ahead.state.window is None, timeout=PATIENCE_MS)
    ahead.leave("a dock")
