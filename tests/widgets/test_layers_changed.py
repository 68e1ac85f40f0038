"""Users rename, hide, move, change and remove layers at any moment, the plugin's too."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer

from napari_sam.widgets.session import scene

SHAPE = (200, 240)


@pytest.fixture
def viewer(viewer, picture):
    viewer.add_image(picture, name="cells")
    return viewer


@pytest.fixture
def session(viewer, make_session):
    return make_session(viewer)


@pytest.fixture
def shown(viewer, session):
    """All layers of the plugin, in the middle of an object."""
    session.click(100, 120)
    session.box(60, 80, 140, 160)
    session.hover(30, 30)
    return scene(viewer)


def test_a_hidden_image_is_not_taken(viewer, make_session, picture):
    viewer.add_image(picture, name="hidden", visible=False)
    session = make_session(viewer)
    session.adopt_image()
    assert session.image.name == "cells"
    for layer in viewer.layers:
        layer.visible = False
    session.image = None
    session.adopt_image()
    assert session.image.name == "hidden"


def test_own_layers_removed_in_the_middle(viewer, session, shown):
    for layer in shown.layers:
        viewer.layers.remove(layer)
    session.hover(31, 30)
    session.click(110, 130)
    assert len(session.draft.prompts.points) == 2
    assert all(layer in viewer.layers for layer in shown.layers)
    assert session.commit() == 1


def test_own_layers_renamed_and_moved(viewer, session, shown):
    for layer in viewer.layers:
        layer.name = "same"
    viewer.layers.reverse()
    session.click(110, 130)
    session.commit()
    session.undo()
    assert len(session.draft.prompts.points) == 2
    assert len(viewer.layers) == 2 + len(shown.layers)


def test_duplicates_of_own_layers_are_no_part_of_it(viewer, session, shown):
    copies = [Layer.create(*layer.as_layer_data_tuple()) for layer in viewer.layers]
    viewer.layers.extend(copies)
    before = [np.array(layer.data[0]) for layer in copies]
    session.click(110, 130)
    session.commit()
    for copy, data in zip(copies, before, strict=True):
        np.testing.assert_array_equal(copy.data[0], data)
    viewer.layers.remove(copies[0])
    assert session.image is not None


def test_several_layers_selected(viewer, session, picture):
    viewer.layers.selection = {viewer.layers["cells"], viewer.add_image(picture)}
    session.click(100, 120)
    assert session.commit() == 1


def lies_on(layer, image, pixel):
    return np.allclose(layer.data_to_world(pixel), image.data_to_world(pixel))


def test_the_image_moves_after_a_click(viewer, session, shown):
    image = session.image
    corner = shown.object.layer.world_to_data(image.data_to_world((0, 0)))
    for name, value in {
        "scale": (0.5, 2),
        "translate": (7, -3),
        "rotate": 20,
        "shear": (0.2,),
        "affine": [[1, 0, 5], [0, 2, 0], [0, 0, 1]],
        "units": ("um", "um"),
    }.items():
        setattr(image, name, value)
        assert lies_on(shown.points.layer, image, (10, 20))
        assert lies_on(shown.box.layer, image, (10, 20))
        np.testing.assert_allclose(
            shown.object.layer.world_to_data(image.data_to_world((0, 0))), corner, atol=1e-6
        )
    assert session.hovered is None
    assert shown.object.layer.units == image.units
    assert len(session.draft.prompts.points) == 1
    assert session.commit() == 1
    assert session.labels.data[100, 120] == 1


def test_an_image_chosen_no_more_moves_nothing(viewer, session, picture):
    old = session.image = viewer.layers["cells"]
    session.image = viewer.add_image(picture, name="other")
    session.click(100, 120)
    old.scale = (5, 5)
    assert lies_on(scene(viewer).points.layer, session.image, (10, 20))


def test_other_data_that_will_not_do_ends_the_image(viewer, session):
    session.click(100, 120)
    session.commit()
    viewer.layers["cells"].data = np.zeros((2, 2, 2, 2, *SHAPE), np.uint8)
    assert session.image is None
    assert "has 6 axes" in session.status
    viewer.layers["cells"].data = np.zeros(SHAPE, np.uint8)
    session.click(100, 120)
    assert session.image is viewer.layers["cells"]


def test_labels_stay_if_the_other_data_have_their_shape(viewer, session, picture):
    session.click(100, 120)
    session.commit()
    labels = session.labels
    viewer.layers["cells"].data = picture[::-1].copy()
    assert session.labels is labels
    session.click(40, 40)
    assert session.commit() == 2
    viewer.layers["cells"].data = np.zeros((3, *SHAPE), np.uint8)
    assert session.labels is None
    assert "has shape (200, 240), the image (3, 200, 240)" in session.status
    session.click(40, 40)
    assert session.commit() == 1
    assert labels.data[100, 120] == 1


def test_ids_painted_by_hand_are_taken(session):
    session.click(100, 120)
    assert session.commit() == 1
    session.labels.selected_label = 2
    session.labels.paint((20, 20), 2)
    assert session.next_label == 3
    session.undo()
    assert session.labels.data[20, 20] == 2
    session.redo()
    session.click(40, 180)
    assert session.commit() == 3
    session.labels.data_setitem((np.array([1, 2]), np.array([1, 2])), np.array([8, 9]))
    assert session.next_label == 10


def test_undo_gives_no_painted_id_away(session):
    session.click(100, 120)
    session.commit()
    session.labels.selected_label = 5
    session.labels.fill((0, 0), 5)
    session.undo()
    assert session.next_label == 6


def test_other_data_in_the_labels_are_counted_anew(session):
    session.click(100, 120)
    session.commit()
    other = np.zeros(SHAPE, np.uint8)
    other[:3] = 9
    session.labels.data = other.copy()
    session.undo()
    np.testing.assert_array_equal(session.labels.data, other)
    session.click(100, 120)
    assert session.commit() == 10


def test_labels_of_another_shape_suddenly(session):
    session.click(100, 120)
    session.commit()
    session.click(40, 40)
    labels = session.labels
    labels.data = np.zeros((20, 24), np.uint16)
    assert session.labels is None
    session.undo()
    session.redo()
    assert not labels.data.any()
    session.click(40, 180)
    assert session.commit() == 1
    assert session.labels is not labels


def test_labels_removed_then_undo(viewer, session):
    session.click(100, 120)
    session.commit()
    session.click(40, 40)
    removed = session.labels
    viewer.layers.remove(removed)
    session.undo()
    assert session.draft.is_empty
    session.undo()
    assert session.status == "There is nothing to undo."
    assert removed.data[100, 120] == 1
    session.click(42, 40)
    assert session.commit() == 1


def test_a_layer_comes_and_goes_in_3d(viewer, session, shown):
    viewer.dims.ndisplay = 3
    for layer in shown.layers:
        viewer.layers.remove(layer)
    viewer.dims.ndisplay = 2
    session.click(110, 130)
    assert session.commit() == 1


def test_the_image_removed_and_put_back(viewer, session, shown):
    image = session.image
    viewer.layers.remove(image)
    assert session.draft.is_empty
    viewer.layers.append(image)
    session.click(100, 120)
    assert session.image is image
    assert session.commit() == 1


def test_layers_that_no_longer_fit_go_together(viewer, session, shown, picture):
    stack = viewer.add_image(np.stack([picture] * 3))
    gone, batches = shown.layers, []
    viewer.layers.events.end_batch.connect(batches.append)  # napari collects garbage at the end
    session.image = stack
    assert len(gone) == 3
    assert not set(gone) & set(viewer.layers)
    assert len(batches) == 1


def test_an_image_of_other_axes_after_another(viewer, session, shown, picture):
    session.image = viewer.add_image(np.stack([picture] * 3))
    assert shown.points.layer not in viewer.layers
    session.click(100, 120, plane=(1,))
    session.box(60, 80, 140, 160, plane=(1,))
    session.image = viewer.layers["cells"]
    for mirror in (shown.points, shown.box):
        assert mirror.layer not in viewer.layers or not len(mirror.layer.data)
    session.click(100, 120)
    assert session.commit() == 1
    assert session.labels.data.shape == SHAPE
