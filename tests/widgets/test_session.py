"""The session on a viewer without a window: the story of objects, told by commands."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy

import napari_sam
from napari_sam.masks import Candidates
from napari_sam.widgets.draft import READY
from napari_sam.widgets.layers import SWITCH_TO_2D
from napari_sam.widgets.predictor import Request
from napari_sam.widgets.scene import Scene
from napari_sam.widgets.segment_session import SegmentSession


@pytest.fixture
def viewer(viewer, picture):
    viewer.add_image(picture, name="cells")
    return viewer


@pytest.fixture
def session(viewer, make_session):
    return make_session(viewer)


@pytest.fixture
def asked(session):
    """Requests of commands with ``wait=False``, to be answered by hand."""
    requests = []

    def note(work):
        if isinstance(work, Request):
            requests.append(work)

    session.asked.connect(note)
    yield requests
    session.asked.disconnect(note)


def answer(session, request):
    session.accept(request, request.answer())


def test_a_click_is_an_object_and_a_commit_writes_it(session, viewer):
    session.click(100, 120)
    assert [mask.area for mask in session.candidates] == sorted(
        mask.area for mask in session.candidates
    )
    area = session.mask.area
    assert session.commit() == 1
    assert session.labels in viewer.layers
    assert session.labels.data.shape == (200, 240)
    assert np.count_nonzero(session.labels.data == 1) == area
    assert session.draft.is_empty
    assert session.next_label == 2


def test_negative_points_take_away(session):
    session.click(100, 120)
    before = session.mask.area
    session.click(100, 130, positive=False)
    assert session.mask.area < before
    assert not session.mask.contains(100, 130)


def test_the_mask_so_far_is_a_prompt_for_the_next_click(session):
    session.click(100, 120)
    logits = session.mask.logits
    session.click(100, 140)
    assert session.draft.prompts.mask is logits


def test_a_box_is_cut_at_the_border(session):
    session.box(-50, 20, 60, 1000)
    assert session.draft.prompts.box.tolist() == [0, 20, 60, 239]
    assert session.mask.box[0] == 0


def test_taking_the_only_positive_point_away_leaves_nothing(session):
    session.click(100, 120)
    session.click(100, 130, positive=False)
    session.remove_point(0)
    assert session.draft.is_empty


def test_without_its_box_an_object_is_its_points_or_nothing(session):
    session.box(80, 100, 120, 140)
    session.click(100, 120)
    session.remove_box()
    assert session.draft.prompts.box is None
    assert session.mask is not None
    session.clear()
    session.box(80, 100, 120, 140)
    session.remove_box()
    assert session.draft.is_empty
    session.undo()
    assert session.draft.prompts.box.tolist() == [80, 100, 120, 140]


def test_the_status_names_the_plane_that_was_written(make_session):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 200, 240), np.uint8), name="stack")
    session = make_session(viewer)
    session.click(100, 120, plane=(2,))
    session.commit()
    assert session.status == "Kept as object 1 in 'stack labels', plane 2. Ctrl+Z takes it back."
    assert session.labels.data[2].any()


def test_another_candidate_is_kept_if_chosen(session):
    session.click(100, 120)
    session.choose(2)
    area = session.candidates[2].area
    session.commit()
    assert np.count_nonzero(session.labels.data) == area


def test_undo_and_redo_go_over_clicks_and_commits(session):
    session.click(50, 50)
    session.click(50, 60)
    session.commit()
    session.click(150, 150)
    session.commit()
    final = session.labels.data.copy()
    for _ in range(5):
        session.undo()
    assert not session.labels.data.any()
    assert session.draft.is_empty
    assert session.next_label == 1
    session.undo()
    assert session.status == "There is nothing to undo."
    for _ in range(5):
        session.redo()
    np.testing.assert_array_equal(session.labels.data, final)
    assert session.next_label == 3


def test_undoing_a_commit_gives_back_its_clicks_and_its_choice(session):
    session.click(50, 50)
    session.choose(0)
    made = session.draft
    session.commit()
    session.undo()
    assert session.draft is made


def test_escape_can_be_undone(session):
    session.click(50, 50)
    made = session.draft
    session.clear()
    assert session.draft.is_empty
    session.undo()
    assert session.draft is made


def test_undo_spares_what_was_painted_since(session):
    session.click(50, 50)
    session.commit()
    session.labels.data_setitem((np.array([50]), np.array([50])), 9)
    session.undo()
    assert session.labels.data[50, 50] == 9
    assert np.count_nonzero(session.labels.data) == 1


def test_objects_do_not_overlap_unless_asked(session):
    session.click(50, 50)
    session.commit()
    first = np.count_nonzero(session.labels.data == 1)
    session.click(50, 60)
    session.commit()
    assert np.count_nonzero(session.labels.data == 1) == first
    session.overlap = "replace"
    session.click(50, 55)
    session.commit()
    assert np.count_nonzero(session.labels.data == 1) < first


def test_an_object_under_others_is_not_written(session):
    session.click(50, 50)
    session.choose(2)
    session.commit()
    session.click(50, 50)
    assert session.commit() is None
    assert "Object 1 is here already" in session.status
    assert session.next_label == 2
    assert not session.draft.is_empty


def test_a_click_on_a_kept_object_is_no_part_of_the_next_one(session):
    session.click(100, 120)
    session.commit()
    session.click(100, 120)
    session.hover(40, 40)
    assert session.hovered[0].contains(40, 40)
    session.click(40, 40)
    assert session.draft.prompts.points.tolist() == [[40, 40]]
    session.undo()
    assert "Object 1 is here already" in session.status


def test_preserve_labels_of_the_layer_wins(session):
    session.click(50, 50)
    session.commit()
    before = session.labels.data.copy()
    session.labels.preserve_labels = True
    session.overlap = "replace"
    session.click(50, 60)
    session.commit()
    np.testing.assert_array_equal(session.labels.data[before == 1], 1)
    assert "overlap = 'replace'" not in session.script()


def test_the_eraser_takes_no_id(session):
    session.click(50, 50)
    session.choose(2)
    session.commit()
    session.overlap = "erase"
    session.click(50, 50)
    session.choose(0)
    area = session.mask.area
    before = np.count_nonzero(session.labels.data)
    assert session.commit() is None
    assert np.count_nonzero(session.labels.data) == before - area
    assert session.next_label == 2


def test_commit_without_an_object_says_so(session, viewer):
    n_layers = len(viewer.layers)
    assert session.commit() is None
    assert "no object" in session.status
    assert len(viewer.layers) == n_layers


@pytest.mark.parametrize("place", [(-1, 5), (5, 240), (200, 0)])
def test_a_click_outside_changes_nothing(session, place):
    session.click(50, 50)
    made = session.draft
    with pytest.raises(ValueError, match="outside the image"):
        session.click(*place)
    assert session.draft is made


def test_the_first_click_must_be_positive(session):
    with pytest.raises(ValueError, match="Begin with a click on the object"):
        session.click(50, 50, positive=False)


def test_no_image(make_session):
    viewer = ViewerModel()
    empty = make_session(viewer)
    with pytest.raises(ValueError, match="Open an image"):
        empty.click(5, 5)


def test_3d_is_refused(session, viewer):
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="Prompts work on one slice"):
        session.click(50, 50)
    with session.telling():
        session.click(50, 50)
    assert session.status == SWITCH_TO_2D


def test_back_in_2d_the_status_says_no_more_what_3d_is_not(session, viewer):
    viewer.dims.ndisplay = 3
    with session.telling():
        session.click(50, 50)
    viewer.dims.ndisplay = 2
    assert session.status == READY


def test_labels_of_another_shape_are_refused(session, viewer):
    other = viewer.add_labels(np.zeros((10, 10), int), name="small")
    session.click(50, 50)
    with pytest.raises(ValueError, match=r"'small' has shape \(10, 10\), the image \(200, 240\)"):
        session.labels = other
    assert session.labels is None


def test_ids_of_adopted_labels_go_on(session, viewer):
    data = np.zeros((200, 240), np.uint16)
    data[:5, :5] = 41
    session.labels = viewer.add_labels(data)
    session.click(100, 100)
    assert session.commit() == 42


def test_full_labels_are_refused_before_anything_is_written(session, viewer):
    data = np.full((200, 240), 255, np.uint8)
    data[20:] = 0
    session.labels = viewer.add_labels(data.copy())
    with pytest.raises(ValueError, match="uint8"):
        session.click(100, 100)
        session.commit()
    np.testing.assert_array_equal(session.labels.data, data)


def test_hover_shows_what_a_click_would_select(session):
    session.hover(100, 120)
    mask, plane, positive = session.hovered
    assert mask.contains(100, 120)
    assert plane == ()
    assert positive
    session.click(100, 120)
    assert session.hovered is None
    assert session.mask.area == mask.area


def test_hover_hides_what_fills_the_window(session):
    session.box(0, 0, 199, 239)
    session.hover(100, 100)
    assert session.hovered is None


def test_late_answers_are_ignored(session, asked):
    session.click(50, 50, wait=False)
    session.click(50, 60, wait=False)
    first, second = asked
    answer(session, first)
    assert session.candidates is None
    answer(session, second)
    assert session.candidates is not None
    session.clear()
    answer(session, second)
    assert session.draft.is_empty


def test_commands_after_an_early_commit_come_in_order(session, asked):
    """Click, Enter, click, Enter, Ctrl+Z, faster than the model."""
    session.click(50, 50, wait=False)
    session.commit(wait=False)
    session.click(150, 150, wait=False)
    session.commit(wait=False)
    session.undo(wait=False)
    assert session.labels is None
    assert len(session.draft.prompts.points) == 1
    answer(session, asked.pop())
    assert session.labels.data[50, 50] == 1
    answer(session, asked.pop())
    assert session.labels.data[150, 150] == 0
    assert session.draft.prompts.points.tolist() == [[150, 150]]
    assert session.mask is not None


def test_a_failure_takes_the_click_back_and_says_why(session, asked):
    session.click(50, 50, wait=False)
    session.commit(wait=False)
    session.fail(asked[0], ValueError("The weights are damaged."))
    assert session.draft.is_empty
    assert session.status == "The weights are damaged."
    session.click(60, 60, wait=False)
    answer(session, asked[1])
    assert session.mask.contains(60, 60)


def test_a_model_that_cannot_be_opened_changes_nothing(session):
    session.model = "vit_h"
    with pytest.raises(FileNotFoundError, match="vit_h is not installed"):
        session.click(50, 50)
    assert session.draft.is_empty
    assert "not installed" in session.status


def test_another_model_answers_the_same_clicks_anew(session, asked):
    session.click(50, 50)
    first = session.candidates
    other = type(session._source._model.get())()
    other.name = "other"
    session.model = other
    answer(session, asked[-1])
    assert session.candidates is not first
    assert session.model == "other"


def test_new_data_in_the_image_layer_is_looked_at_anew(session, viewer):
    session.click(50, 50)
    viewer.layers["cells"].data = np.zeros((300, 300), np.uint8)
    assert session.draft.is_empty
    session.click(250, 250)
    assert session.commit() == 1
    assert session.labels.data.shape == (300, 300)


def test_removing_the_image_while_it_is_being_segmented(session, viewer, asked):
    session.click(50, 50, wait=False)
    session.commit(wait=False)
    viewer.layers.remove(session.image)
    answer(session, asked[0])
    assert session.image is None
    assert session.draft.is_empty
    assert session.labels is None


def test_the_status_says_that_labels_are_hidden(session):
    session.click(50, 50)
    session.commit()
    session.labels.visible = False
    session.click(150, 150)
    session.commit()
    assert session.status.startswith("Kept as object 2 in 'cells labels', which is hidden.")


def test_the_status_says_what_was_taken_back_and_done_again(session):
    session.click(50, 50)
    session.commit()
    session.delete(1)
    session.undo()
    assert session.status == "Taken back: deleted object 1 in 'cells labels'."
    session.redo()
    assert session.status == "Done again: deleted object 1 in 'cells labels'."
    session.undo()
    session.undo()
    assert "px" in session.status  # of the object that is being made again


def test_after_the_labels_are_removed_the_status_tells_the_new_number(session, viewer):
    for place in ((50, 50), (150, 150)):
        session.click(*place)
        session.commit()
    session.click(50, 150)
    assert session.status.endswith("Enter keeps it as object 3.")
    viewer.layers.remove(session.labels)
    assert session.status.endswith("Enter keeps it as object 1.")


def test_removing_the_labels_begins_new_ones(session, viewer):
    session.click(50, 50)
    session.commit()
    viewer.layers.remove(session.labels)
    assert session.labels is None
    session.undo()
    session.click(50, 50)
    assert session.commit() == 1
    assert session.labels in viewer.layers


def test_all_layers_removed_at_once(session, viewer):
    session.click(50, 50)
    session.commit()
    session.box(20, 20, 90, 90)
    session.hover(60, 60)
    viewer.layers.clear()
    assert session.image is None
    viewer.add_image(np.zeros((5, 100, 100)))
    session.click(50, 50)
    assert session.commit() == 1


def test_renamed_layers_are_still_known(session, viewer):
    session.click(50, 50)
    for layer in viewer.layers:
        layer.name = f"my {layer.name}"
    session.commit()
    session.click(90, 90)
    session.commit()
    assert sorted(np.unique(session.labels.data)) == [0, 1, 2]


def test_planes_are_kept_apart(viewer, make_session, picture):
    viewer.layers.clear()
    viewer.add_image(np.stack([picture] * 4), scale=(7, 1, 1))
    session = make_session(viewer)
    viewer.dims.set_current_step(0, 3)
    session.click(50, 50)
    viewer.dims.set_current_step(0, 1)
    session.click(60, 60)
    assert session.draft.plane == (1,)
    assert session.draft.prompts.points.tolist() == [[60, 60]]
    session.commit()
    assert [plane.any() for plane in session.labels.data] == [False, True, False, False]
    session.undo()
    session.undo()
    assert session.draft.plane == (3,)
    session.commit()
    assert session.labels.data[3, 50, 50] == 1


@pytest.mark.parametrize("turbo", [False, True])
def test_an_object_given_up_for_one_on_another_plane_is_told_of(viewer, make_session, turbo):
    viewer.layers.clear()
    viewer.add_image(np.zeros((4, 200, 240), np.uint8))
    session = make_session(viewer)
    session.click(50, 50, plane=(3,))
    session.click(60, 60, plane=(3,))
    session.turbo = turbo
    session.click(60, 60, plane=(1,))
    says = "What you began on plane 3 is not kept; Ctrl+Z goes back to it."
    assert session.status.endswith(says)
    session.undo()
    assert says not in session.status
    assert session.draft.plane == (3,)
    session.turbo = False
    session.click(60, 60, plane=(1,))
    assert session.status.endswith(says)
    session.click(70, 60, plane=(1,))
    assert says not in session.status


def test_permuted_dims_are_refused(viewer, make_session, picture):
    viewer.layers.clear()
    viewer.add_image(np.stack([picture] * 4))
    session = make_session(viewer)
    viewer.dims.order = (2, 0, 1)
    with pytest.raises(ValueError, match="the last two"):
        session.click(50, 50)
    viewer.dims.order = (0, 2, 1)
    session.click(50, 60)
    assert session.draft.prompts.points.tolist() == [[50, 60]]


def test_the_proxy_of_a_viewer_has_the_same_session(session, viewer):
    assert napari_sam.session(PublicOnlyProxy(viewer)) is session


def test_two_viewers_share_nothing(session, make_session, picture):
    other_viewer = ViewerModel()
    other_viewer.add_image(picture)
    other = make_session(other_viewer)
    session.click(50, 50)
    session.commit()
    assert other.labels is None
    assert other.draft.is_empty
    other.undo()
    assert session.labels.data.any()


def test_nothing_of_a_viewer_keeps_a_session_alive(viewer, model):
    """So that a viewer that is closed, and dropped from the table of sessions, is gone."""
    made = SegmentSession(viewer)
    scene = Scene(made)
    made.model = model
    made.click(50, 50)
    made.commit()
    viewer.layers.clear()
    seen = weakref.ref(made), weakref.ref(scene)
    del made, scene
    gc.collect()
    assert [each() for each in seen] == [None, None]


PLACES = st.tuples(st.integers(0, 199), st.integers(0, 239))
COMMANDS = st.one_of(
    st.tuples(st.just("click"), PLACES),
    st.tuples(st.sampled_from(["commit", "undo", "redo", "clear"]), st.just(())),
    st.tuples(st.just("choose"), st.tuples(st.integers(0, 2))),
)


@given(commands=st.lists(COMMANDS, max_size=25))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_undoing_everything_gives_back_the_labels(model, picture, commands):
    """Whatever is done, undo ends at the labels before, and redo at those after."""
    viewer = ViewerModel()
    viewer.add_image(picture)
    session = napari_sam.session(viewer)
    session.model = model
    start = np.zeros((200, 240), np.uint16)
    start[30:60, 30:60] = 3
    session.labels = viewer.add_labels(start.copy())
    for command, arguments in commands:
        getattr(session, command)(*arguments)
    final = session.labels.data.copy()
    n_steps = len(session._history)
    for _ in range(n_steps):
        session.undo()
    np.testing.assert_array_equal(session.labels.data, start)
    for _ in range(n_steps):
        session.redo()
    np.testing.assert_array_equal(session.labels.data, final)


def test_the_zoom_chooses_how_finely_a_click_looks(make_session):
    viewer = ViewerModel()
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (2000, 2000), dtype=np.uint8))
    session = make_session(viewer)
    viewer.scene.camera.zoom = 0.2
    session.click(1000, 1000)
    assert session.candidates.window.step == 4
    session.undo()
    viewer.scene.camera.zoom = 1.5
    session.click(1010, 1000)
    assert session.candidates.window.step == 1


@pytest.mark.parametrize(
    ("chosen", "step"),
    [({"step": None}, 1), ({"step": 2}, 2), ({"object_diameter": 250}, 4), ({"step": 64}, 8)],
)
def test_the_user_chooses_how_finely_a_click_looks(make_session, chosen, step):
    """And the object being made is asked for again."""
    viewer = ViewerModel()
    viewer.add_image(np.random.default_rng(0).integers(0, 255, (2000, 2000), dtype=np.uint8))
    session = make_session(viewer)
    viewer.scene.camera.zoom = 0.01
    session.click(1000, 1000)
    assert session.candidates.window.step == 8  # coarser, the image would only shrink
    for name, value in chosen.items():
        setattr(session, name, value)
    session.hover(1000, 1000)
    assert session.candidates.window.step == step
    assert len(session.draft.prompts.points) == 1


@pytest.mark.parametrize("step", [3, 0, -1, "half", float("nan")])
def test_a_step_that_is_none_is_refused(session, step):
    with pytest.raises(ValueError, match="power of two"):
        session.step = step
    assert session.step == "zoom"


@pytest.mark.parametrize("diameter", [0, -3, float("inf"), float("nan")])
def test_a_diameter_that_is_none_is_refused(session, diameter):
    with pytest.raises(ValueError, match="pixels of the image"):
        session.object_diameter = diameter


def test_hovering_again_at_another_resolution_asks_again(session, asked):
    session.hover(100, 120, wait=False)
    answer(session, asked[-1])
    session.hover(100, 120, wait=False)
    assert len(asked) == 1
    session.step = 2
    session.hover(100, 120, wait=False)
    assert len(asked) == 2


def test_a_click_where_the_cursor_rests_is_answered_by_the_outline(session, asked):
    session.hover(50, 50, wait=False)
    answer(session, asked.pop())
    shown, _, _ = session.hovered
    session.click(50, 50, wait=False)
    assert not asked
    assert session.mask is shown
    session.undo(wait=False)
    session.redo(wait=False)
    assert session.mask is shown


def test_a_click_on_an_outline_that_another_look_might_change_is_asked(session, asked, model):
    model.encodes_quickly, model.object_samples = True, (80, 160)  # its discs measure 32
    session.hover(50, 50, wait=False)
    request = asked.pop()
    first, second = (news for news in request.iter_answer() if not isinstance(news, str))
    assert (first.is_tentative, second.is_tentative) == (True, False)
    session.accept(request, first)
    assert session.hovered
    session.click(50, 50, wait=False)
    assert len(asked) == 1


def test_an_outline_that_is_seen_for_long_enough_is_what_a_click_selects(session, asked, model):
    model.encodes_quickly, model.object_samples = True, (80, 160)
    session.hover(50, 50, wait=False)
    answer(session, asked.pop())
    shown, _, _ = session.hovered
    session.click(50, 50, wait=False)
    assert not asked
    assert session.mask is shown


def test_an_outline_does_not_wait_for_a_model_that_takes_long(session, asked, model):
    model.object_samples = (80, 160)
    session.hover(50, 50, wait=False)
    answers = [news for news in asked.pop().iter_answer() if not isinstance(news, str)]
    assert [found.window.step for found in answers] == [1]


def test_only_where_the_screen_leaves_pixels_out_the_model_does_too(session, viewer):
    session.adopt_image()
    steps = []
    for zoom in (8, 1, 0.5, 0.2):
        viewer.scene.camera.zoom = zoom
        steps.append(session.step_now)
    assert steps == [None, None, 2, 4]


def test_a_click_elsewhere_is_asked(session, asked):
    session.hover(50, 50, wait=False)
    answer(session, asked.pop())
    session.click(50, 50.5, wait=False)
    assert len(asked) == 1


def test_previews_lie_above_the_image_that_is_chosen(session, viewer, picture):
    session.click(50, 50)
    above = viewer.add_image(picture, name="above")
    session.image = above
    session.click(50, 50)
    assert viewer.layers.index("object") > viewer.layers.index("above")


def test_clicks_do_not_reach_far_beyond_the_image(session, viewer):
    session.click(50, 50)
    session.click(190, 230)
    low, high = viewer.layers.extent.world
    assert (low > -10).all()
    assert (high < (210, 250)).all()


def test_what_is_said_of_enter_follows_the_rule(session):
    session.click(100, 120)
    assert "Enter keeps it as object 1." in session.status
    session.overlap = "erase"
    assert "Enter erases what is here." in session.status
    session.overlap = "replace"
    assert "Enter keeps it as object 1." in session.status


@pytest.mark.parametrize("end", ["remove", "replace"])
def test_nothing_is_said_of_labels_that_are_gone(session, viewer, end):
    session.click(100, 120)
    session.commit()
    assert session.status.startswith("Kept as object 1")
    if end == "remove":
        viewer.layers.remove(session.labels)
    else:
        session.labels.data = np.zeros_like(session.labels.data)
    assert session.status == READY


def test_notes_of_the_model_are_sentences_in_what_is_said(session):
    session.click(100, 120)
    note = "window magnified 2 times (object is small)"
    noted = replace(session.draft, candidates=replace(session.candidates, note=note))
    assert noted.describe(1).endswith("object 1. Window magnified 2 times (object is small).")
    nothing = replace(session.draft, candidates=Candidates((), note="Object 1 is here already."))
    assert nothing.describe(1) == "Object 1 is here already."
