"""Where the user looks, and how finely: from a viewer to windows of the model."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_sam.embedding import Embeddings
from napari_sam.image import open_image
from napari_sam.segment.windows import shows_too_much
from napari_sam.widgets.looking import (
    fitting_step,
    resolution_text,
    screen_box,
    sensible_steps,
    step_to_look,
    view_of,
    zoom_step,
)

LARGE = np.broadcast_to(np.zeros((), np.uint8), (40_000, 30_000))


def a_viewer(data, center, zoom, **where):
    viewer = ViewerModel()
    layer = viewer.add_image(data, contrast_limits=(0, 1), **where)
    viewer.scene.camera.center, viewer.scene.camera.zoom = center, zoom
    viewer.canvas.size = (600, 800)
    return viewer, layer


@given(zoom=st.floats(1e-4, 1e3), scale=st.floats(0.01, 100))
def test_samples_are_as_fine_as_the_screen_or_up_to_twice(zoom, scale):
    viewer, layer = a_viewer(np.zeros((9, 9)), (0, 4, 4), zoom, scale=(scale, scale))
    step = zoom_step(viewer, layer)
    image_px_per_screen_px = 1 / (zoom * scale)
    assert step <= image_px_per_screen_px * (1 + 1e-6) < 2 * step * (1 + 1e-5)


@pytest.mark.parametrize("step", [2.0**k for k in range(-6, 13, 2)])
@pytest.mark.parametrize("shape", [(90, 70), (250, 250), (257, 20), (5_000, 700), (40_000, 30_000)])
def test_steps_stay_where_there_is_something_to_gain(model, shape, step):
    embeddings = Embeddings(open_image(LARGE[: shape[0], : shape[1]]), model)
    fitting = fitting_step(embeddings, step)
    steps = sensible_steps(embeddings)
    assert fitting in steps
    assert fitting == step or fitting in (steps[0], steps[-1])
    assert steps[0] == embeddings.base_step
    assert not shows_too_much(embeddings, steps[-1])
    assert all(embeddings.grid(finer).tiles != (1, 1) for finer in steps[:-1])


def test_the_size_of_objects_tells_better_than_the_zoom(model):
    embeddings = Embeddings(open_image(LARGE), model)
    assert step_to_look(embeddings, None, None) == 1
    assert step_to_look(embeddings, 4.0, None) == 4
    assert step_to_look(embeddings, None, 200.0) == 4  # a quarter of the window of 256
    with pytest.raises(ValueError, match="diameter"):
        step_to_look(embeddings, None, 1e9)


def test_resolutions_read_as_fractions():
    assert [resolution_text(step) for step in (0.25, 1, 2, 16)] == ["× 4", "full", "1/2", "1/16"]


@pytest.mark.parametrize(
    ("where", "box"),
    [
        ({}, (100, 150, 250, 350)),
        ({"scale": (2, 0.5)}, (50, 300, 125, 700)),
        ({"translate": (100, 50)}, (0, 100, 150, 300)),
        ({"rotate": 90}, (150, -250, 350, -100)),
    ],
)
def test_what_is_on_screen(where, box):
    viewer, layer = a_viewer(np.zeros((400, 400)), (0, 175, 250), 4, **where)
    np.testing.assert_allclose(screen_box(viewer, layer), box, atol=1e-6)


def test_the_view_of_a_stack():
    viewer, layer = a_viewer(np.zeros((5, 400, 500)), (0, 175, 250), 4, scale=(3, 1, 1))
    viewer.dims.set_point(0, 9)
    viewer.mouse_over_canvas = True
    viewer.cursor.position = (9, 170, 260)
    view = view_of(viewer, layer, 2.0)
    assert (view.plane, view.step) == ((3,), 2)
    np.testing.assert_allclose(view.cursor, (170, 260))
    viewer.cursor.position = (9, 10, 260)  # where it once was; that is not on screen any more
    assert view_of(viewer, layer, 2.0).cursor is None
    viewer.mouse_over_canvas = False
    viewer.cursor.position = (9, 170, 260)
    assert view_of(viewer, layer, 2.0).cursor is None
    viewer.dims.order = (0, 2, 1)  # transposed on screen
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 250, 175), 4
    np.testing.assert_allclose(view_of(viewer, layer, 2.0).screen, (75, 175, 275, 325))
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="2-D"):
        view_of(viewer, layer, 2.0)


def test_units_of_another_layer_change_nothing():
    viewer, layer = a_viewer(np.zeros((400, 400)), (0, 175, 250), 4, units="um")
    before = screen_box(viewer, layer)
    viewer.add_points(np.zeros((1, 2)), units="nm")  # napari's world is in the smallest unit now
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0, 175_000, 250_000), 4e-3
    np.testing.assert_allclose(screen_box(viewer, layer), before)
