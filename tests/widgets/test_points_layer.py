"""Clicks on screen."""

from __future__ import annotations

import pytest

from napari_sam.widgets.points_layer import POINT_SCREEN_PX, PointsLayer


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
