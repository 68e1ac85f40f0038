"""What nobody waits for any more stops at once, and changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.widgets.hand import Hand
from napari_sam.widgets.lanes import Lanes
from napari_sam.widgets.session import scene

from .slow_discs import SlowDiscs

PATIENCE_MS = 30_000  # a busy machine is no failure
HERE, THERE = (50, 60), (500, 600)


@pytest.fixture
def model():
    return SlowDiscs()


@pytest.fixture
def picture():
    return np.random.default_rng(0).integers(0, 255, (600, 700), dtype=np.uint8)


@pytest.fixture
def lanes(session, qtbot):
    lanes = scene(session.viewer).lanes = Lanes(session)
    lanes.join("a dock")
    yield lanes
    lanes.leave("a dock")


@pytest.fixture
def hand(session) -> Hand:
    return scene(session.viewer).hand


def wait_for(qtbot, is_so):
    qtbot.waitUntil(is_so, timeout=PATIENCE_MS)


def begin_click(session, model, qtbot, place=THERE, **options):
    """Click, and wait until a window is being encoded for it."""
    n_begun = model.n_begun
    session.click(*place, wait=False, **options)
    wait_for(qtbot, lambda: model.n_begun > n_begun)
    assert session.draft.is_waiting


def stopped(model, lanes, qtbot, n=1):
    """Wait until an encoder has been stopped in the middle."""
    wait_for(qtbot, lambda: model.n_given_up == n)
    assert lanes.busy is None


def test_escape_stops_the_encoder_and_leaves_the_object_as_it_was(
    session, lanes, hand, model, qtbot
):
    session.click(*HERE)
    before, n_steps = session.draft, session.n_steps
    with model.held_up():
        begin_click(session, model, qtbot)
        hand.drop()
        stopped(model, lanes, qtbot)
    assert session.draft is before
    assert session.n_steps == n_steps
    assert session.status.startswith("793 px")
    hand.drop()  # now there is nothing to stop
    assert session.draft.is_empty
    session.click(*THERE, wait=False)
    wait_for(qtbot, lambda: session.mask is not None)


def test_escape_stops_a_click_that_would_be_kept_at_once(session, lanes, hand, model, qtbot):
    session.turbo = True
    with model.held_up():
        begin_click(session, model, qtbot)
        session.click(*HERE, wait=False)  # waits for its turn
        hand.drop()
        stopped(model, lanes, qtbot)
    assert session.draft.is_empty
    assert session.labels is None
    assert not session.is_held_up
    session.click(*HERE, wait=False)
    wait_for(qtbot, lambda: session.labels is not None)
    assert set(np.unique(session.labels.data)) == {0, 1}


def test_escape_stops_following_and_then_drops_prompts_again(viewer, make_session, model, qtbot):
    viewer.add_image(np.zeros((3, 200, 240), np.uint8))
    session = make_session(viewer)
    lanes = scene(viewer).lanes = Lanes(session)
    lanes.join("a dock")
    session.click(*HERE, plane=(1,))
    session.commit()
    n_begun = model.n_begun
    with model.held_up():
        session.propagate(1, plane=(1,), wait=False)
        wait_for(qtbot, lambda: model.n_begun > n_begun)
        session.click(*HERE, plane=(0,), wait=False)  # waits for its turn
        scene(viewer).hand.drop()
        assert session.draft.is_waiting
        assert not session.is_held_up
    wait_for(qtbot, lambda: session.mask is not None)
    assert [record.plane for record in session.objects] == [(1,)]
    scene(viewer).hand.drop()
    assert session.draft.is_empty
    lanes.leave("a dock")


def test_an_image_removed_stops_it_and_the_next_does_not_wait(
    session, lanes, model, picture, viewer, qtbot
):
    other = viewer.add_image(picture[::-1].copy(), name="other")
    with model.held_up():
        begin_click(session, model, qtbot)
        viewer.layers.remove("cells")
        stopped(model, lanes, qtbot)
        assert session.image is None
        assert session.draft.is_empty
    session.image = other
    session.click(*HERE, wait=False)
    wait_for(qtbot, lambda: session.mask is not None)
    assert model.n_given_up == 1


def test_another_model_stops_it(session, lanes, model, qtbot):
    other = SlowDiscs()
    with model.held_up():
        begin_click(session, model, qtbot)
        session.model = other  # it answers the same click
        wait_for(qtbot, lambda: session.mask is not None)
        wait_for(qtbot, lambda: model.n_given_up == 1)
    assert other.n_begun == 1


def test_a_viewer_that_is_closed_stops_it(session, lanes, model, qtbot):
    with model.held_up():
        begin_click(session, model, qtbot)
        lanes.leave("a dock")
        stopped(model, lanes, qtbot)


@pytest.mark.parametrize("command", ["clear", "undo"])
def test_prompts_that_are_taken_back_stop_it(session, lanes, model, qtbot, command):
    with model.held_up():
        begin_click(session, model, qtbot)
        getattr(session, command)()
        stopped(model, lanes, qtbot)
    assert session.draft.is_empty


def test_a_click_more_goes_on_with_the_window_of_the_one_before(session, lanes, model, qtbot):
    with model.held_up():
        begin_click(session, model, qtbot)
        session.click(THERE[0] + 5, THERE[1], wait=False)
    wait_for(qtbot, lambda: session.mask is not None)
    assert (model.n_begun, model.n_given_up) == (1, 0)


def test_a_click_on_another_plane_does_not_wait(make_session, viewer, picture, model, qtbot):
    viewer.add_image(np.stack([picture, picture[::-1]]), name="stack")
    session = make_session(viewer)
    session.adopt_image()
    lanes = Lanes(session)
    lanes.join("a dock")
    with model.held_up():
        begin_click(session, model, qtbot, plane=(0,))
        begin_click(session, model, qtbot, plane=(1,))
        wait_for(qtbot, lambda: model.n_given_up == 1)
    wait_for(qtbot, lambda: session.mask is not None)
    assert session.draft.plane == (1,)
    lanes.leave("a dock")
