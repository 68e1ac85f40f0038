"""What the mouse does, by the events that napari hands on; no window."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from napari.utils.interactions import mouse_double_click_callbacks, mouse_wheel_callbacks
from qtpy.QtWidgets import QApplication

from napari_sam.widgets.keys import DELETE, DELETE_HERE, DROP
from napari_sam.widgets.mouse import Mouse
from napari_sam.widgets.predictor import Request
from napari_sam.widgets.session import scene
from napari_sam.widgets.spot import Spot
from napari_sam.widgets.tools import Tool

AROUND = [(80, 100), (80, 140), (120, 140), (120, 100), (81, 101)]
"""Around (100, 120), and back to where it began."""


class Canvas:
    """Hands events to the callbacks of a viewer, one pixel of the image to one of the screen."""

    def __init__(self, viewer):
        self.viewer = viewer
        viewer.scene.camera.zoom = 1

    def event(self, kind, place, *modifiers, **more):
        values = {"type": kind, "position": place, "pos": place[::-1], "modifiers": modifiers}
        return SimpleNamespace(**values, button=1, handled=False, native=None, **more)

    def move(self, place, *modifiers):
        for callback in self.viewer.mouse_move_callbacks:
            callback(self.viewer, self.event("mouse_move", place, *modifiers))

    def begin(self, path, *modifiers):
        """Press, and drag along a path; returns the event and what goes on with it."""
        event = self.event("mouse_press", path[0], *modifiers)
        going_on = self.viewer.mouse_drag_callbacks[-1](self.viewer, event)
        next(going_on, None)
        for place in path:
            event.type, event.position, event.pos = "mouse_move", place, place[::-1]
            next(going_on, None)
        return event, going_on

    def drag(self, path, *modifiers):
        event, going_on = self.begin(path, *modifiers)
        event.type = "mouse_release"
        next(going_on, None)
        return event

    def click(self, place, *modifiers):
        self.move(place, *modifiers)
        self.drag([place], *modifiers)

    def double_click(self, place, *modifiers):
        self.click(place, *modifiers)
        event = self.event("mouse_double_click", place, *modifiers)
        mouse_double_click_callbacks(self.viewer, event)

    def wheel(self, turn, *modifiers):
        native = SimpleNamespace(inverted=lambda: False)
        event = self.event("mouse_wheel", (100, 120), *modifiers, delta=(turn, 0))
        event.native = native
        mouse_wheel_callbacks(self.viewer, event)


@pytest.fixture
def drawn(session, qapp):
    drawn = scene(session.viewer)
    mouse = Mouse(drawn)
    mouse.connect()
    drawn.hand.wake_keys()
    yield drawn
    mouse.disconnect()


@pytest.fixture
def canvas(drawn):
    return Canvas(drawn.session.viewer)


def test_a_box_is_drawn_and_looked_at_meanwhile(drawn, canvas, session):
    drawn.hand.take(Tool.BOX)
    event, going_on = canvas.begin([(80, 100), (100, 120), (120, 140)])
    assert event.handled  # or the camera would pan
    assert session.hovered[0].contains(85, 105)
    assert session.draft.is_empty
    assert drawn.box.layer.shape_type == ["path"]
    event.type = "mouse_release"
    next(going_on, None)
    assert session.draft.prompts.box.tolist() == [80, 100, 120, 140]
    assert drawn.box.layer.shape_type == ["rectangle"]


@pytest.mark.parametrize("path", [[(80, 100), (100, 120), (120, 140)], [(80, 100)]])
def test_escape_drops_what_is_being_drawn_and_nothing_else(drawn, canvas, session, path):
    canvas.click((100, 120))
    before = session.draft
    drawn.hand.take(Tool.BOX)
    event, going_on = canvas.begin(path)
    DROP.run(drawn.hand)
    assert session.hovered is None
    for event.type in ("mouse_move", "mouse_release"):
        event.position, event.pos = (150, 170), (170, 150)
        next(going_on, None)
    assert session.draft is before
    assert session.hovered is None
    assert not len(drawn.box.layer.data)
    DROP.run(drawn.hand)
    assert session.draft.is_empty


def test_a_scribble_is_points_along_it(drawn, canvas, session):
    drawn.hand.take(Tool.SCRIBBLE)
    canvas.drag([(100, 80), (100, 110), (100, 140)])
    points = session.draft.prompts.points
    assert len(points) > 1
    assert points[0].tolist() == [100, 80]
    assert points[-1].tolist() == [100, 140]
    assert not drawn.box.layer.nshapes
    canvas.drag([(150, 80), (150, 140)], "Shift")
    assert 150 in session.draft.prompts.negatives[:, 0]


def test_a_lasso_is_a_mask_and_its_box_though_it_ends_where_it_began(drawn, canvas, session):
    drawn.hand.take(Tool.LASSO)
    canvas.drag(AROUND)
    assert session.draft.prompts.box.tolist() == [80, 100, 120, 140]
    assert session.draft.prompts.mask is not None
    assert not len(session.draft.prompts.points)


@pytest.mark.parametrize(
    ("pressed", "clicked"), [((101, 121), (100, 120)), ((100, 123), (100, 123))]
)
def test_a_click_selects_what_was_outlined_though_the_hand_trembles(
    drawn, canvas, session, pressed, clicked
):
    canvas.move((100, 120))
    canvas.drag([pressed])
    np.testing.assert_array_equal(session.draft.prompts.points, [clicked])


@pytest.mark.parametrize("tool", Tool)
def test_a_press_and_release_at_one_place_is_a_click_with_each_tool(drawn, canvas, session, tool):
    drawn.hand.take(tool)
    canvas.click((100, 120))
    assert session.draft.prompts.points.tolist() == [[100, 120]]


@pytest.mark.parametrize("tool", [Tool.BOX, Tool.SCRIBBLE, Tool.LASSO])
def test_what_is_drawn_is_cut_at_the_border(drawn, canvas, session, tool):
    drawn.hand.take(tool)
    canvas.drag([(150, 200), (180, 150), (260, 180), (260, 300)])
    prompts = session.draft.prompts
    assert not prompts.is_empty
    reach = prompts.points.max(axis=0) if len(prompts.points) else prompts.box[2:]
    assert (reach <= [199, 239]).all()


def test_a_box_may_begin_beside_the_image(drawn, canvas, session):
    drawn.hand.take(Tool.BOX)
    assert canvas.drag([(-20, 120), (30, 100), (60, 80)]).handled
    assert session.draft.prompts.box.tolist() == [0, 80, 60, 120]


def test_a_box_that_is_a_line_is_refused(drawn, canvas, session):
    drawn.hand.take(Tool.BOX)
    canvas.drag([(-20, 20), (30, 20), (60, 20)])
    assert session.draft.is_empty
    assert session.status.startswith("That box holds nothing")


def test_a_drag_pans_with_the_hand_or_with_space(drawn, canvas, session):
    assert not canvas.drag([(100, 120), (60, 80)]).handled
    drawn.hand.take(Tool.BOX)
    drawn.hand.hold_space(True)
    assert not canvas.drag([(100, 120), (60, 80)]).handled
    drawn.hand.hold_space(False)
    assert session.draft.is_empty


def test_other_tools_of_napari_are_left_alone(drawn, canvas, session):
    labels = session.viewer.add_labels(np.zeros((200, 240), np.uint8))
    labels.mode = "paint"
    drawn.hand.tool = Tool.BOX
    canvas.move((100, 120))
    assert not canvas.drag(AROUND).handled
    assert session.hovered is None
    assert session.draft.is_empty


def test_napari_s_tools_for_points_cannot_be_taken_for_clicks(drawn, canvas, session):
    """Their letters are one slip away, and then no click would be heard any more."""
    for _ in range(2):
        drawn.points.layer.mode = "add"
        canvas.click((100, 120))
        assert len(session.draft.prompts.points) == 1
        session.clear()


def test_an_image_that_goes_while_one_draws_is_no_harm(drawn, canvas, session):
    drawn.hand.take(Tool.LASSO)
    event, going_on = canvas.begin(AROUND)
    session.viewer.layers.remove("cells")
    event.type = "mouse_release"
    next(going_on, None)
    assert session.draft.is_empty


def test_shift_turns_the_outline_without_the_mouse(drawn, canvas, session):
    canvas.click((100, 120))
    canvas.move((100, 150))
    assert session.hovered[2]
    drawn.hand.hold_shift(True)
    assert not session.hovered[2]
    drawn.hand.hold_shift(False)
    assert session.hovered[2]


def test_before_the_first_click_shift_hides_the_outline(drawn, canvas, session):
    canvas.move((100, 150))
    drawn.hand.hold_shift(True)
    assert session.hovered is None
    drawn.hand.hold_shift(False)
    assert session.hovered is not None


# The wheel


def test_alt_and_wheel_go_through_the_candidates_only(drawn, canvas, session):
    canvas.click((100, 120))
    viewer, rank = session.viewer, session.draft.rank
    camera, active = viewer.scene.camera.zoom, viewer.layers.selection.active
    canvas.wheel(0.5, "Alt")
    assert session.draft.rank == rank
    canvas.wheel(0.5, "Alt")
    assert session.draft.rank == rank + 1
    canvas.wheel(-1, "Alt")
    canvas.wheel(-1, "Alt")
    assert session.draft.rank == rank - 1
    assert viewer.scene.camera.zoom == camera
    assert viewer.layers.selection.active is active


def test_without_an_object_alt_and_wheel_are_napari_s(drawn, canvas, session):
    active = session.viewer.layers.selection.active
    canvas.wheel(-1, "Alt")
    assert session.viewer.layers.selection.active is not active


def test_other_wheels_change_no_candidate(drawn, canvas, session):
    canvas.click((100, 120))
    rank = session.draft.rank
    canvas.wheel(1)
    canvas.wheel(1, "Control")
    assert session.draft.rank == rank


def test_the_dock_leaves_all_callbacks_as_they_were(session, qapp):
    viewer, mouse = session.viewer, Mouse(scene(session.viewer))
    lists = (
        viewer.mouse_wheel_callbacks,
        viewer.mouse_double_click_callbacks,
        viewer.mouse_move_callbacks,
        viewer.mouse_drag_callbacks,
    )
    before = [list(callbacks) for callbacks in lists]
    mouse.connect()
    mouse.connect()
    assert [len(callbacks) for callbacks in lists] != [len(callbacks) for callbacks in before]
    mouse.disconnect()
    mouse.disconnect()
    assert [list(callbacks) for callbacks in lists] == before


# Kept objects


@pytest.fixture
def kept(canvas, session):
    canvas.click((100, 120))
    session.commit()
    return session


def test_a_double_click_opens_a_kept_object_and_leaves_no_trace(kept, canvas):
    zoom = kept.viewer.scene.camera.zoom
    canvas.double_click((100, 121))
    assert kept.draft.label == 1
    assert kept.draft.prompts.points.tolist() == [[100, 120]]
    assert kept.viewer.scene.camera.zoom == zoom
    kept.undo()
    assert kept.draft.is_empty
    kept.undo()
    assert not kept.labels.data.any()


@pytest.mark.parametrize("place", [(100, 120), (100, 132)])
def test_a_double_click_while_another_object_is_made_opens_one_too_and_loses_nothing(
    kept, canvas, place
):
    canvas.click((40, 40))
    canvas.click((100, 120))  # a point of it lies where the kept object is
    before = kept.draft
    canvas.double_click(place)
    assert kept.draft.label == 1
    assert kept.draft.prompts.points.tolist() == [[100, 120]]
    assert "Ctrl+Z goes back to the prompts of before" in kept.status
    kept.undo()
    assert kept.draft is before


def test_a_double_click_opens_an_object_while_another_is_open(kept, canvas):
    canvas.click((40, 40))
    assert kept.commit() == 2
    canvas.double_click((100, 120))
    kept.click(100, 125)
    canvas.double_click((40, 42))
    assert kept.draft.label == 2
    kept.undo()
    assert kept.draft.label == 1
    assert len(kept.draft.prompts.points) == 2


def test_on_the_object_that_is_open_a_double_click_is_one_click(kept, canvas):
    canvas.double_click((100, 120))
    canvas.double_click((100, 132))
    assert kept.draft.prompts.points.tolist() == [[100, 120], [100, 132]]


def test_a_double_click_with_shift_is_one_click(kept, canvas):
    canvas.click((40, 40))
    canvas.double_click((100, 132), "Shift")
    assert kept.draft.prompts.labels.tolist() == [1, 0]


def test_a_double_click_after_a_slip_takes_nothing_back(kept, canvas):
    """The first press of it was no click; the click before was one long ago."""
    canvas.click((100, 120))
    kept.clear()
    canvas.click((40, 40))
    points = kept.draft.prompts.points.tolist()
    canvas.drag([(100, 120), (100, 130)])
    mouse_double_click_callbacks(canvas.viewer, canvas.event("mouse_double_click", (100, 130)))
    assert kept.draft.prompts.points.tolist() == points


def test_in_turbo_a_double_click_keeps_what_the_first_click_keeps_and_opens_it_not(kept, canvas):
    kept.turbo = True
    canvas.double_click((40, 40))
    assert kept.labels.data[40, 40] == 2
    assert kept.draft.is_empty


def test_a_double_click_beside_all_objects_is_one_click(kept, canvas):
    zoom = kept.viewer.scene.camera.zoom
    canvas.double_click((40, 40))
    assert kept.draft.prompts.points.tolist() == [[40, 40]]
    assert kept.viewer.scene.camera.zoom == zoom


def test_beside_the_image_a_double_click_is_napari_s(kept, canvas):
    zoom = kept.viewer.scene.camera.zoom
    canvas.double_click((-40, 40))
    assert kept.viewer.scene.camera.zoom == 2 * zoom


def test_a_click_beside_the_image_says_so_whatever_is_kept(kept, canvas):
    for place in [(-40, 40), (40, -1), (210, 40)]:
        assert kept.object_at(*place) == 0
        kept.status = ""
        canvas.drag([place])
        assert "outside the image" in kept.status


def test_in_turbo_a_double_click_keeps_nothing(kept, canvas):
    kept.turbo = True
    kept.overlap = "replace"
    before = np.array(kept.labels.data)
    canvas.double_click((100, 121))
    assert kept.draft.label == 1
    np.testing.assert_array_equal(kept.labels.data, before)
    kept.undo()
    kept.undo()
    assert not kept.labels.data.any()


def test_in_turbo_a_single_click_on_a_kept_object_counts_in_the_end(kept, canvas, qtbot):
    kept.turbo = True
    kept.overlap = "replace"
    canvas.click((100, 125))
    assert kept.labels.data.max() == 1
    qtbot.waitUntil(
        lambda: kept.labels.data.max() == 2, timeout=10 * QApplication.doubleClickInterval()
    )


def test_in_turbo_two_clicks_on_kept_objects_in_a_row_both_count(kept, canvas, qtbot):
    kept.click(40, 40)
    kept.commit()
    kept.turbo = True
    kept.overlap = "replace"
    canvas.click((100, 125))
    canvas.click((40, 45))
    qtbot.waitUntil(
        lambda: kept.labels.data.max() == 4, timeout=10 * QApplication.doubleClickInterval()
    )


def test_of_an_object_that_has_been_painted_over_nothing_can_be_deleted(kept, drawn):
    kept.reopen(1, near=(100, 120))
    kept.labels.data_setitem(np.nonzero(kept.labels.data), 0)
    with pytest.raises(ValueError, match="nothing left of object 1"):
        drawn.hand.delete()


def test_delete_takes_what_is_under_the_cursor_or_open(kept, canvas, drawn):
    canvas.move((100, 120))
    drawn.hand.delete()
    assert not kept.labels.data.any()
    kept.undo()
    kept.reopen(1, near=(100, 120))
    canvas.move((20, 20))
    drawn.hand.delete()
    assert not kept.labels.data.any()
    assert kept.draft.is_empty
    with pytest.raises(ValueError, match="cursor over a kept object"):
        drawn.hand.delete()


@pytest.fixture
def stack(viewer, make_session, qapp):
    """Object 1 on planes 1 to 3, of labels that nobody has counted; plane 2 is shown."""
    viewer.add_image(np.zeros((6, 200, 240), np.uint8), name="cells")
    labels = np.zeros((6, 200, 240), np.uint16)
    labels[1:4, 90:110, 110:130] = 1
    session = make_session(viewer)
    session.adopt_image()
    session.labels = viewer.add_labels(labels)
    viewer.dims.set_point(0, 2)
    return session


def planes_with(session, label):
    return np.flatnonzero((session.labels.data == label).any(axis=(1, 2))).tolist()


@pytest.mark.parametrize("is_open", [True, False])
def test_delete_takes_all_planes_or_with_shift_the_one_shown(stack, is_open):
    hand = scene(stack.viewer).hand
    if is_open:
        stack.reopen(1, near=(100, 120))
    else:
        hand.cursor.move_to(Spot((2,), 100, 120))
    n_steps = stack.n_steps
    DELETE.run(hand)
    assert planes_with(stack, 1) == []
    assert "The same on 2 more planes" in stack.status
    assert stack.n_steps == n_steps + 1
    stack.undo()
    assert planes_with(stack, 1) == [1, 2, 3]
    DELETE_HERE.run(hand)
    assert planes_with(stack, 1) == [1, 3]
    assert "plane 2. Ctrl+Z" in stack.status
    stack.undo()
    assert planes_with(stack, 1) == [1, 2, 3]


@pytest.fixture
def stack_mouse(stack, qapp):
    drawn = scene(stack.viewer)
    mouse = Mouse(drawn)
    mouse.connect()
    yield drawn.hand
    mouse.disconnect()


def test_a_stack_comes_under_a_mouse_at_rest_over_a_picture(drawn, canvas, session):
    canvas.move((100, 120))
    assert session.hovered is not None
    came = session.viewer.add_image(np.zeros((3, 200, 240), np.uint8))
    assert came in session.viewer.layers
    assert session.viewer.dims.ndim == 3


def test_on_another_plane_a_mouse_at_rest_is_over_what_is_there(stack, stack_mouse):
    stack_mouse.cursor.move_to(Spot((2,), 100, 120))
    stack.viewer.dims.set_point(0, 4)
    assert stack_mouse.cursor.spot == Spot((4,), 100, 120)
    assert stack.hovered[1] == (4,)
    DELETE.run(stack_mouse)
    assert "Move the cursor over a kept object" in stack.status
    assert planes_with(stack, 1) == [1, 2, 3]


def test_after_a_jump_the_mouse_is_over_nothing_and_delete_takes_what_was_jumped_to(
    stack, stack_mouse
):
    stack.labels.data[2, 20:30, 20:30] = 2
    stack.labels.refresh()
    counting = stack_mouse.review.uncounted
    stack_mouse.review.take(counting, list(counting.iter_answer())[-1])
    stack_mouse.cursor.move_to(Spot((2,), 100, 120))
    stack_mouse.review.go_to(2)
    assert stack_mouse.cursor.spot is None
    DELETE.run(stack_mouse)
    assert planes_with(stack, 2) == []
    assert planes_with(stack, 1) == [1, 2, 3]


def test_a_picture_that_moves_away_takes_what_the_mouse_was_over_along(stack, stack_mouse):
    stack_mouse.cursor.move_to(Spot((2,), 100, 120))
    stack.viewer.scene.camera.center = (0, 500, 500)
    assert stack.hovered is None
    DELETE.run(stack_mouse)
    assert planes_with(stack, 1) == [1, 2, 3]


@pytest.mark.parametrize("place", [(100, 110), (100, 132)])
def test_a_double_click_opens_what_a_click_has_said_is_here(kept, canvas, place):
    """Wherever on the object, as the status line promises."""
    canvas.click((100, 110))
    assert "Double click opens it" in kept.status
    canvas.double_click(place)
    assert kept.draft.label == 1
    assert kept.draft.prompts.points.tolist() == [[100, 120]]


def test_what_the_hand_does_while_enter_waits_is_about_what_is_there_then(kept, canvas, drawn):
    asked = []
    kept.asked.connect(asked.append)
    canvas.click((40, 40))
    kept.commit(wait=False)
    canvas.click((40, 41))  # no point of the object that is to be kept is taken away
    canvas.move((100, 120))
    drawn.hand.delete()
    while kept.is_held_up:
        work = [one for one in asked if isinstance(one, Request) and not one.is_hover][-1]
        kept.accept(work, work.answer())
    assert set(np.unique(kept.labels.data)) == {0, 2}
    assert kept.draft.prompts.points.tolist() == [[40, 41]]
