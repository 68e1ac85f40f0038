"""napari's own tools and undo in labels that the plugin writes into; labels that are gone."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

from napari_sam.labels.object_list import ObjectList
from napari_sam.widgets.session import scene


@pytest.fixture(params=["memory", "disk"])
def session(request, viewer, make_session, picture, tmp_path):
    viewer.add_image(picture, name="cells")
    session = make_session(viewer)
    session.click(100, 120)
    session.commit()
    if request.param == "disk":
        session.save_labels(tmp_path / "labels.zarr")
    return session


def areas(session):
    data = np.asarray(session.labels.data)
    return {label: int((data == label).sum()) for label in np.unique(data) if label}


def check(session):
    """Records, list and ids tell what is there."""
    there = areas(session).items()
    assert {record.label: record.area for record in session.objects}.items() <= there
    check_list(session)


def check_list(session):
    """List and ids tell what is there."""
    there = areas(session)
    review = scene(session.viewer).review
    assert review.objects is not None
    if review.objects.census is None:
        counting = review.count()
        *_, objects = counting.iter_answer()
        review.take(counting, objects)
    rows = review.objects.rows
    assert dict(zip(rows["label"].tolist(), rows["area"].tolist(), strict=True)) == there
    assert session.next_label > max(there, default=0)


def levels(session):
    kept = session._target.kept
    return () if kept.saved is None else kept.saved.pyramid.levels


def test_painting_and_taking_it_back(session):
    layer, (before,) = session.labels, session.objects
    check(session)
    layer.brush_size = 9
    layer.selected_label = 1
    layer.paint((20, 20), 1)
    check(session)
    assert session.objects.get(1, ()).area > before.area
    layer.paint((100, 120), 0)
    layer.fill((20, 20), 7)
    check(session)
    for _ in range(3):
        layer.undo()
        check(session)
    assert session.objects.get(1, ()).area == before.area
    for _ in range(3):
        layer.redo()
        check(session)
    assert np.asarray(layer.data)[20, 20] == 7
    if len(levels(session)) > 1:
        assert 7 in np.asarray(levels(session)[1])


def test_napari_takes_back_what_the_plugin_has_written(session):
    """Its undo goes over that too, as long as few pixels have changed."""
    session.click(40, 40)
    session.commit()
    check(session)
    session.labels.undo()
    check(session)
    session.labels.redo()
    check(session)
    session.undo()
    session.redo()
    check(session)
    session.click(40, 180)
    assert session.commit() == 3
    check(session)


def test_what_others_write_into_the_array_is_counted_when_they_draw_it(session):
    layer = session.labels
    check(session)
    layer.data[10:20, 30:40] = 40
    layer.data[90:110, 100:140] = 0
    layer.refresh()
    check_list(session)
    session.click(40, 180)
    assert session.commit() == 41
    check_list(session)
    layer.undo()
    layer.refresh(extent=False)
    assert session.is_counted


def test_painting_in_labels_larger_than_a_texture_is_not_taken_for_what_others_write(session):
    layer = session.labels
    check(session)
    drawn = []

    def draw_it_all():  # as napari's canvas does, if labels do not fit in a texture
        drawn.append(layer)
        layer.refresh()

    layer.events.labels_update.connect(draw_it_all)
    layer.paint((40, 40), 3)
    assert drawn
    assert session.is_counted
    check(session)
    layer.refresh()
    assert not session.is_counted


def test_what_is_written_here_is_not_counted_when_napari_draws_it_all(session, monkeypatch):
    layer = session.labels
    write = type(layer).data_setitem

    def write_and_draw(layer, *args, **options):
        write(layer, *args, **options)
        layer.refresh()

    monkeypatch.setattr(type(layer), "data_setitem", write_and_draw)
    counted = scene(session.viewer).review.objects
    session.click(40, 40)
    session.commit()
    assert session.is_counted
    assert scene(session.viewer).review.objects is counted
    check(session)


def test_erasing_all_of_an_object_ends_its_record(session):
    layer = session.labels
    layer.fill((100, 120), 0)
    assert not len(session.objects)
    check(session)
    layer.undo()
    assert np.asarray(layer.data)[100, 120] == 1
    check(session)


def test_the_layer_is_let_go(viewer, make_session, picture):
    viewer.add_image(picture, name="cells")
    session = make_session(viewer)
    session.click(100, 120)
    session.commit()
    gone = weakref.ref(session.labels)
    viewer.layers.remove(session.labels)
    gc.collect()
    assert gone() is None


def test_a_stroke_over_planes_is_taken_back(viewer, make_session, picture):
    viewer.add_image(np.stack([picture] * 4), name="stack")
    session = make_session(viewer)
    session.click(100, 120, plane=(1,))
    session.commit()
    layer = session.labels
    layer.n_edit_dimensions, layer.selected_label, layer.brush_size = 3, 5, 7
    layer.paint((2, 30, 30), 5)
    check(session)
    n_planes = (layer.data == 5).any(axis=(1, 2)).sum()
    assert n_planes > 1
    layer.undo()
    check(session)
    assert not (layer.data == 5).any()


def test_what_was_done_to_labels_is_forgotten_with_them_and_nothing_else(viewer, session):
    first = session.labels
    other = viewer.add_labels(np.zeros(first.data.shape, np.uint8), name="other")
    session.labels = other
    session.click(40, 180)
    session.commit()
    session.labels = first
    session.click(40, 40)
    session.commit()
    session.click(150, 40)
    session.delete(1, near=(100, 120))
    session.click(150, 46)
    before, last = np.array(first.data), session.draft.prompts
    viewer.layers.remove(first)
    assert session.draft.prompts is last
    session.undo()
    assert session.draft.prompts.points.tolist() == [[150, 40]]
    session.undo()
    assert session.draft.is_empty
    assert other.data.any()
    session.undo()
    assert not other.data.any()
    assert session.draft.prompts.points.tolist() == [[40, 180]]
    session.undo()
    session.undo()
    assert session.status == "There is nothing to undo."
    for _ in range(4):
        session.redo()
    assert session.draft.prompts.points.tolist() == [[150, 40], [150, 46]]
    assert (other.data == 1).any()
    np.testing.assert_array_equal(first.data, before)
    session.labels = other
    assert session.commit() == 2


def test_what_was_undone_is_forgotten_with_the_labels(viewer, session):
    session.click(40, 40)
    session.commit()
    session.undo()
    viewer.layers.remove(session.labels)
    assert session.draft.prompts.points.tolist() == [[40, 40]]
    session.redo()
    assert session.status == "There is nothing to do again."
    assert session.commit() == 1


def test_an_object_opened_again_is_a_new_one_when_its_labels_are_gone(viewer, session):
    gone = weakref.ref(session.labels)
    session.reopen(1)
    session.click(100, 130)
    viewer.layers.remove(session.labels)
    gc.collect()
    assert gone() is None
    assert session.draft.label is None
    assert session.draft.prompts.points.tolist() == [[100, 120], [100, 130]]
    session.undo()
    assert session.status == "There is nothing to undo."
    assert session.commit() == 1


def test_other_labels_keep_their_history_when_data_are_replaced(viewer, session):
    first = session.labels
    other = viewer.add_labels(np.zeros(first.data.shape, np.uint8), name="other")
    first.data = np.zeros(first.data.shape, np.uint8)
    session.labels = other
    session.click(40, 180)
    session.commit()
    first.data = np.ones(first.data.shape, np.uint8)
    assert session.labels is other
    session.undo()
    assert not other.data.any()


def test_labels_chosen_no_more_are_not_in_the_list(viewer, session):
    """What is taken back in them, or painted, is no news of the labels that are shown."""
    first = session.labels
    session.labels = viewer.add_labels(np.zeros(first.data.shape, np.uint8), name="other")
    first.selected_label, first.brush_size = 9, 9
    first.paint((20, 20), 9)
    review = scene(viewer).review
    assert isinstance(review.objects, ObjectList)
    assert len(review.objects.rows) == 0
    session.undo()
    assert len(review.objects.rows) == 0
    session.labels = first
    assert session.next_label == 10
    check(session)


def test_what_napari_takes_back_of_ours_is_undone_and_done_again(session):
    """With its record, its prompts and its id; so the script leaves it out, too."""
    session.click(40, 40)
    session.commit()
    record, script = session.objects.get(2, ()), session.script()
    session.click(40, 180)
    session.labels.undo()
    assert session.objects.get(2, ()) is None
    assert session.next_label == 2
    assert session.draft.prompts.points.tolist() == [[40, 40]]
    assert "180" not in session.script()
    check(session)
    session.labels.redo()
    assert session.objects.get(2, ()) == record
    assert session.next_label == 3
    assert session.script() == script
    check(session)
    session.undo()
    assert not (np.asarray(session.labels.data) == 2).any()
    session.redo()
    assert session.objects.get(2, ()) == record
    check(session)


def test_napari_takes_back_what_the_plugin_has_undone(session):
    record = session.objects.get(1, ())
    session.undo()
    session.labels.undo()
    check(session)
    assert session.objects.get(1, ()) == record
    assert session.draft.is_empty
    session.click(40, 40)
    assert session.commit() == 2


def test_a_record_comes_back_with_all_of_its_object(session):
    (record,) = session.objects
    session.labels.fill((100, 120), 0)
    session.labels.undo()
    assert [*session.objects] == [record]


def test_a_number_that_has_been_painted_is_not_given_back(session):
    """Two objects would become one."""
    layer = session.labels
    session.undo()
    layer.brush_size = 9
    layer.paint((20, 20), 1)
    before = np.array(layer.data)
    with pytest.raises(ValueError, match="Object 1 cannot come back"):
        session.redo()
    np.testing.assert_array_equal(layer.data, before)
    layer.undo()
    session.redo()
    assert session.objects.get(1, ()) is not None
    check(session)


def test_of_an_object_painted_over_comes_back_what_is_left(session):
    layer, (record,) = session.labels, session.objects
    layer.brush_size = 9
    session.delete(1)
    layer.paint((100, 120), 5)
    session.undo()
    assert 0 < session.objects.get(1, ()).area < record.area
    check(session)
    session.redo()
    assert session.objects.get(1, ()) is None
    layer.fill((0, 0), 5)
    session.undo()
    assert session.objects.get(1, ()) is None
    check(session)


def test_what_was_painted_before_the_undo_was_meant(session):
    layer = session.labels
    layer.brush_size = 9
    layer.paint((20, 20), 1)
    before = np.array(layer.data)
    session.undo()
    session.redo()
    np.testing.assert_array_equal(layer.data, before)
