"""Masks on screen: small layers and thumbnails."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_sam.masks import Mask
from napari_sam.widgets.candidates_bar import CandidatesBar, thumbnail
from napari_sam.widgets.preview import EDGE, FILL, outline
from napari_sam.widgets.session import scene

SQUARE = Mask.from_array(np.ones((40, 60), bool), 30, 20, predicted_iou=0.5)


def test_the_outline_is_as_thick_as_asked():
    drawn = outline(np.ones((9, 11), bool), 2, EDGE, FILL)
    assert (drawn[2:-2, 2:-2] == FILL).all()
    assert np.count_nonzero(drawn == EDGE) == 9 * 11 - 5 * 7


@pytest.fixture
def shown(picture, make_session):
    viewer = ViewerModel()
    viewer.add_image(picture)
    session = make_session(viewer)
    viewer.scene.camera.zoom = 1
    return viewer, session, scene(viewer)


def test_previews_are_no_larger_than_the_mask(shown):
    _, session, drawn = shown
    session.click(100, 120)
    layer = drawn.object.layer
    assert layer.data.shape == session.mask.array.shape
    assert layer.data_to_world((0, 0)) == tuple(session.mask.box[:2])
    np.testing.assert_array_equal(layer.data > 0, session.mask.array)


def test_previews_are_thinned_out_when_zoomed_out(shown):
    viewer, session, drawn = shown
    viewer.scene.camera.zoom = 0.25
    session.box(20, 30, 179, 209)
    height, width = session.mask.array.shape
    assert drawn.object.layer.data.shape == (height // 4, width // 4)
    assert drawn.object.layer.data_to_world((0, 0)) == (20 + 1.5, 30 + 1.5)


def test_a_mask_smaller_than_a_pixel_of_the_screen_is_drawn(shown):
    viewer, session, drawn = shown
    viewer.scene.camera.zoom = 0.005
    session.click(100, 120)
    assert drawn.object.layer.data.any()


def test_clicks_lie_on_top_and_say_their_sign(shown):
    viewer, session, drawn = shown
    session.click(100, 120)
    session.click(100, 130, positive=False)
    points = drawn.points.layer
    assert viewer.layers[-1] is points
    assert points.data.tolist() == [[100, 120], [100, 130]]
    assert list(points.features["label"]) == ["positive", "negative"]
    assert points.face_color[0].tolist() != points.face_color[1].tolist()


def test_planes_without_clicks_show_none(make_session):
    """For a plane without points napari draws one of no size, which a least size would show."""
    viewer = ViewerModel()
    viewer.add_image(np.zeros((3, 200, 240), np.uint8))
    session = make_session(viewer)
    session.click(100, 120, plane=(1,))
    points = scene(viewer).points.layer
    for plane in range(3):
        viewer.dims.set_point(0, plane)
        assert points.canvas_size_limits[0] == 0


def test_a_box_that_the_user_deletes_is_gone(shown):
    _, session, drawn = shown
    session.box(80, 100, 120, 140)
    box = drawn.box.layer
    assert box.nshapes == 1
    box.selected_data = {0}
    box.remove_selected()
    assert session.draft.is_empty
    assert not drawn.object.layer.data.any()


def test_a_layer_that_the_user_removes_is_made_again(shown):
    viewer, session, drawn = shown
    session.click(100, 120)
    viewer.layers.remove(drawn.points.layer)
    viewer.layers.remove(drawn.object.layer)
    session.click(100, 130)
    assert drawn.points.layer in viewer.layers
    assert len(drawn.points.layer.data) == 2
    assert drawn.object.layer in viewer.layers


def test_layers_are_hidden_while_there_is_no_image(shown):
    viewer, session, drawn = shown
    session.click(100, 120)
    viewer.layers.remove(session.image)
    assert not any(layer.visible for layer in drawn.layers)
    viewer.add_image(np.zeros((200, 200)))
    session.click(100, 120)
    assert all(layer.visible for layer in drawn.layers)


def test_thumbnails_compare_sizes():
    small = Mask.from_array(np.ones((20, 20), bool), 40, 40)
    side = 44
    large_picture = thumbnail(SQUARE, [small, SQUARE], side)
    small_picture = thumbnail(small, [small, SQUARE], side)
    assert np.ptp(np.nonzero(large_picture)[1]) + 1 == 40
    assert np.count_nonzero(small_picture) < np.count_nonzero(large_picture)
    assert not (small_picture & ~large_picture).any()


def test_the_bar_shows_and_tells_the_choice(qtbot):
    from napari_sam.masks import Candidates

    bar = CandidatesBar()
    qtbot.addWidget(bar)
    masks = [Mask.from_array(np.ones((n, n), bool), 5, 5, predicted_iou=n / 10) for n in (3, 5, 7)]
    bar.show_candidates(Candidates(masks), 1)
    small, medium, large = bar.findChildren(type(bar._group.buttons()[0]))
    assert medium.isChecked()
    assert "0.50" in medium.text()
    with qtbot.waitSignal(bar.chosen) as told:
        large.click()
    assert told.args == [2]
    bar.show_candidates(Candidates(masks[:1]), 0)
    assert not medium.isEnabled()
    assert small.isChecked()
    bar.show_candidates(None, 0)
    assert not small.isEnabled()
