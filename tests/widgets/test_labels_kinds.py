"""Labels of all kinds that somebody else has made: written, numbered, widened, kept in step."""

from __future__ import annotations

from itertools import pairwise

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_sam.labels import create_labels
from napari_sam.labels.block_mode import block_mode
from napari_sam.labels.levels import level_factors
from napari_sam.labels.save import open_saved

SHAPE = (3, 200, 240)
MINE = 40


def first_labels(dtype):
    """Return labels with an object in them."""
    labels = np.zeros(SHAPE, dtype)
    labels[:, 90:110, 20:60] = MINE
    return labels


def levels_of(labels, *factors):
    levels = [labels]
    for by in factors:
        levels.append(block_mode(levels[-1], by))
    return levels


def as_zarr(levels, folder=None):
    arrays = []
    for number, level in enumerate(levels):
        store = {} if folder is None else folder / str(number)
        chunks = (1, 64, 64)
        array = zarr.create_array(store, shape=level.shape, chunks=chunks, dtype=level.dtype)
        array[...] = level
        arrays.append(array)
    return arrays


def make(kind, dtype, folder):
    """Return the data of a Labels layer."""
    labels = first_labels(dtype)
    match kind:
        case "numpy":
            return labels
        case "zarr in memory":
            return as_zarr([labels])[0]
        case "zarr on disk":
            return as_zarr([labels], folder)[0]
        case "OME-Zarr":
            pyramid = create_labels(folder / "mine.ome.zarr", SHAPE, dtype=dtype)
            pyramid.data[...] = labels
            pyramid.update()
            return zarr.open_group(folder / "mine.ome.zarr")["0"]
        case "numpy levels":
            return levels_of(labels, (1, 2, 2), (1, 2, 2))
        case "thirds":
            return as_zarr(levels_of(labels, (1, 3, 3), (1, 3, 3)), folder)
        case "quarters":
            return as_zarr(levels_of(labels, (1, 4, 4)))
        case "z too":
            return levels_of(labels, (2, 2, 2))
    raise AssertionError(kind)


IN_MEMORY = ["numpy", "zarr in memory", "numpy levels", "quarters", "z too"]
ON_DISK = ["zarr on disk", "OME-Zarr", "thirds"]


@pytest.fixture(params=[*IN_MEMORY, *ON_DISK])
def kind(request):
    return request.param


@pytest.fixture
def add(viewer, make_session, picture, tmp_path):
    """Return a session that works on labels of a kind."""

    def add_labels(kind, dtype="uint16"):
        viewer.add_image(np.stack([picture] * SHAPE[0]), name="cells")
        session = make_session(viewer)
        data = make(kind, dtype, tmp_path)
        multiscale = isinstance(data, list)
        session.labels = viewer.add_labels(data, multiscale=multiscale, name="mine")
        return session

    return add_labels


def finest(layer):
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)


def check_levels(layer):
    """All levels show what the finest does."""
    levels = list(layer.data) if layer.multiscale else [layer.data]
    for fine, coarse in pairwise(levels):
        factors = level_factors(fine.shape, coarse.shape)
        expected = block_mode(np.asarray(fine), factors)
        np.testing.assert_array_equal(np.asarray(coarse), expected)


def keep(session, y, x, plane=(1,)):
    session.click(y, x, plane=plane)
    return session.commit()


def test_objects_are_kept_taken_back_changed_and_removed(add, kind):
    session = add(kind)
    layer, before = session.labels, first_labels("uint16")
    assert keep(session, 50, 50) == MINE + 1
    assert keep(session, 150, 180, (2,)) == MINE + 2
    check_levels(layer)
    written = finest(layer)
    assert (written[1, 50, 50], written[2, 150, 180]) == (MINE + 1, MINE + 2)
    assert (written[before == MINE] == MINE).all()
    session.reopen(MINE + 1, plane=(1,))
    session.click(50, 70, plane=(1,))
    session.commit()
    check_levels(layer)
    session.delete(MINE, near=(100, 30), plane=(0,))
    assert not (finest(layer)[0] == MINE).any()
    check_levels(layer)
    while len(session._history):
        session.undo()
    np.testing.assert_array_equal(finest(layer), before)
    check_levels(layer)


def test_objects_that_are_there_are_preserved_as_the_layer_says(add, kind):
    session = add(kind)
    session.overlap = "replace"
    session.labels.preserve_labels = True
    keep(session, 100, 60)
    assert (finest(session.labels)[:, 90:110, 20:60] == MINE).all()
    session.labels.preserve_labels = False
    keep(session, 100, 62)
    assert not (finest(session.labels)[1, 90:110, 20:60] == MINE).all()


@pytest.mark.parametrize("kind", IN_MEMORY)
def test_labels_grow_when_numbers_run_out(add, kind):
    session = add(kind, "uint8")
    first = session.labels.data[0] if session.labels.multiscale else session.labels.data
    first[0, 0, 0] = 254
    assert keep(session, 50, 50) == 255
    assert session.n_ids_left == 0
    session.click(150, 180, plane=(2,))
    with pytest.raises(ValueError, match="highest number"):
        session.commit()
    session.widen_labels()
    assert session.labels.dtype == np.uint16
    assert session.commit() == 256
    assert finest(session.labels)[2, 150, 180] == 256
    assert finest(session.labels)[0, 0, 0] == 254
    assert (finest(session.labels)[:, 90:110, 20:60] == MINE).all()


def test_ome_zarr_labels_grow_where_they_lie(add, tmp_path):
    session = add("OME-Zarr", "uint8")
    keep(session, 50, 50)
    session.widen_labels()
    keep(session, 150, 180, (2,))
    saved = open_saved(tmp_path / "mine.ome.zarr")
    assert saved.pyramid.dtype == np.uint16
    assert np.unique(saved.pyramid.data[...]).tolist() == [0, MINE, MINE + 1, MINE + 2]


def test_zarr_of_others_says_how_it_can_grow(add, tmp_path):
    session = add("zarr on disk", "uint8")
    with pytest.raises(ValueError, match="Save labels"):
        session.widen_labels()
    assert finest(session.labels).dtype == np.uint8
    session.save_labels(tmp_path / "copy.ome.zarr")
    session.widen_labels()
    assert keep(session, 50, 50) == MINE + 1
    assert open_saved(tmp_path / "copy.ome.zarr").pyramid.dtype == np.uint16


def test_labels_of_a_kind_are_saved(add, kind, tmp_path):
    session = add(kind)
    keep(session, 50, 50)
    session.save_labels(tmp_path / "copy.ome.zarr")
    keep(session, 150, 180)
    saved = open_saved(tmp_path / "copy.ome.zarr")
    assert np.unique(saved.pyramid.data[...]).tolist() == [0, MINE, MINE + 1, MINE + 2]
    assert [record.label for record in saved.objects.table] == [MINE + 1, MINE + 2]
    np.testing.assert_array_equal(finest(session.labels), saved.pyramid.data[...])


@pytest.mark.parametrize("kind", ["zarr on disk", "thirds", "OME-Zarr"])
def test_records_of_labels_on_disk_are_there_again(add, kind, viewer, tmp_path, make_session):
    session = add(kind)
    keep(session, 50, 50)
    keep(session, 150, 180)
    viewer.layers.remove(session.labels)
    match kind:
        case "OME-Zarr":
            data = zarr.open_group(tmp_path / "mine.ome.zarr")["0"]
        case "thirds":
            data = [zarr.open_array(tmp_path / name) for name in "012"]
        case _:
            data = zarr.open_array(tmp_path / "0")
    session.labels = viewer.add_labels(data, multiscale=isinstance(data, list))
    assert [record.label for record in session.objects] == [MINE + 1, MINE + 2]
    session.reopen(MINE + 1, plane=(1,))
    assert session.draft.prompts.points.tolist() == [[50, 50]]


def test_the_coarser_levels_of_ome_zarr_labels_follow_though_only_the_finest_is_shown(
    make_session, viewer, tmp_path
):
    viewer.add_image(np.zeros((1500, 1400), np.uint8))
    session = make_session(viewer)
    create_labels(tmp_path / "mine.ome.zarr", (1500, 1400))
    session.labels = viewer.add_labels(zarr.open_group(tmp_path / "mine.ome.zarr")["0"])
    session.click(700, 900)
    session.commit()
    assert session.labels_path == tmp_path / "mine.ome.zarr"
    assert open_saved(tmp_path / "mine.ome.zarr").pyramid.levels[1][350, 450] == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda levels: [levels[0], da.from_array(levels[1])], "Level 1 holds dask data"),
        (lambda levels: [levels[0], levels[1][:, :77]], "each axis reduced by a whole number"),
        (lambda levels: [levels[0], read_only(levels[1])], "are read-only; open them"),
    ],
)
def test_levels_that_cannot_be_kept_in_step_are_refused_before_anything_is_written(
    make_session, viewer, picture, change, sentence
):
    viewer.add_image(np.stack([picture] * SHAPE[0]))
    session = make_session(viewer)
    levels = change(levels_of(first_labels("uint8"), (1, 2, 2)))
    layer = viewer.add_labels(levels, multiscale=True, name="mine")
    with pytest.raises(ValueError, match=rf"'mine' cannot be changed\. .*{sentence}.*Choose a new"):
        session.labels = layer
    assert session.labels is None
    np.testing.assert_array_equal(finest(layer), first_labels("uint8"))


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array
