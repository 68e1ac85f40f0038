"""Going through objects, without a window."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels

from napari_sam.labels.object_list import ObjectList
from napari_sam.labels.objects import ObjectRecord
from napari_sam.prompts import Prompts
from napari_sam.widgets.listing import MOST_UNSEEN
from napari_sam.widgets.review import NO_OBJECTS
from napari_sam.widgets.session import scene

SIDE = 8
AT = {
    1: (0, 10, 10),
    2: (1, 10, 30),
    3: (2, 10, 50),
    4: (0, 40, 10),
    5: (1, 40, 30),
    6: (1, 80, 80),
}
"""Where objects are: plane, row, column; 6 is on all planes from there."""


@pytest.fixture
def stack(viewer, make_session):
    """A session on three planes with six objects, of which nothing is recorded."""
    image = viewer.add_image(np.zeros((3, 120, 140), np.uint8), name="cells")
    labels = np.zeros((3, 120, 140), np.uint16)
    for label, (z, y, x) in AT.items():
        labels[z : z + 1 + (label == 6), y : y + SIDE, x : x + SIDE] = label
    session = make_session(viewer)
    session.image = image
    session.labels = viewer.add_labels(labels, name="kept")
    return session


@pytest.fixture
def review(stack, viewer):
    review = scene(viewer).review
    count(review)
    return review


def count(review):
    counting = review.uncounted
    review.take(counting, list(counting.iter_answer())[-1])


def record(session, label, iou, *, is_reviewed=False):
    """Have an object recorded, as if it had been kept with the model."""
    z, y, x = AT[label]
    box = (y, x, y + SIDE, x + SIDE)
    made = ObjectRecord(
        label, (z,), box, SIDE**2, Prompts([(y, x)]), 1, "nano", iou, 0.95, is_reviewed
    )
    session.objects.change(put=[made])


def order(review):
    return review.objects.rows["label"][review.order].tolist()


def test_what_nobody_recorded_is_counted(review):
    assert order(review) == [6, 1, 2, 3, 4, 5]  # twice the usual size comes first
    assert review.uncounted is None
    assert review.objects.reasons(5) == ["2× usual size"]


def test_the_most_suspicious_comes_first_and_other_orders_can_be_chosen(stack, viewer):
    for label, iou in {3: 0.2, 1: 0.95, 5: 0.5}.items():
        record(stack, label, iou)
    stack.objects_changed.emit(None)
    review = scene(viewer).review
    assert order(review)[:2] == [3, 5]
    count(review)
    assert order(review) == [3, 5, 6, 1, 2, 4]
    review.sort("label", descending=True)
    assert order(review) == [6, 5, 4, 3, 2, 1]
    review.sort("score", descending=False)
    assert order(review) == [3, 5, 1, 2, 4, 6]
    review.sort("score", descending=True)
    assert order(review) == [1, 5, 3, 2, 4, 6]  # those without a score are last, either way
    review.sort("planes", descending=False)
    assert order(review) == [1, 4, 2, 5, 6, 3]
    with pytest.raises(ValueError, match="expected one of label"):
        review.sort("color", descending=False)


def test_next_shows_the_object_and_goes_around(review, stack, viewer):
    seen = []
    for _ in range(7):
        review.next()
        seen.append(review.current)
    assert seen == [6, 1, 2, 3, 4, 5, 6]
    review.go_to(3)
    assert viewer.dims.point[0] == 2
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], (13.5, 53.5))
    review.next(-1)
    assert review.current == 2
    assert viewer.dims.point[0] == 1


def test_accept_marks_all_planes_and_goes_on(review, stack):
    with pytest.raises(ValueError, match="Choose an object first"):
        review.accept()
    review.next()
    review.accept()
    assert review.current == 1
    assert [stack.objects.get(6, (z,)).is_reviewed for z in (1, 2)] == [True, True]
    assert (review.n_reviewed, review.n_objects) == (1, 6)
    stack.undo()
    assert review.n_reviewed == 0  # one step, however many planes
    stack.redo()
    review.next(-1)
    assert review.current == 5  # not back to what has been accepted
    for _ in range(5):
        review.accept()
    assert review.n_reviewed == 6
    with pytest.raises(ValueError, match="All 6 objects are reviewed"):
        review.next()
    stack.undo()
    assert review.n_reviewed == 5
    review.next()
    assert review.current == 4  # the one that was accepted last


def test_hiding_what_is_reviewed_keeps_the_way(review):
    review.hides_reviewed = True
    review.go_to(2)
    review.accept()
    assert review.current == 3
    assert order(review) == [6, 1, 3, 4, 5]
    review.toggle()
    assert order(review) == [6, 1, 4, 5]
    assert review.current == 3
    review.toggle()
    assert order(review) == [6, 1, 3, 4, 5]


def test_delete_takes_all_planes_and_can_be_undone(review, stack):
    review.go_to(6)
    review.delete()
    assert not (stack.labels.data == 6).any()
    assert order(review) == [1, 2, 3, 4, 5]
    assert review.current == 1
    stack.undo()
    assert sorted(order(review)) == [1, 2, 3, 4, 5, 6]
    assert review.objects.parts(6)["plane"].tolist() == [[1], [2]]
    review.go_to(5)
    review.delete()
    assert order(review) == [6, 1, 2, 3, 4]


def test_delete_takes_planes_too_that_nobody_has_counted(stack, viewer):
    review = scene(viewer).review
    stack.review(6, near=(80, 80, 88, 88), plane=(1,))  # which is all that is known of it
    assert review.objects.parts(6)["plane"].tolist() == [[1]]
    review.go_to(6)
    review.delete()
    assert not (stack.labels.data == 6).any()


def test_deleted_on_the_plane_shown_an_object_stays_elsewhere(review, stack, viewer):
    review.go_to(6)
    viewer.dims.set_point(0, 0)
    with pytest.raises(ValueError, match="6 is not on the plane shown"):
        review.delete(everywhere=False)
    viewer.dims.set_point(0, 1)
    review.delete(everywhere=False)
    assert np.flatnonzero((stack.labels.data == 6).any(axis=(1, 2))).tolist() == [2]
    assert review.current == 6
    viewer.dims.set_point(0, 2)
    review.delete(everywhere=False)
    assert review.current == 5  # the last one in the order by then
    review.undo()
    assert review.current == 6
    review.undo()
    assert review.objects.parts(6)["plane"].tolist() == [[1], [2]]


def test_stepping_through_the_lines_ends_at_the_first_and_the_last(review):
    review.step(1)
    assert review.current == order(review)[0]
    review.step(2)
    assert review.current == order(review)[2]
    review.step(-9)
    assert review.current == order(review)[0]
    review.step(99)
    assert review.current == order(review)[-1]


def test_undo_goes_back_to_what_was_accepted_or_deleted(review, stack, viewer):
    review.go_to(1)
    review.accept()
    review.delete()
    assert review.current == 3
    review.undo()
    assert review.current == 2
    assert viewer.dims.point[0] == 1
    review.undo()
    assert review.current == 1
    assert review.n_reviewed == 0
    review.go_to(5)
    stack.click(100, 100)
    review.undo()
    assert review.current == 5
    review.undo()
    assert stack.status == "There is nothing to undo."


def test_when_the_current_one_is_gone_the_next_is_the_one_behind_it(review, stack):
    review.go_to(3)
    stack.delete(3, near=(10, 50), plane=(2,))
    review.next()
    assert review.current == 4


def test_reopen_and_replace(review, stack):
    review.go_to(2)
    review.reopen()
    assert stack.draft.label == 2
    assert stack.draft.plane == (1,)
    stack.click(60, 60)
    stack.commit()
    assert review.objects.parts(2)["area"].tolist() == [int((stack.labels.data == 2).sum())]


def test_reopen_stays_on_the_plane_shown_if_the_object_is_there(review, stack, viewer):
    review.go_to(6)
    for plane in (1, 2):
        viewer.dims.set_point(0, plane)
        review.reopen()
        assert (stack.draft.label, stack.draft.plane) == (6, (plane,))
    viewer.dims.set_point(0, 0)
    review.reopen()
    assert stack.draft.plane == (1,)
    assert viewer.dims.point[0] == 1


def test_what_is_kept_joins_the_list_at_once(review, stack, viewer):
    told = []
    review.changed.connect(lambda: told.append(review.n_objects))
    stack.click(90, 30, plane=(2,))
    label = stack.commit()
    assert label == 7
    assert told[-1] == 7
    assert label in order(review)
    stack.undo()
    assert label not in order(review)


def test_what_is_kept_is_looked_at_when_somebody_asks(review, stack, monkeypatch):
    seen, apply = [], ObjectList.apply
    monkeypatch.setattr(
        ObjectList, "apply", lambda self, change: seen.append(change) or apply(self, change)
    )
    stack.click(100, 30, plane=(0,))
    label = stack.commit()
    assert not seen
    assert review.objects.index(label) is not None
    assert review.n_objects == len(AT) + 1
    assert len(seen) == 1


def test_changes_while_it_is_counted_are_not_lost(stack, viewer):
    review = scene(viewer).review
    counting = review.uncounted
    assert review.uncounted is None  # somebody is at it
    answer = list(counting.iter_answer())[-1]
    stack.click(90, 30, plane=(2,))
    stack.commit()
    stack.delete(3, near=(10, 50), plane=(2,))
    review.take(counting, answer)
    assert sorted(order(review)) == [1, 2, 4, 5, 6, 7]


def test_what_was_counted_in_other_labels_is_ignored(stack, viewer):
    review = scene(viewer).review
    counting = review.uncounted
    answer = list(counting.iter_answer())[-1]
    stack.labels = viewer.add_labels(np.zeros((3, 120, 140), np.uint8), name="others")
    review.take(counting, answer)
    assert review.n_objects == 0
    with pytest.raises(ValueError, match=NO_OBJECTS):
        review.next()
    count(review)
    assert review.n_objects == 0


def test_a_count_given_up_is_begun_again(stack, viewer):
    review = scene(viewer).review
    counting = review.uncounted
    review.give_up(counting)
    assert review.uncounted not in (None, counting)


def test_painting_joins_the_list_and_other_data_are_counted_anew(review, stack):
    stack.labels.paint((2, 100, 100), 9)
    (part,) = review.objects.parts(9)
    assert part["area"] == (stack.labels.data == 9).sum()
    stack.labels.paint((2, 100, 100), 0)
    assert 9 not in order(review)
    stack.labels.data = np.zeros_like(stack.labels.data)
    assert review.n_objects == 0
    count(review)
    assert review.n_objects == 0


def test_labels_that_go_take_the_list_along(review, stack, viewer):
    review.next()
    viewer.layers.remove("kept")
    assert stack.labels is None
    assert review.objects is None
    assert review.current is None
    assert review.uncounted is None
    with pytest.raises(ValueError, match=NO_OBJECTS):
        review.next()


def test_two_viewers_share_nothing(review, make_session):
    from napari.components import ViewerModel

    other = ViewerModel()
    make_session(other)
    assert scene(other).review is not review
    assert scene(other).review.n_objects == 0


def test_a_flat_image(viewer, make_session):
    image = viewer.add_image(np.zeros((60, 70), np.uint8))
    labels = np.zeros((60, 70), np.uint8)
    labels[:9, 20:30] = 3
    session = make_session(viewer)
    session.image, session.labels = image, viewer.add_layer(Labels(labels))
    review = scene(viewer).review
    count(review)
    review.next()
    assert review.current == 3
    review.accept()
    assert session.objects.get(3, ()).is_reviewed


def test_a_change_costs_the_list_nothing_until_somebody_looks(review, stack, monkeypatch):
    taken_over = []
    take_over = ObjectList.apply
    monkeypatch.setattr(
        ObjectList, "apply", lambda self, change: (taken_over.append(1), take_over(self, change))
    )
    for label in (1, 2, 3):
        z, y, x = AT[label]
        stack.delete(label, near=(y, x), plane=(z,))
    stack.undo()
    assert not taken_over
    assert review.n_objects == 4
    assert len(taken_over) == 4


def test_changes_that_nobody_looks_at_do_not_pile_up(review, stack):
    z, y, x = AT[1]
    for _ in range(2 * MOST_UNSEEN):
        stack.delete(1, near=(y, x), plane=(z,))
        stack.undo()
    assert len(review._unseen) == MOST_UNSEEN
    assert review.n_objects == 6
