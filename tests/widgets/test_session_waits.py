"""What is done, painted or removed while a session waits for an answer, or for a copy of labels."""

from __future__ import annotations

import numpy as np
import pytest
from psygnal import EmitLoopError

from napari_sam.widgets.chore import Chore
from napari_sam.widgets.predictor import Request
from napari_sam.widgets.review import Review


@pytest.fixture
def session(viewer, make_session):
    viewer.add_image(np.zeros((60, 70), np.uint8), name="cells")
    return make_session(viewer)


@pytest.fixture
def asked(session):
    """All that the session asks for, once it has been called."""
    requests = []

    def listen():
        session.asked.connect(requests.append)
        return requests

    return listen


def keep(session, y, x):
    session.click(y, x)
    return session.commit()


def answer(session, work):
    *_, found = work.iter_answer()
    session.accept(work, found)


def answer_all(session, requests):
    """Answer whatever is asked, the latest first, until nobody waits."""
    while session.is_held_up:
        work = requests.pop()
        if isinstance(work, Request | Chore):
            answer(session, work)


def paint(session, y, x, label):
    labels = session.labels
    labels.data_setitem((np.array([y]), np.array([x])), np.array([label], labels.dtype))


def test_an_answer_while_labels_are_widened_keeps_nothing(session, asked):
    keep(session, 20, 20)
    requests = asked()
    session.click(45, 50, wait=False)
    session.widen_labels(wait=False)
    click, widening = requests[-2:]
    answer(session, click)
    assert session.is_held_up
    assert set(np.unique(session.labels.data)) == {0, 1}
    answer(session, widening)
    assert session.commit() == 2
    assert set(np.unique(session.labels.data)) == {0, 1, 2}


def test_a_failure_while_labels_are_widened_lets_no_command_pass(session, asked):
    keep(session, 20, 20)
    requests = asked()
    session.click(45, 50, wait=False)
    session.widen_labels(wait=False)
    session.delete(1)
    session.fail(requests[-2], OSError("out of memory"))
    assert session.labels.data.any()
    answer(session, requests[-1])
    assert not session.labels.data.any()


def test_what_is_painted_while_labels_are_widened_stays(session, asked):
    keep(session, 20, 20)
    requests = asked()
    session.widen_labels(wait=False)
    *_, wider = requests[-1].iter_answer()
    paint(session, 50, 60, 9)
    session.accept(requests[-1], wider)
    assert session.labels.data.dtype == np.uint32
    assert session.labels.data[50, 60] == 9


def test_to_widen_labels_again_before_it_is_done_changes_nothing(session, viewer, asked):
    session.labels = viewer.add_labels(np.zeros((60, 70), np.uint8))
    requests = asked()
    for _ in range(3):
        session.widen_labels(wait=False)
    answer(session, requests[-1])
    assert session.labels.data.dtype == np.uint16
    assert not session.is_held_up
    assert "is uint16 already" in session.status
    session.widen_labels()
    assert session.labels.data.dtype == np.uint32


@pytest.mark.parametrize("command", ["widen", "save"])
def test_other_data_set_meanwhile_are_not_replaced(session, asked, command, tmp_path):
    keep(session, 20, 20)
    requests = asked()
    if command == "widen":
        session.widen_labels(wait=False)
    else:
        session.save_labels(tmp_path / "cells.zarr", wait=False)
    chore = requests[-1]
    other = np.full((60, 70), 7, np.uint16)
    session.labels.data = other
    answer(session, chore)
    assert session.labels.data is other
    assert not session.is_held_up


def test_a_command_that_fails_does_not_keep_the_next_from_being_done(session, asked):
    requests = asked()
    session.click(20, 20, wait=False)
    session.commit(wait=False)
    session.click(5, 5, positive=False, wait=False)  # nothing to take away from
    session.click(45, 50, wait=False)
    answer(session, [work for work in requests if isinstance(work, Request)][-1])
    assert session.labels.data.max() == 1
    assert session.draft.prompts.points.tolist() == [[45, 50]]


def test_whatever_a_command_raises_those_behind_it_are_done(session, asked):
    def break_down():
        raise RuntimeError("A mistake of ours.")

    requests = asked()
    session.click(20, 20, wait=False)
    session.commit(wait=False)
    session.in_turn(break_down)
    session.click(45, 50, wait=False)
    with pytest.raises(RuntimeError, match="A mistake of ours"):
        answer_all(session, requests)
    assert session.draft.prompts.points.tolist() == [[45, 50]]
    assert not session.is_held_up


@pytest.mark.parametrize("waits_for", ["the answer", "the counting"])
def test_a_listener_that_fails_keeps_no_command_waiting(session, viewer, asked, waits_for):
    def break_down(*args):
        raise RuntimeError("A mistake of somebody else's.")

    requests = asked()
    if waits_for == "the answer":
        session.click(20, 20, wait=False)
        broken = session.draft_changed
    else:
        session.labels = viewer.add_labels(np.eye(60, 70, 50, dtype=np.uint16))
        session.click(20, 20)
        broken = session.layers_changed
    session.commit(wait=False)
    assert session.is_held_up
    broken.connect(break_down)
    kind = Request if waits_for == "the answer" else Chore
    with pytest.raises(EmitLoopError):
        answer(session, [work for work in requests if isinstance(work, kind)][-1])
    assert not session.is_held_up


def test_an_early_commit_waits_until_labels_are_counted(session, viewer, asked):
    requests = asked()
    labels = session.labels = viewer.add_labels(np.full((60, 70), 7, np.uint16))
    labels.data[:40] = 0
    counting = requests[-1]
    session.click(20, 20, wait=False)
    session.commit(wait=False)
    answer(session, [work for work in requests if isinstance(work, Request)][-1])
    assert session.is_held_up
    assert not labels.data[:40].any()
    answer(session, counting)
    assert labels.data[20, 20] == 8
    assert not session.is_held_up


@pytest.mark.parametrize("n_onlookers", [0, 1])
def test_nothing_hangs_when_nobody_is_left_to_answer(session, asked, n_onlookers):
    for _ in range(n_onlookers):  # as the dock Automatic is
        session.asked.connect(lambda work: None)
        session.n_onlookers += 1
    requests = asked()
    session.click(20, 20, wait=False)
    session.commit(wait=False)
    session.asked.disconnect(requests.append)
    assert keep(session, 45, 50) == 2
    assert set(np.unique(session.labels.data)) == {0, 1, 2}


def test_who_listens_next_is_asked_what_nobody_has_answered(session, asked):
    requests = asked()
    session.click(20, 20, wait=False)
    session.commit(wait=False)
    requests.clear()
    session.take_over()
    answer(session, requests[-1])
    assert session.labels.data.max() == 1


def test_a_failure_keeps_what_was_deleted_meanwhile_to_be_undone(session, asked):
    keep(session, 20, 20)
    requests = asked()
    session.click(45, 50, wait=False)
    session.delete(1)
    session.fail(requests[-1], OSError("out of memory"))
    assert session.draft.is_empty
    session.undo(wait=False)
    assert session.labels.data.max() == 1


def test_an_id_that_has_been_painted_is_not_given_again(session):
    label = keep(session, 20, 20)
    paint(session, 50, 60, label)
    session.undo()
    assert session.labels.data[50, 60] == label
    assert session.next_label > label


def test_what_is_painted_while_ids_are_counted_counts(session, viewer, asked):
    requests = asked()
    session.labels = viewer.add_labels(np.zeros((60, 70), np.uint16))
    *_, highest = requests[-1].iter_answer()
    paint(session, 50, 60, 5)
    session.accept(requests[-1], highest)
    assert session.next_label == 6


def test_an_object_opened_in_other_labels_is_a_new_one_here(session, viewer):
    keep(session, 20, 20)
    session.reopen(1)
    here = np.zeros((60, 70), np.uint16)
    here[50:, 60:] = 1
    session.labels = viewer.add_labels(here)
    assert session.draft.label is None
    assert session.commit() == 2
    assert np.count_nonzero(here == 1) == 100


def test_an_object_whose_labels_are_gone_takes_no_id_of_theirs(session, viewer):
    for y, x in [(20, 20), (45, 50)]:
        keep(session, y, x)
    session.reopen(2)
    viewer.layers.remove(session.labels)
    assert session.commit() == 1
    assert session.next_label == 2


def test_records_of_many_objects_tell_what_was_written(session):
    from napari_sam.masks import Mask
    from napari_sam.masks.mask_table import MaskTable

    masks = [Mask.from_array(np.ones((8, 8), bool), y, x) for y, x in [(-4, 0), (20, 20), (24, 24)]]
    session.commit_all(MaskTable.of(masks))
    for record in session.objects:
        y0, x0, y1, x1 = record.box
        assert record.area == np.count_nonzero(session.labels.data == record.label)
        assert 0 <= y0 < y1 <= 60
        assert 0 <= x0 < x1 <= 70
    assert {record.label for record in session.objects} == {1, 2, 3}


def test_the_script_knows_layers_by_their_first_name_and_no_types_of_numpy(session):
    keep(session, 20, 20)
    session.reopen(1, near=(np.float64(20), np.int64(20)))
    session.labels.name = "renamed"
    session.clear()
    script = session.script()
    assert "renamed" not in script
    assert "np." not in script


def test_an_object_opened_long_ago_is_still_as_it_was(session):
    session.click(20, 20)
    session.choose(0)
    session.commit()
    session.preferred_rank = None
    session.reopen(1)
    area = session.mask.area
    for number in range(60):
        session.review(1, is_reviewed=bool(number % 2))
    for _ in range(60):
        session.undo()
    assert (session.draft.label, session.mask.area) == (1, area)


def test_background_is_no_object(session):
    keep(session, 20, 20)
    with pytest.raises(ValueError, match="no object 0"):
        session.reopen(0, near=(50, 60))


def test_erasing_where_nothing_is_says_so(session):
    session.overlap = "erase"
    assert keep(session, 20, 20) is None
    assert session.status == "There is nothing here to erase."


# Choices between a command and its answer


def test_the_rule_for_overlaps_is_that_of_when_enter_was_pressed(session, asked):
    keep(session, 20, 20)
    requests = asked()
    session.click(20, 34, wait=False)
    session.commit(wait=False)
    session.overlap = "erase"
    assert session.overlap == "erase"
    answer_all(session, requests)
    assert set(np.unique(session.labels.data)) == {0, 1, 2}
    assert session.overlap == "erase"
    session.click(20, 20)
    assert session.commit() is None
    assert 1 not in session.labels.data


@pytest.mark.parametrize("is_on", [True, False])
def test_preserving_labels_or_not_is_as_it_was_when_enter_was_pressed(session, asked, is_on):
    keep(session, 20, 20)
    session.overlap = "replace"
    session.labels.preserve_labels = is_on
    before = session.labels.data.copy()
    requests = asked()
    session.click(20, 30, wait=False)
    session.commit(wait=False)
    session.labels.preserve_labels = not is_on
    answer_all(session, requests)
    assert 2 in session.labels.data
    assert np.array_equal(session.labels.data[before == 1], before[before == 1]) == is_on
    session.undo(wait=False)
    session.undo(wait=False)
    assert 2 not in session.labels.data
    session.click(20, 30)
    session.commit()
    assert np.array_equal(session.labels.data[before == 1], before[before == 1]) != is_on


def test_preserving_labels_goes_with_the_layer(session, viewer):
    keep(session, 20, 20)
    session.overlap = "replace"
    first, other = session.labels, viewer.add_labels(np.full((60, 70), 7, np.uint16))
    other.preserve_labels = True
    session.labels = other
    session.click(45, 50)
    assert session.commit() is None
    session.labels = first
    first.preserve_labels = False
    other.preserve_labels = False
    other.preserve_labels = True
    session.click(20, 30)
    session.commit()
    assert np.count_nonzero(first.data == 1) < np.count_nonzero(first.data == 2)


def test_other_labels_are_for_the_objects_that_come_after(session, viewer, asked):
    keep(session, 20, 20)
    first, other = session.labels, viewer.add_labels(np.zeros((60, 70), np.uint16))
    requests = asked()
    session.click(45, 50, wait=False)
    session.commit(wait=False)
    session.labels = other
    session.click(20, 50, wait=False)
    session.commit(wait=False)
    answer_all(session, requests)
    assert session.labels is other
    assert set(np.unique(first.data)) == {0, 1, 2}
    assert set(np.unique(other.data)) == {0, 1}
    session.undo(wait=False)
    assert not other.data.any()


def test_labels_removed_while_they_wait_to_be_chosen_are_not(session, viewer, asked):
    keep(session, 20, 20)
    first, other = session.labels, viewer.add_labels(np.zeros((60, 70), np.uint16))
    requests = asked()
    session.click(45, 50, wait=False)
    session.commit(wait=False)
    session.labels = other
    viewer.layers.remove(other)
    answer_all(session, requests)
    assert session.labels is first


def test_labels_chosen_behind_commands_that_are_dropped_are_chosen(session, viewer, asked):
    keep(session, 20, 20)
    first, other = session.labels, viewer.add_labels(np.zeros((60, 70), np.uint16))
    asked()
    session.click(45, 50, wait=False)
    session.commit(wait=False)
    session.click(20, 50, wait=False)
    session.labels = other
    session.cancel()
    assert session.labels is other
    assert session.draft.is_empty
    assert set(np.unique(first.data)) == {0, 1}
    assert not session.is_held_up


def test_labels_chosen_instead_of_those_that_cannot_be_read_are_chosen(session, viewer, asked):
    session.adopt_image()
    other = viewer.add_labels(np.zeros((60, 70), np.uint16))
    requests = asked()
    session.click(45, 50, wait=False)
    answer(session, next(work for work in requests if isinstance(work, Request)))
    labels = np.zeros((60, 70), np.uint16)
    labels[0, 0] = 3
    session.labels = viewer.add_labels(labels)
    session.commit(wait=False)
    session.labels = other
    assert session.labels is not other
    for work in [work for work in requests if isinstance(work, Chore)]:
        session.drop(work)
    assert session.labels is other
    assert not labels[45, 50]
    assert not session.is_held_up


def test_labels_chosen_for_another_image_are_not(session, viewer, asked):
    keep(session, 20, 20)
    other = viewer.add_labels(np.zeros((60, 70), np.uint16))
    image = viewer.add_image(np.zeros((60, 70), np.uint8))
    asked()
    session.click(45, 50, wait=False)
    session.commit(wait=False)
    session.labels = other
    session.image = image
    assert session.labels is None
    assert not session.held_up


def test_turbo_is_for_the_clicks_that_come_after(session, asked):
    requests = asked()
    session.click(20, 20, wait=False)
    session.commit(wait=False)
    session.click(45, 50, wait=False)
    session.turbo = True
    session.turbo = False
    session.turbo = True
    answer_all(session, requests)
    assert session.turbo
    assert session.draft.prompts.points.tolist() == [[45, 50]]
    assert session.labels.data.max() == 1


def test_choices_made_meanwhile_outlive_a_failure(session, asked):
    requests = asked()
    session.click(20, 20, wait=False)
    session.commit(wait=False)
    session.overlap, session.turbo = "replace", True
    session.fail(requests[-1], OSError("out of memory"))
    session.click(45, 50)
    session.click(45, 50)
    assert session.labels.data.max() == 2
    assert 1 not in session.labels.data


def test_a_click_while_enter_waits_is_about_the_next_object(session, asked):
    """It takes no point away from the one that is to be kept, nor is the outline made of it."""
    requests = asked()
    session.click(20, 20, wait=False)
    session.commit(wait=False)
    assert session.next_draft.is_empty
    session.hover(45, 50, wait=False)
    assert requests[-1].prompts.points.tolist() == [[45, 50]]


def test_an_object_on_several_planes_is_deleted_as_one_step_while_commands_wait(
    viewer, make_session
):
    layer = viewer.add_image(np.zeros((3, 60, 70), np.uint8), name="stack")
    session = make_session(viewer)
    session.image = layer
    labels = np.zeros((3, 60, 70), np.uint16)
    labels[:2, 5:9, 5:9] = 4
    session.labels = viewer.add_labels(labels)
    review = Review(session)
    *_, objects = (counting := review.count()).iter_answer()
    review.take(counting, objects)
    review.go_to(4)
    requests = []
    session.asked.connect(requests.append)
    session.click(45, 50, plane=(0,), wait=False)
    session.commit(wait=False)
    review.delete()
    assert (labels == 4).any()
    answer_all(session, requests)
    assert not (labels == 4).any()
    session.undo(wait=False)
    assert (labels == 4).sum() == 32
    session.redo(wait=False)
    assert not (labels == 4).any()
    assert "delete(4, near={(0,): (5, 5, 9, 9), (1,): (5, 5, 9, 9)})" in session.script()
