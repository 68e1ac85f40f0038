"""Every kind of image layer: objects are made where they are seen, or a sentence says why not."""

from __future__ import annotations

from typing import NamedTuple

import dask.array as da
import numpy as np
import pytest
import xarray
import zarr
from napari.components import ViewerModel

from napari_sam.widgets.layers import current_plane, to_pixel
from napari_sam.widgets.mouse import Mouse
from napari_sam.widgets.session import scene

SIDES = (120, 150)
AT = (50, 60)


def stack(*lengths, dtype="uint8"):
    return np.random.default_rng(0).integers(0, 127, (*lengths, *SIDES)).astype(dtype)


def with_nan():
    picture = stack(dtype="float32")
    picture[:30] = np.nan
    picture[40, 40] = np.inf
    return picture


class Event(NamedTuple):
    """As much of a mouse event as a move needs."""

    position: tuple[float, ...]
    modifiers: tuple[str, ...] = ()


def world_of(viewer, layer, pixel):
    """Where napari has a pixel, in the units of the viewer, of all whose units agree."""
    world = layer.data_to_world(pixel)
    return (*viewer.dims.point[: viewer.dims.ndim - len(world)], *world)


def make_object(session, viewer, layer, plane):
    """Point at an object with the mouse, click it, keep it, and go back and forth."""
    session.image = layer
    world = world_of(viewer, layer, (*plane, *AT))
    viewer.dims.set_point(range(len(world)), world)
    assert current_plane(viewer, layer) == plane
    np.testing.assert_allclose(to_pixel(viewer, layer, world)[1:], AT, atol=1e-6)
    Mouse(scene(viewer))._move(viewer, Event(world))
    assert session.hovered is not None
    assert session.hovered[0].contains(*AT)
    session.click(*AT)
    assert session.commit() == 1
    session.undo()
    session.redo()
    assert np.asarray(session.labels.data)[(*plane, *AT)] == 1
    others = np.asarray(session.labels.data).copy()
    others[plane] = 0
    assert not others.any()


def check_lies_on(part, layer, pixel):
    """Check that some pixel of a layer is just where a pixel of the image is."""
    where = np.array(part.world_to_data(layer.data_to_world(pixel)))
    inside = where[: part.ndim - 2]
    np.testing.assert_allclose(inside, np.round(inside), atol=1e-6)
    assert np.asarray(part.data)[tuple(np.round(where).astype(int))] > 0


@pytest.mark.parametrize(
    ("data", "plane"),
    [
        (stack(), ()),
        (stack(1), (0,)),
        (stack(4), (3,)),
        (stack(2, 4), (1, 2)),
        (stack(2, 3, 4), (1, 2, 3)),
        (da.from_array(stack(4), chunks=(1, 64, 64)), (2,)),
        (zarr.array(stack(4), chunks=(1, 64, 64)), (2,)),
        (xarray.DataArray(stack(4), dims=("well", "row", "col")), (2,)),
        (np.broadcast_to(stack(), (4, *SIDES)), (2,)),
        (with_nan(), ()),
        (stack().astype(">u2"), ()),
        (np.zeros(SIDES), ()),
        *((stack(dtype=dtype), ()) for dtype in ("bool", "int8", "int16", "uint16", "uint32")),
        *((stack(dtype=dtype), ()) for dtype in ("int64", "uint64", "float16", "float64")),
    ],
    ids=lambda value: f"{type(value).__module__.split('.')[0]}-{getattr(value, 'dtype', value)}",
)
def test_arrays_of_all_kinds(make_session, data, plane):
    viewer = ViewerModel()
    make_object(make_session(viewer), viewer, viewer.add_image(data), plane)


@pytest.mark.parametrize("n_colors", [3, 4])
@pytest.mark.parametrize("lengths", [(), (4,), (2, 2, 4)])
def test_colors(make_session, lengths, n_colors):
    viewer = ViewerModel()
    layer = viewer.add_image(np.stack([stack(*lengths)] * n_colors, axis=-1), rgb=True)
    make_object(make_session(viewer), viewer, layer, (1,) * len(lengths))


def test_one_layer_per_channel(make_session):
    viewer = ViewerModel()
    layers = viewer.add_image(stack(3, 4), channel_axis=0)
    make_object(make_session(viewer), viewer, layers[1], (2,))


def test_levels(make_session):
    viewer = ViewerModel()
    layer = viewer.add_image([stack(4), stack(4)[:, ::2, ::2]], multiscale=True)
    make_object(make_session(viewer), viewer, layer, (2,))


@pytest.mark.parametrize("sides", [(1, 150), (150, 1)])
def test_thin_images(make_session, sides):
    viewer = ViewerModel()
    viewer.add_image(np.zeros(sides, np.uint8))
    session = make_session(viewer)
    session.click(*(side // 2 for side in sides))
    assert session.commit() == 1


@pytest.mark.parametrize(
    "place",
    [
        {"scale": (3, 0.5, 0.25)},
        {"scale": (-3, -0.5, 0.25)},
        {"scale": (3, 0.5, 0.5), "rotate": (0, 0, 30)},
        {"scale": (3, 0.5, 0.25), "translate": (10, 5, -3), "shear": (0, 0, 0.3)},
        {"affine": [[2, 0, 0, 1], [0, 0, 1, 3], [0, 1, 0, 5], [0, 0, 0, 1]]},
        {"scale": (2, 0.2, 0.2), "units": ("um", "um", "um")},
        {"scale": (2, 0.2, 0.2), "units": ("s", "um", "um")},
    ],
)
def test_layers_anywhere_in_the_world(make_session, place):
    viewer = ViewerModel()
    session, layer = make_session(viewer), viewer.add_image(stack(4), **place)
    make_object(session, viewer, layer, (2,))
    check_lies_on(session.labels, layer, (2, *AT))
    session.undo()
    check_lies_on(scene(viewer).object.layer, layer, (2, *AT))
    np.testing.assert_allclose(
        scene(viewer).points.layer.data_to_world((2, *AT)), layer.data_to_world((2, *AT))
    )


def test_units_of_another_layer(make_session):
    """The viewer counts in the smallest unit, the image in its own."""
    viewer = ViewerModel()
    layer = viewer.add_image(stack(4), scale=(2, 0.2, 0.2), units=("s", "um", "um"))
    viewer.add_points(np.zeros((1, 3)), units=("ms", "nm", "nm"))
    session = make_session(viewer)
    session.image = layer
    position = (4000, AT[0] * 200, AT[1] * 200)
    viewer.dims.set_point(range(3), position)
    Mouse(scene(viewer))._move(viewer, Event(position))
    mask, plane, _ = session.hovered
    assert plane == (2,)
    assert mask.contains(*AT)


@pytest.mark.parametrize("n_axes", [(2, 4), (4, 2), (3, 4), (4, 3), (2, 3), (3, 2)])
def test_an_image_beside_one_with_other_axes(make_session, n_axes):
    viewer = ViewerModel()
    layers = [viewer.add_image(stack(*(2, 4)[4 - n :]), scale=(2,) * n) for n in n_axes]
    session = make_session(viewer)
    for layer in layers:
        make_object(session, viewer, layer, (1, 3)[4 - layer.ndim :])


@pytest.mark.parametrize("order", [(0, 2, 1), (0, 1, 2)])
def test_a_transposed_plane_is_still_the_plane(make_session, order):
    viewer = ViewerModel()
    session, layer = make_session(viewer), viewer.add_image(stack(4), scale=(2, 1, 0.5))
    viewer.dims.order = order
    make_object(session, viewer, layer, (2,))


def test_sliders_in_another_order(make_session):
    viewer = ViewerModel()
    session, layer = make_session(viewer), viewer.add_image(stack(2, 4))
    viewer.dims.order = (1, 0, 2, 3)
    make_object(session, viewer, layer, (1, 3))


def said(session, command, *arguments):
    with session.telling():
        command(*arguments)
    return session.status


def test_a_rolled_view_says_how_to_go_on(make_session):
    viewer = ViewerModel()
    viewer.add_image(stack(4), axis_labels=("z", "y", "x"))
    session = make_session(viewer)
    session.click(*AT, plane=(2,))
    viewer.dims.order = (1, 2, 0)
    assert "shows the axes x and z; prompts work on the last two, y and x" in said(
        session, session.click, *AT
    )
    assert session.commit() == 1  # of the object that was begun before
    assert session.labels.data[2].any()


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_a_view_across_the_planes_says_so(make_session):
    viewer = ViewerModel()
    viewer.add_image(stack(4), rotate=(0, 20, 0), name="tilted")
    session = make_session(viewer)
    assert "'tilted' is turned or sheared out of the plane" in said(session, session.click, *AT)


def test_sliders_beside_the_image(make_session):
    viewer = ViewerModel()
    layer = viewer.add_image(stack(4), name="short")
    viewer.add_image(stack(9))
    session = make_session(viewer)
    session.image = layer
    viewer.dims.set_point(0, 8)
    assert "beside image layer 'short': at plane 8, where it has 4" in said(
        session, session.click, *AT
    )
    Mouse(scene(viewer))._move(viewer, Event((8, *AT)))
    assert session.hovered is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (np.zeros((2, 2, 2, 2, *SIDES), np.uint8), "has 6 axes; at most 5"),
        (np.ma.masked_array(stack(), stack() > 100), "masked array"),
    ],
)
def test_data_that_will_not_do(make_session, data, why):
    viewer = ViewerModel()
    viewer.add_image(data)
    session = make_session(viewer)
    assert why in said(session, session.click, *AT)
    assert session.image is None
    good = viewer.add_image(stack(), name="good")
    session.click(*AT)
    assert session.image is good


def test_layers_of_other_shapes_are_no_labels_for_this_image(make_session):
    viewer = ViewerModel()
    viewer.add_image(stack(4))
    session = make_session(viewer)
    session.click(*AT)
    for shape in (SIDES, (1, 4, *SIDES), (9, *SIDES)):
        labels = viewer.add_labels(np.zeros(shape, np.uint8))
        why = said(session, setattr, session, "labels", labels)
        assert f"has shape {shape}, the image (4, 120, 150)" in why
        assert session.labels is None


def test_only_layers_of_the_viewer_can_be_chosen(make_session):
    viewer, other = ViewerModel(), ViewerModel()
    layer = viewer.add_image(stack())
    labels, elsewhere = viewer.add_labels(np.zeros(SIDES, int)), other.add_image(stack())
    session = make_session(viewer)
    for wrong in (labels, elsewhere, "Image", 3):
        assert "is no Image layer of this viewer" in said(session, setattr, session, "image", wrong)
    for wrong in (layer, other.add_labels(np.zeros(SIDES, int)), "Labels"):
        assert "is no Labels layer of this viewer" in said(
            session, setattr, session, "labels", wrong
        )
    assert (session.image, session.labels) == (None, None)


def test_layers_of_ours_take_the_units_of_another_image(viewer, make_session, picture):
    """Else napari knows no units of the world, shows none, and warns of it at each change."""
    first = viewer.add_image(picture, name="pixels")
    session = make_session(viewer)
    session.image = first
    for layer in scene(viewer).iter_ahead():
        assert layer.units == first.units
    session.click(100, 120)
    labels = session.commit() and session.labels
    session.image = viewer.add_image(picture, name="cells", units=("um", "um"))
    for gone in (labels, first):
        viewer.layers.remove(gone)
    assert viewer.layers.extent.units == session.image.units


@pytest.mark.parametrize("is_alone", [True, False])
def test_no_layer_of_ours_stands_in_the_way_of_the_next_image(
    viewer, make_session, picture, qtbot, is_alone
):
    """Of other axes and units: napari would warn of these, and has crashed when layers of fewer
    axes were removed after an image of more had come."""
    image = viewer.add_image(picture, name="pixels")
    session = make_session(viewer)
    session.click(100, 120)
    session.box(60, 60, 90, 90)
    assert len(viewer.layers) > 1
    if is_alone:
        viewer.layers.remove(image)
    else:
        viewer.layers.select_all()
        viewer.layers.remove_selected()
    qtbot.waitUntil(lambda: not len(viewer.layers))
    session.image = viewer.add_image(stack(4), units=("um", "um", "um"))
    assert viewer.layers.extent.units == session.image.units
    session.click(*AT, plane=(2,))
    session.box(60, 60, 90, 90, plane=(2,))
    assert {layer.ndim for layer in viewer.layers} == {3}
    assert viewer.layers.extent.units == session.image.units
    assert session.commit() == 1
