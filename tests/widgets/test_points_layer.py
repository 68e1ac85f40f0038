"""Clicks on screen."""

from __future__ import annotations

import numpy as np
import pytest
from napari._qt.layer_controls.qt_points_controls import QtPointsControls
from qtpy.QtWidgets import QApplication

from napari_sam.widgets.drawn_once import drawn_once
from napari_sam.widgets.layers import lies_on
from napari_sam.widgets.points_layer import POINT_SCREEN_PX, PointsLayer
from napari_sam.widgets.session import scene
from napari_sam.widgets.session import session as session_of


@pytest.mark.parametrize("is_made_first", [True, False])
def test_clicks_are_as_large_on_screens_of_high_resolution(viewer, picture, is_made_first):
    image, points = viewer.add_image(picture), PointsLayer()
    if is_made_first:
        points.make(image)
        points.fit_screen(2.0)
    else:
        points.fit_screen(2.0)
        points.make(image)
    assert points.layer.canvas_size_limits == (0, 2 * POINT_SCREEN_PX)


def test_new_labels_of_napari_are_as_large_as_the_image_under_the_clicks(viewer, make_session):
    image = viewer.add_image(np.zeros((5, 200, 240), np.uint8), scale=(3, 0.5, 0.5))
    session = make_session(viewer)
    for plane in (1, 3):
        scene(viewer).hand.wake_keys()
        viewer._new_labels()
        assert viewer.layers[-1].data.shape == (5, 200, 240)
        assert lies_on(viewer.layers[-1], image)
        viewer.layers.pop()
        session.click(100, 120, plane=(plane,))


def test_clicks_take_the_room_of_the_image_and_no_more(viewer, make_session, picture):
    image = viewer.add_image(picture, scale=(2, 2))
    session, before = make_session(viewer), viewer.layers.extent.world
    session.click(0, 239)
    np.testing.assert_array_equal(viewer.layers.extent.world, before)
    np.testing.assert_array_equal(viewer.layers._extent_world_augmented, [[-1, -1], [399, 479]])
    image.data = np.zeros((50, 60), np.uint8)
    clicks = scene(viewer).points.layer
    np.testing.assert_array_equal(clicks.extent.world, [[0, 0], [98, 118]])


def test_tools_of_napari_stay_out_of_reach(window, open_dock, hand, qtbot):
    open_dock()
    session = session_of(window)
    hand.click((100, 120))
    qtbot.waitUntil(lambda: session.mask is not None, timeout=20_000)
    for n_displayed in (2, 3, 2):
        window.dims.ndisplay = n_displayed
        (controls,) = (
            each
            for each in QApplication.allWidgets()
            if isinstance(each, QtPointsControls) and each.layer is scene(window).points.layer
        )
        assert not controls.addition_button.isEnabled()
        controls.layer.mode = "add"
        assert controls.layer.mode == "pan_zoom"


def test_no_keys_are_named_of_tools_that_are_out_of_reach(viewer, session):
    hand = scene(viewer).hand
    for _ in range(2):
        hand.wake_keys()
        viewer.layers.selection.active.mode = "transform"
        assert not viewer.help


def test_points_may_be_others_than_those_sliced_when_napari_asks_what_is_under_the_cursor(session):
    session.click(100, 120)
    session.click(100, 130)
    layer = scene(session.viewer).points.layer
    with drawn_once(layer):
        layer.data = layer.data[:1]
        assert layer.get_value((100, 120)) is None
