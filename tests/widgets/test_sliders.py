"""What sliders go through: who tells, and how a dim channel beside a bright one is seen."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
import tifffile
import xarray
import zarr
from napari.components import ViewerModel
from napari.layers import Image
from napari.layers._source import layer_source
from napari_builtins.io import magic_imread

from napari_sam.model import load_model
from napari_sam.widgets.sliders import find_sliders

from ..image.ome_zarrs import write_ome_zarr

SHAPE = (2, 60, 80)


def find(viewer, *args, **kwargs):
    return find_sliders(viewer, viewer.add_image(*args, **kwargs))


@pytest.mark.parametrize(
    ("labels", "sliders"),
    [
        (None, "z"),
        (("z", "y", "x"), "z"),
        (("time", "y", "x"), "t"),
        (("c", "y", "x"), "c"),
        (("Channel", "y", "x"), "c"),
        (("z", "-3", "y", "x"), "zt"),
        (("-4", "-3", "y", "x"), "tz"),
        (("c", "t", "-3", "y", "x"), "ctz"),
        (("-5", "-4", "-3", "y", "x"), "tcz"),
        (("place", "t", "z", "y", "x"), "ctz"),
        (("c", "channel", "y", "x"), "tz"),
        (("-3", "y", "c"), "z"),
    ],
)
def test_the_layer_tells(viewer, labels, sliders):
    shape = (2,) * (len(labels or SHAPE) - 2) + SHAPE[-2:]
    assert find(viewer, np.zeros(shape), axis_labels=labels) == sliders


def test_colors_are_no_channels(viewer):
    assert find(viewer, np.zeros((2, 60, 80, 3)), rgb=True, axis_labels=("c", "y", "x")) == "p"
    assert find(viewer, np.zeros((60, 80))) == ""


def test_what_is_written_at_the_slider_counts_first(viewer):
    image = viewer.add_image(np.zeros((4, *SHAPE)))
    labeled = viewer.add_image(np.zeros(SHAPE), axis_labels=("c", "y", "x"))
    assert find_sliders(viewer, image) == "tz"
    assert find_sliders(viewer, labeled) == "c"
    viewer.dims.axis_labels = ("channel", "z", "y", "x")
    assert find_sliders(viewer, image) == "cz"
    assert find_sliders(viewer, labeled) == "z"


def test_names_of_other_layers_count_for_these(viewer):
    viewer.add_image(np.zeros(SHAPE), axis_labels=("c", "y", "x"))
    assert viewer.dims.axis_labels == ("c", "y", "x")
    assert find(viewer, np.zeros(SHAPE)) == "z"


def test_the_data_tell(viewer):
    named = xarray.DataArray(np.zeros(SHAPE), dims=("channel", "y", "x"))
    assert find(viewer, named) == "c"
    assert find(viewer, xarray.DataArray(np.zeros(SHAPE), dims=("plane", "y", "x"))) == "z"
    array = zarr.create_array({}, shape=SHAPE, dtype="u2", dimension_names=("c", "y", "x"))
    assert find(viewer, array) == "c"
    assert find(viewer, array, axis_labels=("z", "y", "x")) == "z"


def opened(viewer, path):
    """Open a file as napari's own reader does, which tells nothing but where it is."""
    data = magic_imread([str(path)])
    with layer_source(path=str(path)):
        return viewer.add_image(data, multiscale=isinstance(data, list))


def test_the_folder_tells_that_the_layer_was_read_from(viewer, tmp_path):
    levels = [np.zeros((2, 3, 64, 64), np.uint16), np.zeros((2, 3, 32, 32), np.uint16)]
    write_ome_zarr(tmp_path / "image.zarr", levels, "czyx")
    layer = opened(viewer, tmp_path / "image.zarr")
    assert isinstance(layer.data[0], da.Array)
    assert find_sliders(viewer, layer) == "cz"
    layer.data = [np.zeros((2, 3, 50, 50)), np.zeros((2, 3, 25, 25))]
    assert find_sliders(viewer, layer) == "tz"
    (tmp_path / "image.zarr" / "zarr.json").unlink()
    layer.data = levels
    assert find_sliders(viewer, layer) == "tz"


@pytest.mark.parametrize(
    ("kind", "axes", "sliders"),
    [("ome", "TCYX", "tc"), ("imagej", "ZCYX", "zc"), ("ome", "TZYX", "tz"), ("shaped", None, "z")],
)
def test_the_tiff_tells_that_the_layer_was_read_from(viewer, tmp_path, kind, axes, sliders):
    pixels = np.zeros((3, 2, 60, 80), np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, **{kind: True}, metadata=axes and {"axes": axes})
    assert find_sliders(viewer, opened(viewer, tmp_path / "a.tif")) == sliders


@pytest.fixture
def dim_and_bright():
    """Discs up to 200 in one channel, and others up to 60,000 in the other."""
    rows, columns = np.ogrid[:256, :256]
    noise = np.random.default_rng(0).random((2, 256, 256)) * 0.1
    for y, x in [(60, 70), (60, 180), (180, 60), (190, 190)]:
        noise[:, np.hypot(rows - y, columns - x) < 24] += 0.8
    return (noise * [[[200]], [[60_000]]]).astype(np.uint16)


def test_a_dim_channel_is_segmented_as_if_it_were_alone(dim_and_bright, make_session):
    masks = []
    for data, names in [(dim_and_bright, ("c", "y", "x")), (dim_and_bright[0], None)]:
        viewer = ViewerModel()
        viewer.add_image(data, axis_labels=names)
        viewer.dims.set_point(range(data.ndim), (0.0,) * data.ndim)
        session = make_session(viewer)
        session.model = load_model("nano")
        session.click(60, 70)
        masks.append(session.mask)
    one, other = masks
    assert one.box == other.box
    np.testing.assert_array_equal(one.array, other.array)
    assert one.area == pytest.approx(np.pi * 24**2, rel=0.1)


def test_another_name_at_the_slider_looks_anew_at_the_same_prompts(
    viewer, dim_and_bright, make_session
):
    layer = viewer.add_image(dim_and_bright)
    session = make_session(viewer)
    session.click(60, 70, plane=(1,))
    assert session.commit() == 1
    session.click(180, 60, plane=(0,))
    before = session.predictor
    assert len(before.image.intensity.low) == 1
    viewer.dims.axis_labels = ("c", "y", "x")
    assert session.image is layer
    assert session.predictor is not before
    assert len(session.predictor.image.intensity.low) == 2
    assert "each of its 2 channels" in session.notes
    assert session.draft.prompts.points.tolist() == [[180, 60]]
    assert session.mask is not None
    assert session.commit() == 2
    session.undo()
    session.undo()
    session.undo()
    assert not session.labels.data.any()
    kept = session.predictor
    viewer.dims.axis_labels = ("channel", "rows", "columns")
    assert session.predictor is kept
    layer.axis_labels = ("z", "y", "x")
    viewer.dims.axis_labels = ("z", "y", "x")
    assert len(session.predictor.image.intensity.low) == 1


def test_a_layer_without_a_viewer():
    assert find_sliders(ViewerModel(), Image(np.zeros(SHAPE))) == "z"
