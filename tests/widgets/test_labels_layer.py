"""Labels layers as targets: made for any size of image, written and shown by regions."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import zarr
from napari.components import ViewerModel
from napari.layers import Image, Labels

from napari_sam.image import open_image
from napari_sam.labels import write_mask
from napari_sam.masks import Candidates, Mask
from napari_sam.prompts import Prompts
from napari_sam.widgets import labels_layer
from napari_sam.widgets.draft import Draft
from napari_sam.widgets.labels_layer import ShownLabels, layout_on_disk, make_labels
from napari_sam.widgets.layers import open_layer
from napari_sam.widgets.target import Target

DISC = Mask.from_array(np.hypot(*np.ogrid[-9:10, -9:10]) < 8, 40, 50)


def make(shape):
    axes = "tzyx"[-len(shape) :]
    image = open_image(da.zeros(shape, dtype=np.uint8), axes=axes)
    return make_labels(Image(np.zeros((2,) * len(shape)), name="big"), image)


@pytest.mark.parametrize(
    ("sliders", "axes"),
    [("z", "zyx"), ("c", "cyx"), ("tz", "tzyx"), ("tcz", "tczyx"), ("zc", None)],
)
def test_on_disk_axes_have_their_names(sliders, axes):
    shape = (2,) * len(sliders) + (20, 30)
    image = open_layer(Image(np.zeros(shape, np.uint8)), sliders)
    assert layout_on_disk(Labels(np.zeros(shape, np.uint8)), image)["axes"] == axes


def test_a_small_image_gets_numpy():
    layer = make((3, 100, 120))
    assert isinstance(layer.data, np.ndarray)
    assert layer.name == "big labels"


def test_a_stack_of_many_planes_gets_zarr_without_a_byte_in_it():
    layer = make((1000, 1000, 1000))
    assert isinstance(layer.data, zarr.Array)
    write_mask(ShownLabels(layer), DISC, 1, plane=(500,))
    assert layer.data.nbytes_stored() < 50_000


def test_a_plane_too_large_to_draw_gets_a_pyramid():
    layer = make((50_000, 60_000))
    assert layer.multiscale
    assert [level.shape for level in layer.data][:2] == [(50_000, 60_000), (25_000, 30_000)]
    assert max(layer.data[-1].shape) <= 1024


def test_labels_lie_on_the_image():
    image = Image(np.zeros((20, 30)), scale=(2, 3), translate=(5, 6), rotate=30, units="um")
    layer = make_labels(image, open_image(image.data))
    np.testing.assert_allclose(layer.data_to_world((3, 4)), image.data_to_world((3, 4)))
    assert layer.units == image.units


@pytest.mark.parametrize("backing", ["numpy", "zarr", "pyramid"])
def test_writing_and_undoing_are_exact_at_every_level(backing, monkeypatch):
    if backing != "numpy":
        monkeypatch.setattr(labels_layer, "LARGE_PX", 200 * 300 if backing == "zarr" else 100)
        monkeypatch.setattr(labels_layer, "COARSEST_SIDE", 60)
    shape = (2, 200, 300)
    viewer = ViewerModel()
    image_layer = viewer.add_image(np.zeros(shape, np.uint8))
    image = open_image(image_layer.data, axes="zyx")
    target = Target()
    layer = target.ensure_layer(viewer, image_layer, image)
    assert layer.multiscale is (backing == "pyramid")
    levels = list(layer.data) if layer.multiscale else [layer.data]

    draft = Draft((1,), Prompts().with_point(49, 59, True), Candidates([DISC]))
    written = target.write(layer, draft, "nano", "keep")
    expected = np.zeros(shape, int)
    expected[1, 40:59, 50:69][DISC.to_array((200, 300))[40:59, 50:69]] = 1
    np.testing.assert_array_equal(levels[0][:], expected)
    assert all(np.asarray(level[1]).any() for level in levels)
    assert not any(np.asarray(level[0]).any() for level in levels)

    target.undo(written)
    assert not any(np.asarray(level[:]).any() for level in levels)
    assert target.next_label == 1
    target.redo(written)
    np.testing.assert_array_equal(levels[0][:], expected)
    assert target.next_label == 2


@pytest.mark.parametrize("backing", ["numpy", "zarr"])
def test_large_changes_are_drawn_as_one_and_small_ones_as_patches(backing, monkeypatch):
    data = np.zeros((2, 60, 80), np.uint32)
    layer = Labels(data if backing == "numpy" else zarr.array(data, chunks=(1, 32, 32)))
    drawn = []
    layer.events.set_data.connect(lambda: drawn.append("plane"))
    layer.events.labels_update.connect(lambda: drawn.append("patch"))
    shown = ShownLabels(layer)
    region = (0, slice(5, 55), slice(10, 70))
    shown[region] = np.full((50, 60), 7)
    assert drawn == ["plane"]
    shown[region] = np.where(np.arange(60) < 3, 9, shown[region])
    assert drawn == ["plane", "patch"]
    expected = data[0].copy()
    expected[5:55, 10:70] = 7
    expected[5:55, 10:13] = 9
    np.testing.assert_array_equal(np.asarray(layer.data[0]), expected)
    assert [layer.get_value((0, 30, column)) for column in (11, 40)] == [9, 7]
    assert not np.asarray(layer.data[1]).any()


@pytest.mark.parametrize("backing", ["numpy", "pyramid"])
def test_what_is_written_together_is_drawn_once(backing):
    data = np.zeros((9, 60, 80), np.uint16)
    levels = [data, np.zeros((9, 30, 40), np.uint16)]
    layer = Labels(levels, multiscale=True) if backing == "pyramid" else Labels(data)
    drawn = []
    layer.events.set_data.connect(lambda: drawn.append("plane"))
    layer.events.labels_update.connect(lambda: drawn.append("patch"))
    shown = ShownLabels(layer)
    with shown.together():
        for z in range(9):
            shown[(z, slice(5, 20), slice(5, 20))] = np.full((15, 15), 7)
    assert drawn == (["plane"] if backing == "pyramid" else ["patch", "plane"])
    assert (data[:, 5:20, 5:20] == 7).all()
    drawn.clear()
    shown[(0, slice(5, 20), slice(5, 20))] = np.full((15, 15), 8)
    assert len(drawn) == 1


def test_what_is_written_is_what_is_shown():
    viewer = ViewerModel()
    layer = viewer.add_labels(np.zeros((3, 200, 300), np.uint16))
    viewer.dims.set_current_step(0, 2)
    write_mask(ShownLabels(layer), DISC, 5, plane=(2,))
    assert layer.get_value((2, 49, 59)) == 5


def test_a_mask_over_the_border_is_cut():
    layer = Labels(np.zeros((50, 55), np.uint16))
    edit = write_mask(ShownLabels(layer), DISC, 1)
    assert edit.n_changed == np.count_nonzero(layer.data) < DISC.area


def test_layers_that_cannot_be_written_are_refused():
    image = open_image(np.zeros((20, 30)))
    dask_layer = Labels(da.zeros((20, 30), dtype=np.uint8), name="lazy")
    with pytest.raises(ValueError, match=r"'lazy' cannot be changed\. It holds dask data"):
        ShownLabels(dask_layer).check(image)
    with pytest.raises(ValueError, match=r"has shape \(20, 31\), the image \(20, 30\)"):
        ShownLabels(Labels(np.zeros((20, 31), int), name="wide")).check(image)
