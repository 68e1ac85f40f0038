"""Kept objects, followed through a stack."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_sam.widgets.session import session as session_of

from .disc_model import DiscModel
from .replay import assert_same, carry_out


@pytest.fixture
def picture():
    return np.zeros((5, 200, 240), np.uint8)


@pytest.fixture
def session(session):
    session.viewer.dims.set_point(0, 2)
    return session


def planes_with(session, label):
    return [z for z in range(5) if (np.asarray(session.labels.data[z]) == label).any()]


def test_a_kept_object_is_on_all_planes_and_one_undo_takes_them_back(session):
    session.click(100, 120)
    assert session.commit() == 1
    n_steps = session.n_steps
    session.propagate(1)
    assert planes_with(session, 1) == [0, 1, 2, 3, 4]
    assert session.n_steps == n_steps + 1
    assert {record.plane for record in session.objects} == {(z,) for z in range(5)}
    assert "on 3 more planes" in session.status
    session.undo()
    assert planes_with(session, 1) == [2]
    assert [record.plane for record in session.objects] == [(2,)]
    session.redo()
    assert planes_with(session, 1) == [0, 1, 2, 3, 4]


def test_the_object_being_made_is_kept_first(session):
    session.click(100, 120)
    session.propagate()
    assert session.draft.is_empty
    assert planes_with(session, 1) == [0, 1, 2, 3, 4]
    session.undo()
    assert planes_with(session, 1) == [2]
    session.undo()
    assert planes_with(session, 1) == []


def test_it_ends_in_front_of_planes_that_it_is_on(session):
    session.click(100, 120)
    session.commit()
    session.propagate(1)
    session.delete(1, plane=(4,))
    area = session.objects.get(1, (3,)).area
    session.propagate(1, plane=(3,))
    assert planes_with(session, 1) == [0, 1, 2, 3, 4]
    assert session.objects.get(1, (3,)).area == area


def test_other_objects_stay_whole(session):
    session.click(100, 128, plane=(1,))
    session.commit()
    before = np.array(session.labels.data[1])
    session.click(100, 120, plane=(2,))
    assert session.commit() == 2
    session.propagate(2)
    after = np.asarray(session.labels.data[1])
    assert (after[before == 1] == 1).all()


def test_nothing_like_it_beside(session, model):
    session.click(100, 120)
    session.commit()
    model.accepted_iou = 0.99
    n_steps = session.n_steps
    session.propagate(1)
    assert "ends here" in session.status
    assert session.n_steps == n_steps


def test_a_single_plane_has_no_others(viewer, make_session):
    viewer.add_image(np.zeros((50, 60), np.uint8))
    session = make_session(viewer)
    session.adopt_image()
    with pytest.raises(ValueError, match="single plane"):
        session.propagate()


def test_the_script_follows_it_too(session, model, picture):
    session.click(100, 120)
    session.propagate()
    session.click(30, 30, plane=(0,))
    session.commit()
    known = carry_out(session, [("image", picture, "cells")], model=DiscModel())
    assert "session.propagate(1" in session.script()
    assert_same(session, known)


def test_the_key_follows_what_is_being_made_and_then_what_is_under_the_cursor(
    window, open_dock, hand, qtbot
):
    _, widget = open_dock()
    session = session_of(window)
    window.dims.set_point(0, 2)
    hand.click((100, 120))
    qtbot.waitUntil(lambda: session.mask is not None, timeout=20_000)
    assert widget.findChild(QPushButton, "follow").isVisible()
    hand.key(Qt.Key.Key_F)
    qtbot.waitUntil(lambda: session.labels and planes_with(session, 1) == [0, 1, 2, 3, 4])
    session.undo()
    assert planes_with(session, 1) == [2]
    hand.move((100, 120))
    hand.key(Qt.Key.Key_F)
    qtbot.waitUntil(lambda: planes_with(session, 1) == [0, 1, 2, 3, 4])
    assert session.draft.is_empty


def test_who_stops_it_goes_on_as_if_nothing_had_been_asked(session):
    session.click(100, 120)
    session.commit()
    n_steps, asked = session.n_steps, []
    session.asked.connect(asked.append)
    session.propagate(1, plane=(2,), wait=False)
    assert session.is_held_up
    session.drop(asked[-1])
    assert not session.is_held_up
    assert session.n_steps == n_steps
    assert planes_with(session, 1) == [2]


@pytest.mark.parametrize(("start", "there"), [(1, 4), (3, 0)])
def test_it_ends_in_front_of_planes_that_it_is_on_without_a_record(session, start, there):
    labels = np.zeros((5, 200, 240), np.uint16)
    for z in (start, there):
        labels[z, 90:110, 110:130] = 7
    session.labels = session.viewer.add_labels(labels)
    session.propagate(7, near=(100, 120), plane=(start,))
    assert planes_with(session, 7) == [0, 1, 2, 3, 4]
    assert {record.plane for record in session.objects} == {(z,) for z in range(5)} - {
        (start,),
        (there,),
    }
    assert np.count_nonzero(labels[there]) == 400


def test_the_same_object_far_away_on_a_plane_does_not_end_it(session):
    session.click(100, 120)
    session.commit()
    session.labels.data[3, :20, :20] = 1
    session.propagate(1)
    assert session.labels.data[3, 100, 120] == 1
    assert planes_with(session, 1) == [0, 1, 2, 3, 4]


def stopped_after(session, n_planes, stop):
    """Follow object 1 from the plane in the middle, and stop it when it is on some more."""
    asked = []
    session.asked.connect(asked.append)
    session.propagate(1, plane=(2,), wait=False)
    work, n_found = asked[-1], 0
    for news in work.iter_answer():
        n_found += "Following" in str(news)
        if n_found == n_planes:
            break
    stop(work)
    session.asked.disconnect(asked.append)


def test_what_was_found_before_it_was_stopped_is_one_step(session, picture):
    session.click(100, 120)
    session.commit()
    n_steps = session.n_steps
    stopped_after(session, 3, session.drop)
    assert planes_with(session, 1) == [1, 2, 3, 4]
    assert session.n_steps == n_steps + 1
    assert "on 2 more planes" in session.status
    known = carry_out(session, [("image", picture, "cells")], model=DiscModel())
    assert "at_most=3" in session.script()
    assert_same(session, known)
    session.undo()
    assert planes_with(session, 1) == [2]
    session.redo()
    assert planes_with(session, 1) == [1, 2, 3, 4]


def test_what_was_found_before_an_error_is_kept_and_the_error_is_told(session):
    session.click(100, 120)
    session.commit()
    stopped_after(session, 1, lambda work: session.fail(work, MemoryError("no room")))
    assert planes_with(session, 1) == [2, 3]
    assert session.status == "no room"
    assert not session.is_held_up


def test_who_wants_only_so_many_planes_gets_them(session):
    session.click(100, 120)
    session.propagate(at_most=1)
    assert planes_with(session, 1) == [2, 3]
