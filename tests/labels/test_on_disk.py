"""Labels on disk that somebody else has made: pixels there, records where they may be."""

from __future__ import annotations

import os
from shutil import rmtree

import numpy as np
import pytest
import zarr
from zarr.storage import MemoryStore, ZipStore

from napari_sam.labels import create_labels
from napari_sam.labels.change import Change
from napari_sam.labels.on_disk import open_on_disk, outlasts
from napari_sam.labels.recovery import default_folder, new_recovery
from napari_sam.labels.save import open_saved
from napari_sam.labels.store import ObjectStore

from .changes import commit, content

SHAPE = (2, 60, 60)


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def array(tmp_path):
    return zarr.create_array(
        tmp_path / "mine.zarr", shape=SHAPE, chunks=(1, 16, 16), dtype="uint16"
    )


def files(folder):
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def test_what_outlasts_the_process(array):
    assert outlasts(array)
    assert not outlasts(zarr.create_array(MemoryStore(), shape=SHAPE, dtype="uint8"))
    assert not outlasts(np.zeros(SHAPE))


def test_records_come_back_and_nothing_but_pixels_is_written_into_the_array(array, tmp_path):
    found = open_on_disk([array])
    assert not files(tmp_path / "mine.zarr") - {(tmp_path / "zarr.json").relative_to(tmp_path)}
    for label in (1, 2, 3):
        change = commit(array, label, y=15 * label, plane=(1,))
        found.objects.apply(change, array)
    names = {path.parts[0] for path in files(tmp_path / "mine.zarr")}
    assert names == {"zarr.json", "c"}
    found.release()
    again = open_on_disk([zarr.open_array(tmp_path / "mine.zarr")])
    assert content(again.objects.table) == content(found.objects.table)
    assert len(again.objects.table) == 3


def test_other_arrays_have_other_records(array, tmp_path):
    found = open_on_disk([array])
    found.objects.apply(commit(array, 1, plane=(0,)), array)
    other = zarr.create_array(tmp_path / "other.zarr", shape=SHAPE, dtype="uint16")
    assert not len(open_on_disk([other]).objects.table)


def test_a_change_that_was_cut_off_is_completed_in_all_levels(array, tmp_path):
    coarse = zarr.create_array(tmp_path / "coarse.zarr", shape=(2, 20, 20), dtype="uint16")
    levels = [array, coarse]
    found = open_on_disk(levels)
    change = commit(array, 4, y=12, x=12, side=30, plane=(1,))
    found.objects.journal.append(change)  # and here the process dies
    found.release()
    open_on_disk(levels)
    expected = np.zeros(SHAPE, np.uint16)
    change.edits[0].write(expected)
    np.testing.assert_array_equal(array[...], expected)
    np.testing.assert_array_equal(coarse[...], expected[:, 1::3, 1::3])


def test_a_change_that_was_cut_off_spares_what_others_have_written_since(array):
    found = open_on_disk([array])
    change = commit(array, 4, y=12, x=12, side=30, plane=(1,))
    found.objects.journal.append(change)
    found.release()
    array[1, :20] = 7
    open_on_disk([array])
    expected = np.zeros(SHAPE, np.uint16)
    change.edits[0].write(expected)
    expected[1, :20] = 7
    np.testing.assert_array_equal(array[...], expected)


def test_who_comes_second_works_without_records(array):
    first, second = open_on_disk([array]), open_on_disk([array])
    assert first.objects.journal is not None
    assert second.objects.journal is None
    second.release()
    first.release()
    assert open_on_disk([array]).objects.journal is not None


def test_records_of_labels_that_were_not_opened_for_long_come_back(array):
    found = open_on_disk([array])
    found.objects.apply(commit(array, 1, plane=(0,)), array)
    path = found.objects.journal.path
    found.release()
    os.utime(path, (0, 0))
    again = open_on_disk([array])
    assert [record.label for record in again.objects.table] == [1]
    again.release()
    new_recovery("another image", SHAPE).discard()  # what is old goes, but this is in use again
    assert path.exists()


@pytest.mark.parametrize(("gone", "is_kept"), [("", True), ("mine.zarr", False), ("disk", True)])
def test_records_stay_as_long_as_the_labels_or_their_disk_is_away(tmp_path, gone, is_kept):
    array = zarr.create_array(tmp_path / "disk" / "mine.zarr", shape=SHAPE, dtype="uint16")
    found = open_on_disk([array])
    found.objects.apply(commit(array, 1, plane=(0,)), array)
    path = found.objects.journal.path
    found.release()
    os.utime(path, (0, 0))
    if gone:
        rmtree(next(tmp_path.rglob(gone)))
    new_recovery("another image", SHAPE).discard()  # what is old goes
    assert path.exists() == is_kept


def test_records_of_labels_in_no_folder_stay_as_long_as_those_of_labels_in_memory(tmp_path):
    with ZipStore(tmp_path / "mine.zip", mode="w") as store:
        array = zarr.create_array(store, name="a", shape=SHAPE, dtype="uint16")
        found = open_on_disk([array])
        found.objects.apply(commit(np.zeros(SHAPE, np.uint16), 1, plane=(0,)), array)
    path = found.objects.journal.path
    found.release()
    new_recovery("another image", SHAPE).discard()
    assert path.exists()
    os.utime(path, (0, 0))
    new_recovery("another image", SHAPE).discard()  # what is old goes
    assert not path.exists()


def test_a_damaged_journal_is_put_aside(array):
    found = open_on_disk([array])
    found.objects.apply(commit(array, 1, plane=(0,)), array)
    path = found.objects.journal.path
    found.release()
    path.write_text('{"napari_sam_objects": 1}\nrubbish\n{}\n')
    again = open_on_disk([array])
    assert not len(again.objects.table)
    again.objects.apply(commit(array, 2, y=30, plane=(0,)), array)
    texts = [path.read_text() for path in default_folder().glob("*.jsonl")]
    assert sum("rubbish" in text for text in texts) == 1


def test_ome_zarr_labels_keep_their_own_records(tmp_path):
    path = tmp_path / "cells.ome.zarr"
    pyramid = create_labels(path, (2, 600, 600))
    found = open_on_disk([zarr.open_group(path)["0"]])
    assert found.saved is not None
    assert found.saved.path == path
    found.objects.apply(commit(pyramid, 1, side=30, plane=(1,)), found.saved.pyramid)
    assert not default_folder().exists()
    saved = open_saved(path)
    assert [record.label for record in saved.objects.table] == [1]
    assert saved.pyramid.levels[1][1, 10, 3] == 1


def test_a_coarser_level_of_ome_zarr_labels_is_an_array_like_others(tmp_path):
    path = tmp_path / "cells.ome.zarr"
    create_labels(path, (2, 600, 600))
    assert open_on_disk([zarr.open_group(path)["1"]]).saved is None


def test_labels_of_a_damaged_journal_of_their_own_are_refused(tmp_path):
    path = tmp_path / "cells.ome.zarr"
    create_labels(path, SHAPE)
    saved = open_saved(path)
    saved.objects.apply(Change(put=commit(np.zeros((60, 60), np.uint8), 1).put), saved.pyramid)
    journal = saved.objects.journal.path
    journal.write_text(journal.read_text() + "rubbish\n{}\n")
    with pytest.raises(ValueError, match=r"Line 3 of .* is damaged"):
        open_on_disk([zarr.open_group(path)["0"]])


def test_a_folder_of_journals_that_cannot_be_made_is_no_reason_not_to_work(array, tmp_path):
    (tmp_path / "state").write_text("a file")
    found = open_on_disk([array])
    assert isinstance(found.objects, ObjectStore)
    assert found.objects.journal is None


def test_ome_zarr_labels_whose_levels_cannot_be_kept_in_step(tmp_path):
    path = tmp_path / "cells.ome.zarr"
    create_labels(path, (600, 600))
    group = zarr.open_group(path)
    del group["1"]
    group.create_array("1", shape=(250, 250), dtype="uint16")
    with pytest.raises(ValueError, match="each axis reduced by a whole number"):
        open_saved(path)
    assert open_on_disk([group["0"]]).saved is None
