from __future__ import annotations

import json
import os
import warnings

import numpy as np
import pytest
import yaozarrs
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.labels import create_labels
from napari_sam.labels.block_mode import mode_2x2
from napari_sam.labels.chunks import stored_chunks
from napari_sam.labels.copy_chunks import iter_copied
from napari_sam.labels.save import SavedLabels, open_saved, save_labels
from napari_sam.labels.store import ObjectStore

from .changes import commit, content


def saved(*arguments, **options) -> SavedLabels:
    """Save to the end; return the labels."""
    *said, last = save_labels(*arguments, **options)
    assert all(isinstance(text, str) for text in said)
    return last


def in_memory(values, chunks):
    labels = zarr.create_array({}, shape=values.shape, chunks=chunks, dtype=values.dtype)
    labels[...] = values
    return labels


@pytest.fixture
def values():
    values = np.zeros((3, 700, 600), np.uint16)
    values[0, 500:530, 500:530] = 1
    values[2, 690:, :40] = 300
    return values


@pytest.mark.parametrize("kind", ["numpy", "zarr", "levels"])
def test_labels_and_records_come_back(tmp_path, values, kind):
    store = ObjectStore()
    labels = values if kind == "numpy" else in_memory(values, (2, 100, 130))
    store.apply(commit(labels, 7, y=20, x=20, plane=(1,)), labels)
    source = [labels, labels[:, ::2, ::2]] if kind == "levels" else labels
    layout = {"axes": "zyx", "scale": (2, 0.5, 0.5), "units": ("micrometer",) * 3}
    new = saved(source, tmp_path / "a.zarr", table=store.table, **layout)
    again = open_saved(tmp_path / "a.zarr")
    lines = (tmp_path / "a.zarr" / "0" / "objects.jsonl").read_text().splitlines()
    assert [json.loads(line).get("napari_sam_objects") for line in lines] == [1, None]
    for found in (new, again):
        np.testing.assert_array_equal(found.pyramid.data[...], np.asarray(labels[...]))
        np.testing.assert_array_equal(found.pyramid.levels[1][...], mode_2x2(labels[...]))
        assert content(found.objects.table) == content(store.table)
    assert again.pyramid.dtype == np.uint16
    image = yaozarrs.validate_zarr_store(str(tmp_path / "a.zarr")).ome_metadata()
    assert image.multiscales[0].axes[1].unit == "micrometer"
    assert image.multiscales[0].name == "a"


def test_work_goes_on_in_what_was_opened(tmp_path, values):
    labels = saved(values, tmp_path / "a.zarr").pyramid
    opened = open_saved(tmp_path / "a.zarr")
    opened.objects.apply(commit(labels, 9, y=100, x=100, plane=(1,)), opened.pyramid)
    again = open_saved(tmp_path / "a.zarr")
    assert [record.label for record in again.objects.table] == [9]
    assert (again.pyramid.levels[1][1] == 9).any()


def test_other_programs_do_not_stumble_over_the_journal(tmp_path, values):
    store = ObjectStore()
    store.apply(commit(values, 7, y=20, x=20, plane=(1,)), values)
    pyramid = saved(values, tmp_path / "a.zarr", table=store.table).pyramid
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names = [name for name, _ in zarr.open_group(tmp_path / "a.zarr").members(max_depth=None)]
        assert sorted(names) == ["0", "1"]
    corners = {(0, row, column) for row in (0, 1) for column in (0, 1)}
    assert stored_chunks(pyramid.data) == corners | {(1, 0, 0), (2, 1, 0)}
    yaozarrs.validate_zarr_store(str(tmp_path / "a.zarr"))
    builtin = pytest.importorskip("napari_builtins.io")
    levels, shape = builtin.read_zarr_dataset(str(tmp_path / "a.zarr"))
    assert shape == values.shape
    np.testing.assert_array_equal(np.asarray(levels[0]), values)


def test_labels_of_an_image_are_listed_there(tmp_path, values):
    zarr.create_group(tmp_path / "image.zarr")
    saved(values, tmp_path / "image.zarr" / "labels" / "cells")
    labels = zarr.open_group(tmp_path / "image.zarr" / "labels", mode="r")
    assert labels.attrs["ome"]["labels"] == ["cells"]
    assert sorted(os.listdir(tmp_path / "image.zarr" / "labels")) == ["cells", "zarr.json"]


def test_only_what_is_stored_is_read(tmp_path):
    labels = zarr.create_array(
        {}, shape=(1000, 40_000, 40_000), chunks=(1, 512, 512), dtype="uint16", fill_value=0
    )
    labels[700, 30_000:30_010, 20_000:20_010] = 4
    pyramid = saved(labels, tmp_path / "a.zarr").pyramid
    assert len(stored_chunks(pyramid.data)) == 1
    assert (pyramid.data[700, 30_000:30_010, 20_000:20_010] == 4).all()
    assert (pyramid.levels[1][700, 15_000:15_005, 10_000:10_005] == 4).all()


def test_a_wider_type_can_be_chosen(tmp_path, values):
    pyramid = saved(values, tmp_path / "a.zarr", dtype="uint32").pyramid
    assert pyramid.dtype == np.uint32
    np.testing.assert_array_equal(pyramid.data[...], values)


@pytest.mark.parametrize("n_steps", range(1, 6))
def test_nothing_stays_of_what_was_given_up(tmp_path, values, n_steps):
    steps = save_labels(values, tmp_path / "a.zarr")
    for _ in range(n_steps):
        assert isinstance(next(steps), str)
        assert not (tmp_path / "a.zarr").exists()
    steps.close()
    assert not any(tmp_path.iterdir())


def test_nothing_stays_of_what_failed(tmp_path, values, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr.Array, "__setitem__", refuse)
    with pytest.raises(OSError, match=r"a\.zarr cannot be written, the disk is full"):
        saved(values, tmp_path / "a.zarr")
    assert not any(tmp_path.iterdir())


def test_what_cannot_be_saved_is_refused(tmp_path, values):
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(FileExistsError, match="choose another name"):
        saved(values, tmp_path / "a.zarr")
    with pytest.raises(FileNotFoundError, match="no folder"):
        saved(values, tmp_path / "nowhere" / "a.zarr")
    with pytest.raises(TypeError, match="float64; expected integers"):
        saved(values.astype(float), tmp_path / "b.zarr")
    with pytest.raises(ValueError, match="3 axes, and axes has 2"):
        saved(values, tmp_path / "b.zarr", axes="yx")
    assert os.listdir(tmp_path) == ["a.zarr"]


def test_what_is_no_labels_is_not_opened(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="nothing at"):
        open_saved(tmp_path / "a.zarr")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file.txt").touch()
    zarr.create_array(tmp_path / "array.zarr", shape=(3, 3), dtype="uint8")
    for name in ("folder", "file.txt", "array.zarr"):
        with pytest.raises(ValueError, match=r"expected OME-Zarr 0\.5 labels"):
            open_saved(tmp_path / name)
    old = zarr.create_group(tmp_path / "old.zarr", zarr_format=2)
    old.attrs["multiscales"] = [{"version": "0.4"}]
    with pytest.raises(ValueError, match=r"not an OME-Zarr 0\.5 label image"):
        open_saved(tmp_path / "old.zarr")
    create_labels(tmp_path / "b.zarr", (30, 30))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match="cannot be written: change its permissions"):
        open_saved(tmp_path / "b.zarr")


def test_a_journal_of_another_version_is_told(tmp_path):
    create_labels(tmp_path / "a.zarr", (30, 30))
    journal = tmp_path / "a.zarr" / "0" / "objects.jsonl"
    journal.write_text(json.dumps({"napari_sam_objects": 99}) + "\n")
    with pytest.raises(ValueError, match="journal of version 99"):
        open_saved(tmp_path / "a.zarr")
    journal.unlink()
    assert not len(open_saved(tmp_path / "a.zarr").objects.table)


@settings(max_examples=25)
@given(st.data())
def test_any_chunks_are_copied_into_any_others(data):
    shape = data.draw(hnp.array_shapes(min_dims=2, max_dims=3, max_side=20))
    chunks = [data.draw(st.tuples(*[st.integers(1, n) for n in shape])) for _ in range(2)]
    values = data.draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 0, 5])))
    source = in_memory(values, chunks[0])
    target = zarr.create_array({}, shape=shape, chunks=chunks[1], dtype="uint16", fill_value=0)
    shares = list(iter_copied(source, target))
    assert shares == sorted(shares)
    assert not shares or shares[-1] == 1
    np.testing.assert_array_equal(target[...], values)
