"""Coordinates between napari layers, the world on screen, and image pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image, Points, Shapes

from napari_sam.widgets.layers import (
    check_view,
    current_plane,
    open_layer,
    place,
    placement,
    prompts_from_layers,
    to_pixel,
)

UNITS = st.sampled_from(["nm", "um", "mm"])
FACTORS = {"nm": 1e-9, "um": 1e-6, "mm": 1e-3}


@st.composite
def placements(draw, unit):
    """Scale, rotation and translation of a plane, in its own units of about a micrometer."""
    size = 1e-6 / FACTORS[unit]
    scale = draw(st.tuples(*[st.floats(0.1, 10)] * 2))
    return {
        "scale": [side * size for side in scale],
        "rotate": draw(st.floats(-180, 180)),
        "translate": [draw(st.floats(-100, 100)) * size for _ in range(2)],
        "units": unit,
    }


def to_meters(layer, coordinates, factor):
    """Where in the world, by the definition of scale, rotation and translation."""
    angle = np.arctan2(layer.rotate[1, 0], layer.rotate[0, 0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return ((coordinates * layer.scale) @ turn.T + layer.translate) * factor


@settings(max_examples=40)
@given(data=st.data(), image_unit=UNITS, points_unit=UNITS)
def test_points_of_any_scale_rotation_translation_and_unit(data, image_unit, points_unit):
    image = Image(np.zeros((20, 30)), **data.draw(placements(image_unit)))
    points = Points(
        np.array(data.draw(st.lists(st.tuples(*[st.floats(-50, 50)] * 2), min_size=1, max_size=5))),
        **data.draw(placements(points_unit)),
    )
    found = prompts_from_layers(image, points).points
    np.testing.assert_allclose(
        to_meters(image, found, FACTORS[image_unit]),
        to_meters(points, points.data, FACTORS[points_unit]),
        rtol=0,
        atol=1e-6 * min(image.scale) * FACTORS[image_unit],
    )


def test_pixels_and_micrometers_count_as_equal_as_in_napari():
    image = Image(np.zeros((20, 30)), units="um")
    points = Points(np.array([[3.0, 4.0]]))
    np.testing.assert_allclose(prompts_from_layers(image, points).points, [[3, 4]])


def test_signs_and_planes_of_points():
    image = Image(np.zeros((5, 20, 30)))
    points = Points(
        np.array([[2.0, 3, 4], [2, 5, 6], [3, 7, 8]]),
        features={"label": ["positive", "negative", "positive"]},
    )
    prompts = prompts_from_layers(image, points, plane=(2,))
    assert prompts.positives.tolist() == [[3, 4]]
    assert prompts.negatives.tolist() == [[5, 6]]


def test_flat_points_stand_on_every_plane():
    image = Image(np.zeros((5, 20, 30)), scale=(3, 1, 1), translate=(10, 0, 0))
    points = Points(np.array([[3.0, 4.0]]))
    assert prompts_from_layers(image, points, plane=(4,)).points.tolist() == [[3, 4]]


def test_a_turned_rectangle_becomes_the_box_around_it():
    image = Image(np.zeros((50, 50)))
    boxes = Shapes([np.array([[0, 0], [0, 10], [10, 10], [10, 0]])], rotate=45, translate=(20, 20))
    box = prompts_from_layers(image, boxes=boxes).box
    np.testing.assert_allclose(box, [20 - 50**0.5, 20, 20 + 50**0.5, 20 + 200**0.5])


def test_the_last_rectangle_is_the_box():
    image = Image(np.zeros((50, 50)))
    first = np.array([[1.0, 1], [1, 5], [5, 5], [5, 1]])
    boxes = Shapes([first, first + 20])
    assert prompts_from_layers(image, boxes=boxes).box.tolist() == [21, 21, 25, 25]


def test_the_world_on_screen_is_in_the_smallest_unit():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((4, 20, 30)), scale=(2, 0.5, 0.5), units="um")
    viewer.add_points(np.zeros((1, 3)), units="nm")
    plane, y, x = to_pixel(viewer, image, (6000.0, 5000.0, 2500.0))
    assert (plane, round(y, 6), round(x, 6)) == ((3,), 10, 5)
    viewer.dims.set_point(0, 4000)
    assert current_plane(viewer, image) == (2,)


def test_an_image_of_fewer_axes_than_the_viewer():
    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((20, 30)))
    viewer.add_image(np.zeros((4, 20, 30)))
    assert to_pixel(viewer, image, (2.0, 3.0, 4.0)) == ((), 3, 4)


def test_3d_and_other_axes_are_refused():
    viewer = ViewerModel()
    viewer.add_image(np.zeros((4, 20, 30)), axis_labels=("z", "y", "x"))
    check_view(viewer)
    viewer.dims.order = (1, 0, 2)
    with pytest.raises(ValueError, match="shows the axes z and x"):
        check_view(viewer)
    viewer.dims.order = (0, 2, 1)
    check_view(viewer)
    viewer.dims.ndisplay = 3
    with pytest.raises(ValueError, match="the cube icon"):
        check_view(viewer)


@pytest.mark.parametrize(
    ("shape", "rgb", "axes", "planes"),
    [
        ((20, 30), False, "yx", ()),
        ((5, 20, 30), False, "zyx", (5,)),
        ((2, 5, 20, 30), False, "tzyx", (2, 5)),
        ((3, 2, 5, 20, 30), False, "tpzyx", (3, 2, 5)),
        ((3, 2, 5, 20, 30, 3), True, "tpzyxc", (3, 2, 5)),
        ((20, 30, 3), True, "yxc", ()),
        ((5, 20, 30, 4), True, "zyxc", (5,)),
    ],
)
def test_axes_of_image_layers(shape, rgb, axes, planes):
    image = open_layer(Image(np.zeros(shape, np.uint8), rgb=rgb))
    assert image.axes == axes
    assert image.plane_shape == planes
    assert image.shape_yx == (20, 30)


def test_all_levels_of_a_multiscale_layer_are_used():
    levels = [np.zeros((80, 60)), np.zeros((40, 30)), np.zeros((20, 15))]
    assert len(open_layer(Image(levels, multiscale=True)).levels) == 3


def test_too_many_axes_are_refused():
    layer = Image(np.zeros((2, 2, 2, 2, 20, 30)), name="six")
    with pytest.raises(ValueError, match="'six' has 6 axes"):
        open_layer(layer)


@settings(max_examples=25)
@given(
    data=st.data(),
    corner=st.tuples(*[st.integers(0, 40)] * 2),
    thinning=st.integers(1, 5),
)
def test_a_part_lies_where_it_is_in_the_image(data, corner, thinning):
    image = Image(np.zeros((50, 50)), **data.draw(placements("um")))
    part = Points(np.zeros((1, 2)))
    place(part, placement(image, np.array(corner, float), thinning))
    middle_of_first = np.array(corner) + (thinning - 1) / 2
    np.testing.assert_allclose(
        part.data_to_world((0, 0)), image.data_to_world(middle_of_first), atol=1e-6
    )
    np.testing.assert_allclose(
        part.data_to_world((1, 2)),
        image.data_to_world(middle_of_first + np.array([1, 2]) * thinning),
        atol=1e-6,
    )
