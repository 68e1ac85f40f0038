"""The outline under the cursor, and where on the canvas it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_sam.masks import Mask
from napari_sam.widgets.hover_outline import contours
from napari_sam.widgets.layers import to_pixel
from napari_sam.widgets.looking import to_screen
from napari_sam.widgets.session import scene

CANVAS = (600, 800)


@pytest.fixture
def shown(picture, make_session):
    viewer = ViewerModel()
    viewer.add_image(picture)
    session = make_session(viewer)
    viewer.scene.camera.zoom = 2
    viewer.scene.camera.center = (0.0, 100.0, 120.0)
    return viewer, session, scene(viewer).hover


def test_it_runs_around_the_mask_between_the_pixels():
    (line,) = contours(Mask.from_array(np.ones((4, 6), bool), 30, 20), pixel=1)
    assert (line[0] == line[-1]).all()
    np.testing.assert_array_equal(line.min(axis=0), (29.5, 19.5))
    np.testing.assert_array_equal(line.max(axis=0), (33.5, 25.5))


def test_it_runs_around_holes_too():
    ring = np.ones((9, 9), bool)
    ring[3:6, 3:6] = False
    assert len(contours(Mask.from_array(ring), pixel=1)) == 2


@given(st.floats(0.001, 1))
def test_from_afar_it_has_no_more_corners_than_the_screen(pixel):
    (line,) = contours(Mask.from_array(np.ones((400, 600), bool), 30, 20), pixel)
    assert len(line) <= 2 * (402 + 602) * max(pixel, 1 / 400) * 2
    off = max(1, min(1 / pixel, 400))
    np.testing.assert_allclose(line.min(axis=0), (29.5, 19.5), atol=off)
    np.testing.assert_allclose(line.max(axis=0), (429.5, 619.5), atol=off)


def test_it_tells_a_click_that_adds_from_one_that_takes_away(shown):
    _, session, outline = shown
    session.hover(100, 120)
    assert outline.shown.positive
    session.click(100, 120)
    session.hover(100, 130, positive=False)
    assert not outline.shown.positive
    session.leave()
    assert outline.shown is None


def test_it_adds_no_layer(shown):
    viewer, session, _ = shown
    session.hover(100, 120)
    assert len(viewer.layers) == 1


def test_it_follows_the_camera(shown):
    viewer, session, outline = shown
    session.hover(100, 120)
    seen = []
    outline.changed.connect(lambda: seen.append(np.concatenate(outline.on_screen(CANVAS))))
    box = np.array(session.hovered[0].box, float) - 0.5
    outline.changed.emit()
    viewer.scene.camera.center = (0.0, 90.0, 120.0)
    viewer.scene.camera.zoom = 4
    for lines, zoom, center in zip(seen, (2, 2, 4), (100, 90, 90), strict=True):
        expected = (box - (center, 120, center, 120)) * zoom + (300, 400, 300, 400)
        np.testing.assert_allclose(lines.min(axis=0), expected[1::-1], atol=zoom)
        np.testing.assert_allclose(lines.max(axis=0), expected[:1:-1], atol=zoom)


def test_it_is_not_seen_among_layers_side_by_side(shown):
    viewer, session, outline = shown
    session.hover(100, 120)
    assert outline.on_screen(CANVAS)
    viewer.canvas.grid.enabled = True
    assert not outline.on_screen(CANVAS)


def test_it_is_seen_on_its_plane_only(make_session, picture):
    viewer = ViewerModel()
    viewer.add_image(np.stack([picture, picture]))
    session, outline = make_session(viewer), scene(viewer).hover
    viewer.dims.set_point(0, 1)
    session.hover(100, 120)
    assert outline.on_screen(CANVAS)
    viewer.dims.set_point(0, 0)
    assert not outline.on_screen(CANVAS)
    viewer.dims.set_point(0, 1)
    viewer.dims.ndisplay = 3
    assert not outline.on_screen(CANVAS)


@pytest.mark.parametrize("orientation", [("down", "right"), ("up", "left")])
@pytest.mark.parametrize(
    "placed",
    [
        {},
        {"scale": (3, 0.5, 0.25), "translate": (7, -20, 11)},
        {"rotate": 30, "scale": (1, 2, 2)},
        {"units": ("um", "nm", "nm"), "scale": (1, 65, 65)},
    ],
)
def test_pixels_are_found_where_the_cursor_finds_them(placed, orientation):
    viewer = ViewerModel()
    if placed.get("rotate"):
        placed = {**placed, "rotate": np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])}
    layer = viewer.add_image(np.zeros((3, 40, 50)), **placed)
    viewer.dims.set_point(0, viewer.dims.range[0].start + viewer.dims.range[0].step)
    camera = viewer.scene.camera
    camera.zoom, camera.orientation2d = 3.0, orientation
    points = np.array([[0.0, 0.0], [39.0, 49.0], [12.5, 7.25]])
    screen = to_screen(viewer, layer, points, CANVAS)
    signs = np.where(np.isin(orientation, ("down", "right")), 1, -1)
    displayed = (screen[:, ::-1] - np.array(CANVAS) / 2) / camera.zoom * signs
    for point, from_center in zip(points, displayed, strict=True):
        world = np.array(viewer.dims.point)
        world[1:] = np.array(camera.center[-2:]) + from_center
        np.testing.assert_allclose(to_pixel(viewer, layer, world)[1:], point, atol=1e-6)
