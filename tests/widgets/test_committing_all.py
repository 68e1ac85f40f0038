"""Many objects that are kept at once, while something else is done, painted or removed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.masks import Mask
from napari_sam.masks.mask_table import MaskTable
from napari_sam.widgets.chore import Chore


@pytest.fixture
def session(viewer, make_session):
    viewer.add_image(np.zeros((60, 70), np.uint8), name="cells")
    return make_session(viewer)


@pytest.fixture
def asked(session):
    """All chores that the session asks for, once it has been called."""
    chores = []

    def listen():
        session.asked.connect(lambda work: chores.append(work) if isinstance(work, Chore) else None)
        return chores

    return listen


def keep(session, y, x):
    session.click(y, x)
    return session.commit()


def answer(session, work):
    *_, found = work.iter_answer()
    session.accept(work, found)


def paint(session, y, x, label):
    labels = session.labels
    labels.data_setitem((np.array([y]), np.array([x])), np.array([label], labels.dtype))


def squares(*corners):
    return MaskTable.of([Mask.from_array(np.ones((6, 6), bool), y, x) for y, x in corners])


def test_many_objects_are_planned_by_who_listens(session, asked):
    keep(session, 20, 20)
    requests = asked()
    assert session.commit_all(squares((40, 10), (40, 40)), wait=False) == 0
    session.undo()
    assert set(np.unique(session.labels.data)) == {0, 1}
    answer(session, requests[-1])
    assert set(np.unique(session.labels.data)) == {0, 1}  # the undo has waited
    session.redo()
    assert set(np.unique(session.labels.data)) == {0, 1, 2, 3}
    assert [record.area for record in session.objects][1:] == [36, 36]


def test_many_objects_take_no_ids_that_were_painted_meanwhile(session, asked):
    keep(session, 20, 20)
    requests = asked()
    session.commit_all(squares((40, 10), (40, 40)), wait=False)
    *_, plan = requests[-1].iter_answer()
    paint(session, 50, 60, 3)
    session.accept(requests[-1], plan)
    labels = session.labels.data
    assert np.count_nonzero(labels == 3) == 1
    assert np.count_nonzero(labels == 4) == np.count_nonzero(labels == 5) == 36


@pytest.mark.parametrize("how", ["removed", "other data"])
def test_many_objects_are_not_kept_in_labels_that_are_no_more(session, asked, viewer, how):
    keep(session, 20, 20)
    requests = asked()
    session.commit_all(squares((40, 10), (40, 40)), wait=False)
    chore = requests[-1]
    *_, plan = chore.iter_answer()
    other = np.zeros((60, 70), np.uint16)
    if how == "removed":
        viewer.layers.remove(session.labels)
    else:
        session.labels.data = other
    session.accept(chore, plan)
    assert not other.any()
    assert not session.is_held_up
    assert "left meanwhile" in session.status


def test_to_stop_before_many_objects_are_kept_keeps_none(session, asked):
    keep(session, 20, 20)
    requests = asked()
    session.commit_all(squares((40, 10), (40, 40)), wait=False)
    session.drop(requests[-1])
    assert set(np.unique(session.labels.data)) == {0, 1}
    assert "Stopped" in session.status
    assert not session.is_held_up


def test_many_objects_are_kept_if_the_dock_is_closed_meanwhile(session, asked):
    keep(session, 20, 20)
    requests = asked()
    session.commit_all(squares((40, 10), (40, 40)), wait=False)
    session.asked.disconnect()
    session.drop(requests[-1])
    assert set(np.unique(session.labels.data)) == {0, 1, 2, 3}


def test_many_objects_that_labels_cannot_number_are_refused(session, viewer, asked):
    session.labels = viewer.add_labels(np.full((60, 70), 255, np.uint8))
    session.labels.data[:30] = 0
    requests = asked()
    session.commit_all(squares((2, 10), (2, 40)), wait=False)
    answered = []
    while requests:
        work = requests.pop(0)
        try:
            answer(session, work)
        except ValueError as error:
            answered.append(error)
            session.fail(work, error)
    assert len(answered) == 1
    assert "255" in session.status
    assert set(np.unique(session.labels.data)) == {0, 255}
    assert not session.is_held_up
