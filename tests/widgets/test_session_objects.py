"""Kept objects: opened again, deleted, reviewed, left alone by new ones; and the script of it."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sam.masks import Mask
from napari_sam.masks.mask_table import MaskTable
from napari_sam.widgets import history, labels_layer
from napari_sam.widgets.predictor import Request
from napari_sam.widgets.session import scene

from . import disc_model
from .replay import carry_out


@pytest.fixture
def viewer(viewer, picture):
    viewer.add_image(picture, name="cells")
    return viewer


@pytest.fixture
def session(viewer, make_session):
    return make_session(viewer)


def keep(session, y, x, rank=None):
    session.click(y, x)
    if rank is not None:
        session.choose(rank)
    return session.commit()


# Opening again


def test_a_kept_object_has_a_record_of_how_it_was_made(session):
    session.click(100, 120)
    mask = session.mask
    session.commit()
    record = session.objects.get(1, ())
    assert record.box == mask.box
    assert record.area == mask.area
    assert record.model == "discs"
    assert record.predicted_iou == pytest.approx(0.9)
    assert record.prompts.points.tolist() == [[100, 120]]
    assert not record.is_reviewed


def test_opened_again_it_is_as_it_was_with_its_prompts(session):
    session.click(100, 120)
    session.click(100, 130, positive=False)
    mask = session.mask
    session.commit()
    session.reopen(1)
    assert session.draft.label == 1
    assert session.draft.prompts.labels.tolist() == [1, 0]
    assert session.mask.box == mask.box
    assert np.array_equal(session.mask.array, mask.array)
    assert "Enter replaces object 1" in session.status


def test_committing_it_again_replaces_exactly_that_object(session):
    keep(session, 100, 120, rank=2)
    keep(session, 50, 50)
    others = session.labels.data == 2
    session.reopen(1)
    session.click(100, 140, positive=False)
    new = session.mask
    assert session.commit() == 1
    assert np.array_equal(session.labels.data == 1, new.to_array((200, 240)))
    assert np.array_equal(session.labels.data == 2, others)
    assert session.next_label == 3
    assert session.objects.get(1, ()).area == new.area
    assert session.objects.get(1, ()).is_reviewed


def test_replacing_is_undone_and_done_again(session):
    keep(session, 100, 120, rank=2)
    before, record = session.labels.data.copy(), session.objects.get(1, ())
    session.reopen(1)
    session.click(100, 140, positive=False)
    session.commit()
    after = session.labels.data.copy()
    session.undo()
    assert np.array_equal(session.labels.data, before)
    assert session.objects.get(1, ()) == record
    assert session.draft.label == 1
    session.redo()
    assert np.array_equal(session.labels.data, after)
    assert session.draft.is_empty


def test_escape_leaves_an_opened_object_as_it_was(session):
    keep(session, 100, 120)
    before = session.labels.data.copy()
    session.reopen(1)
    session.click(100, 140)
    session.clear()
    assert session.draft.old is None
    session.click(20, 20)
    assert session.commit() == 2
    assert np.array_equal(session.labels.data == 1, before == 1)


def test_unchanged_it_is_not_written_again(session):
    keep(session, 100, 120)
    session.reopen(1)
    assert session.commit() is None
    assert session.status == "Object 1 is as it was."
    assert session.draft.old is None


def test_an_object_of_labels_made_elsewhere_opens_too(session, viewer):
    data = np.zeros((200, 240), np.uint16)
    data[40:80, 50:90] = 7
    session.labels = viewer.add_labels(data)
    with pytest.raises(ValueError, match="no record of an object 7"):
        session.reopen(7)
    session.reopen(7, near=(60, 70))
    assert session.mask.area == 1600
    assert len(session.draft.prompts.points) == 1
    assert session.mask.contains(*session.draft.prompts.points[0])
    session.click(60, 75, positive=False)
    new = session.mask
    assert session.commit() == 7
    assert np.array_equal(session.labels.data == 7, new.to_array((200, 240)))


def test_what_is_not_there_cannot_be_opened(session):
    keep(session, 100, 120)
    session.labels.data[:] = 0
    with pytest.raises(ValueError, match=r"no object 1 in 'cells labels' any more"):
        session.reopen(1)


# Deleting, reviewing


def test_a_deleted_object_is_gone_until_it_is_undone(session):
    keep(session, 100, 120)
    before = session.labels.data.copy()
    told = []
    session.objects_changed.connect(told.append)
    session.delete(1)
    assert not session.labels.data.any()
    assert not len(session.objects)
    assert [record.label for record in told[0].drop] == [1]
    session.undo()
    assert np.array_equal(session.labels.data, before)
    assert session.objects.get(1, ()) is not None
    session.redo()
    assert not session.labels.data.any()


@pytest.fixture
def stack(make_session):
    """A session on five planes, three of which object 3 is on; and its viewer, to keep."""
    viewer = ViewerModel()
    viewer.add_image(np.zeros((5, 60, 70), np.uint8))
    session = make_session(viewer)
    data = np.zeros((5, 60, 70), np.uint16)
    data[1:4, 10:40, 10:40] = 3
    session.labels = viewer.add_labels(data)
    return session, viewer


PLACES = {(z,): (20, 20) for z in (1, 2, 3)}


def test_an_object_of_several_planes_is_deleted_in_one_change(stack):
    session, _ = stack
    before, told = session.labels.data.copy(), []
    session.objects_changed.connect(told.append)
    session.delete(3, near=PLACES)
    assert not session.labels.data.any()
    assert len(told) == 1
    assert "Deleted object 3 in 'data', plane 1. The same on 2 more planes." in session.status
    session.undo()
    assert np.array_equal(session.labels.data, before)
    session.redo()
    assert not session.labels.data.any()
    assert len(told) == 3
    assert session.n_steps == 1


def test_what_a_disk_refuses_on_one_plane_is_deleted_on_none(stack, monkeypatch):
    session, _ = stack
    before, write = session.labels.data.copy(), labels_layer.ShownLabels.__setitem__

    def refuse(shown, region, values):
        if region[0] == 3 and not values.any():
            raise OSError(28, "No space left on device")
        write(shown, region, values)

    monkeypatch.setattr(labels_layer.ShownLabels, "__setitem__", refuse)
    with pytest.raises(OSError, match="Nothing was changed, as the labels cannot be written"):
        session.delete(3, near=PLACES)
    assert np.array_equal(session.labels.data, before)
    assert session.n_steps == 0


def test_a_deletion_of_long_ago_comes_back_on_all_planes(stack, monkeypatch):
    monkeypatch.setattr(history, "N_WHOLE", 1)
    session, _ = stack
    before = session.labels.data.copy()
    session.delete(3, near=PLACES)
    for _ in range(3):
        session.click(50, 50, plane=(0,))
    for _ in range(4):
        session.undo()
    assert np.array_equal(session.labels.data, before)
    session.redo()
    assert not session.labels.data.any()


def test_the_id_of_a_deleted_object_is_not_given_again(session):
    keep(session, 100, 120)
    session.delete(1)
    assert keep(session, 50, 50) == 2


def test_deleting_the_opened_object_ends_it(session):
    keep(session, 100, 120)
    session.reopen(1)
    session.delete(1)
    assert session.draft.is_empty


def test_a_review_is_noted_and_undone(session):
    keep(session, 100, 120)
    session.review(1)
    assert session.objects.get(1, ()).is_reviewed
    session.undo()
    assert not session.objects.get(1, ()).is_reviewed


def test_a_review_of_an_object_made_elsewhere_makes_a_record(session, viewer):
    data = np.zeros((200, 240), np.uint16)
    data[40:80, 50:90] = 7
    session.labels = viewer.add_labels(data)
    session.review(7, near=(40, 50, 80, 90))
    assert session.objects.get(7, ()).is_reviewed
    assert session.objects.get(7, ()).area == 1600


def test_objects_that_another_covers_are_smaller_or_gone_in_the_records(session):
    keep(session, 100, 120, rank=0)
    keep(session, 50, 50, rank=1)
    session.overlap = "replace"
    session.neighbors = False
    keep(session, 100, 120, rank=2)
    assert session.objects.get(1, ()) is None
    keep(session, 60, 50, rank=0)
    assert session.objects.get(2, ()).area == np.count_nonzero(session.labels.data == 2)
    session.undo()
    assert session.objects.get(2, ()).area == np.count_nonzero(session.labels.data == 2)


# Neighbors


def test_a_click_on_a_kept_object_selects_nothing_and_says_so(session):
    keep(session, 100, 120)
    session.click(101, 121)
    assert not session.candidates
    assert "Object 1 is here already" in session.status
    session.overlap = "replace"
    session.ask_again()
    assert session.mask.contains(101, 121)


def test_what_a_click_shows_leaves_neighbors_out_and_is_what_is_written(session):
    keep(session, 100, 100)
    first = session.labels.data == 1
    session.hover(100, 125)
    assert not (session.hovered[0].to_array((200, 240)) & first).any()
    session.click(100, 125)
    shown = session.mask.to_array((200, 240))
    assert not (shown & first).any()
    session.commit()
    assert np.array_equal(session.labels.data == 2, shown)


def test_neighbors_are_negatives_if_wanted(session, model, monkeypatch):
    keep(session, 100, 100)
    asked = []
    decode = model.decode
    monkeypatch.setattr(
        model, "decode", lambda *args, **kwargs: asked.append(args) or decode(*args, **kwargs)
    )
    session.click(100, 125)
    assert len(asked) == 2
    session.clear()
    session.neighbors = False
    session.click(100, 125)
    assert len(asked) == 3


# One click, many objects


def test_turbo_keeps_with_one_click_and_one_undo(session):
    session.turbo = True
    session.click(100, 120)
    session.click(50, 50)
    assert sorted(np.unique(session.labels.data)) == [0, 1, 2]
    assert session.draft.is_empty
    session.undo()
    assert sorted(np.unique(session.labels.data)) == [0, 1]
    assert session.draft.is_empty
    session.redo()
    assert sorted(np.unique(session.labels.data)) == [0, 1, 2]


def test_a_turbo_click_on_a_kept_object_leaves_nothing_behind(session):
    session.turbo = True
    session.click(100, 120)
    session.click(101, 121)
    assert session.draft.is_empty
    assert "Object 1 is here already" in session.status
    session.undo()
    assert not session.labels.data.any()


def test_a_turbo_click_is_kept_when_it_is_answered(session):
    session.turbo = True
    asked = []
    session.asked.connect(lambda work: asked.append(work) if isinstance(work, Request) else None)
    session.click(100, 120, wait=False)
    session.click(50, 50, wait=False)
    assert len(asked) == 1
    session.accept(asked[0], asked[0].answer())
    assert sorted(np.unique(session.labels.data)) == [0, 1]
    session.accept(asked[1], asked[1].answer())
    assert sorted(np.unique(session.labels.data)) == [0, 1, 2]


def test_turbo_keeps_nothing_that_no_outline_shows(session, monkeypatch):
    """What covers most of the window is hidden under the cursor."""
    monkeypatch.setattr(disc_model, "RADII", (8.0, 16.0, 400.0))
    session.turbo, session.preferred_rank = True, 2
    session.hover(100, 120)
    assert session.hovered is None
    session.click(100, 120)
    assert session.labels is None
    assert (session.draft.is_empty, session.n_steps) == (True, 0)
    assert "so no outline showed it. Switch Turbo off" in session.status
    session.preferred_rank = 0
    session.hover(100, 120)
    shown = session.hovered[0]
    session.click(100, 120)
    assert np.array_equal(session.labels.data == 1, shown.to_array((200, 240)))


def test_the_chosen_rank_is_remembered_for_the_next_object_and_the_hover(session):
    session.click(100, 120)
    session.choose(2)
    session.commit()
    session.hover(50, 50)
    session.click(50, 50)
    assert session.draft.rank == 2
    assert session.hovered is None
    session.clear()
    session.hover(50, 50)
    assert session.hovered[0].area > np.pi * 20**2


def test_the_wheel_goes_through_candidates_and_outlines(session):
    session.hover(50, 50)
    areas = [session.hovered[0].area]
    session.cycle(1)
    areas.append(session.hovered[0].area)
    session.cycle(1)
    assert session.hovered[0].area == areas[1] > areas[0]
    session.click(50, 50)
    assert session.draft.rank == 2
    session.cycle(-1)
    assert session.draft.rank == 1


def test_a_scribble_is_points_and_one_step(session):
    session.scribble([(100, 100), (100, 160)])
    points = session.draft.prompts.points
    assert len(points) == 6
    assert points[0].tolist() == [100, 100]
    assert points[-1].tolist() == [100, 160]
    session.scribble([(90, 120), (90, 121)], positive=False)
    assert session.draft.prompts.labels.tolist() == [1] * 6 + [0]
    session.undo()
    session.undo()
    assert session.draft.is_empty


def test_a_lasso_is_a_mask_and_a_box(session):
    session.lasso([(80, 80), (80, 140), (130, 140), (130, 80)])
    assert session.draft.prompts.box.tolist() == [80, 80, 130, 140]
    assert session.draft.prompts.mask is not None
    assert session.mask.box == (80, 80, 130, 140)


def test_a_box_is_looked_at_while_it_is_drawn(session):
    session.hover_box(80, 80, 130, 140)
    mask, _, positive = session.hovered
    assert mask.box == (80, 80, 130, 140)
    assert positive
    assert session.draft.is_empty


# Going to objects, and the script


def test_going_to_an_object_shows_its_plane_and_centers_it(make_session):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((5, 200, 240), np.uint8), scale=(3, 2, 2), name="stack")
    session = make_session(viewer)
    session.click(40, 200, plane=(4,))
    session.commit()
    viewer.dims.set_current_step(0, 0)
    session.go_to(1, plane=(4,))
    assert viewer.dims.current_step[0] == 4
    assert np.allclose(viewer.scene.camera.center[-2:], (80, 400), atol=2)


def test_an_object_on_a_plane_that_is_not_shown_is_told_of(make_session):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((5, 200, 240), np.uint8), name="stack")
    session = make_session(viewer)
    viewer.dims.set_current_step(0, 2)
    session.click(40, 200)
    assert "px on plane 2. Enter keeps it" in session.status
    viewer.dims.set_current_step(0, 3)
    assert session.status.endswith("Another plane is shown.")
    viewer.dims.set_current_step(0, 2)
    assert not session.status.endswith("Another plane is shown.")


def test_the_script_gives_the_same_labels(session, viewer, model, picture):
    keep(session, 100, 100)
    session.click(100, 130)
    session.click(110, 135, positive=False)
    session.choose(0)
    session.commit()
    session.reopen(1)
    session.click(80, 100)
    session.commit()
    session.object_diameter = 30
    session.box(20, 20, 60, 70)
    session.commit()
    session.scribble([(150, 30), (160.123456, 90)])
    session.undo()
    session.lasso([(150, 30), (150, 90), (190, 60)])
    session.commit()
    session.delete(3)
    square = Mask.from_array(
        np.ones((9, 9), bool), 180, 200, predicted_iou=0.5, stability_score=0.5
    )
    table = MaskTable.of([square])
    session.commit_all(table)
    known = carry_out(session, [("image", picture, "cells")], model=model)
    assert np.array_equal(known["session"].labels.data, session.labels.data)
    assert [*known["session"].objects] == [*session.objects]


def test_a_lasso_is_shown_as_it_was_drawn(session):
    """Not as the box that is asked along with it; a box drawn afterwards is one again."""
    shown = scene(session.viewer).box
    path = [(80, 80), (80, 140), (130, 120)]
    session.lasso(path)
    assert shown.layer.shape_type == ["polygon"]
    assert shown.layer.data[0].tolist() == np.array(path, float).tolist()
    session.click(100, 110)
    assert shown.layer.shape_type == ["polygon"]
    session.box(20, 20, 60, 70)
    assert shown.layer.shape_type == ["rectangle"]
    session.undo()
    assert shown.layer.shape_type == ["polygon"]


def test_an_object_opened_again_shows_what_was_drawn_around_it(session, tmp_path):
    shown = scene(session.viewer).box
    angles = np.linspace(0, 2 * np.pi, 500)
    path = np.stack([100 + 40 * np.sin(angles), 120 + 30 * np.cos(angles)], axis=1)
    session.lasso(path)
    session.commit()
    session.save_labels(tmp_path / "cells.zarr")
    session.open_labels(tmp_path / "cells.zarr")
    session.reopen(1, plane=())
    assert shown.layer.shape_type == ["polygon"]
    vertices = shown.layer.data[0]
    assert len(vertices) <= 64
    radii = np.hypot(*((vertices - (100, 120)) / (40, 30)).T)
    np.testing.assert_allclose(radii, 1, atol=0.01)
    session.click(100, 110)
    session.commit()
    session.undo()
    assert shown.layer.shape_type == ["polygon"]
    session.redo()
    session.reopen(1, plane=())
    np.testing.assert_array_equal(shown.layer.data[0], vertices)
    session.box(20, 20, 60, 70)
    session.commit()
    session.reopen(1, plane=())
    assert shown.layer.shape_type == ["rectangle"]


def test_steps_of_long_ago_hold_objects_in_little_memory(session):
    session.click(100, 120)
    session.choose(2)
    session.commit()
    session.reopen(1)
    for number in range(60):
        session.review(1, is_reviewed=bool(number % 2))
    mask = session.mask
    old = session._history.done[3].after
    assert old.candidates is None
    held = [value for value in vars(old.old).values() if isinstance(value, np.ndarray)]
    assert sum(value.nbytes for value in held) < mask.array.nbytes / 7
    assert np.array_equal(old.restored().mask.array, mask.array)
    assert old.restored().mask.predicted_iou == mask.predicted_iou
