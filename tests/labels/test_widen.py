from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import yaozarrs
import zarr

from napari_sam.labels import create_labels
from napari_sam.labels.point_of_no_return import PointOfNoReturn
from napari_sam.labels.save import open_saved
from napari_sam.labels.widen import ids_left, widen_arrays, widen_saved, wider_type

from .changes import commit, content


def test_how_many_objects_still_fit():
    assert ids_left("uint8", 250) == 5
    assert ids_left(np.uint16, 0) == 65535
    assert ids_left("int8", 127) == 0
    assert ids_left("uint8", 300) == 0


def test_types_get_wider_up_to_32_bits():
    assert [wider_type(t) for t in ("uint8", "int8", "uint16")] == ["uint16", "int16", "uint32"]
    for widest in ("uint32", "int64"):
        with pytest.raises(ValueError, match=f"labels are {widest}, the widest"):
            wider_type(widest)


def test_arrays_in_memory_get_wider():
    values = np.zeros((2, 90, 100), np.uint8)
    values[1, 30:50, 30:50] = 255
    array = zarr.create_array({}, shape=values.shape, chunks=(1, 32, 32), dtype="uint8")
    array[...] = values
    for levels in ([values], [array], [array, array]):
        *said, widened = widen_arrays(levels)
        assert all(isinstance(text, str) for text in said)
        assert [type(level) for level in widened] == [type(level) for level in levels]
        for level in widened:
            assert level.dtype == np.uint16
            np.testing.assert_array_equal(level[...], values)
    assert widened[0].chunks == (1, 32, 32)


def test_arrays_on_a_disk_are_not_moved_into_memory(tmp_path):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(90, 100), dtype="uint8")
    with pytest.raises(ValueError, match="Save them elsewhere"):
        list(widen_arrays([array]))


@pytest.fixture
def saved(tmp_path):
    create_labels(tmp_path / "a.zarr", (2, 150, 140), chunks=(1, 64, 64), dtype="uint8")
    saved = open_saved(tmp_path / "a.zarr")
    for label in (1, 2, 255):
        change = commit(saved.pyramid, label, y=label // 2, x=label // 3, plane=(label % 2,))
        saved.objects.apply(change, saved.pyramid)
    return saved


def check(found, saved, dtype):
    """Compare labels with what they were, but for their type."""
    assert [level.dtype for level in found.pyramid.levels] == [dtype] * len(saved.pyramid.levels)
    expected = saved.values
    for level, values in zip(found.pyramid.levels, expected, strict=True):
        np.testing.assert_array_equal(level[...], values)
    assert content(found.objects.table) == saved.records


class Before:
    """What labels were, with the shapes of their levels."""

    def __init__(self, saved):
        self.pyramid = saved.pyramid
        self.values = [level[...] for level in saved.pyramid.levels]
        self.records = content(saved.objects.table)


def test_labels_on_a_disk_get_wider_where_they_lie(saved):
    before = Before(saved)
    *said, wide = widen_saved(saved)
    assert all(isinstance(text, str) for text in said)
    check(wide, before, np.uint16)
    wide.objects.apply(commit(wide.pyramid, 256, y=50, x=100, plane=(0,)), wide.pyramid)
    again = open_saved(saved.path)
    assert len(again.objects.table) == 4
    assert (again.pyramid.levels[1][0] == 256).any()
    assert sorted(file.name for file in saved.path.iterdir()) == [
        *(f"{level}_uint16" for level in range(len(before.values))),
        "zarr.json",
    ]
    yaozarrs.validate_zarr_store(str(saved.path))
    *_, wider = widen_saved(again)
    assert wider.pyramid.dtype == np.uint32
    assert len(open_saved(saved.path).objects.table) == 4


def test_whatever_happens_they_are_whole_in_one_type_or_the_other(saved, tmp_path, monkeypatch):
    before = Before(saved)
    copies = []

    def keep_a_copy():
        copies.append(tmp_path / f"copy_{len(copies)}.zarr")
        shutil.copytree(saved.path, copies[-1])

    remove = zarr.Group.__delitem__

    def remove_after_copy(group, name):
        keep_a_copy()
        remove(group, name)
        keep_a_copy()

    monkeypatch.setattr(zarr.Group, "__delitem__", remove_after_copy)
    for _ in widen_saved(saved):
        keep_a_copy()
    monkeypatch.undo()
    types = []
    for copy in copies:
        found = open_saved(copy)
        types.append(found.pyramid.dtype)
        check(found, before, types[-1])
        assert len([file for file in copy.iterdir() if file.is_dir()]) == len(before.values)
    assert types[0] == np.uint8
    assert types[-1] == np.uint16
    assert types == sorted(types, key=lambda dtype: dtype.itemsize)


def test_old_levels_that_cannot_be_removed_go_when_the_labels_are_opened(saved, monkeypatch):
    before = Before(saved)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Group, "__delitem__", refuse)
        *_, wide = widen_saved(saved)
        check(wide, before, np.uint16)
        assert (saved.path / "0").exists()
    check(open_saved(saved.path), before, np.uint16)
    assert not (saved.path / "0").exists()


def test_what_is_given_up_or_fails_leaves_them_as_they_were(saved, monkeypatch):
    before = Before(saved)
    steps = widen_saved(saved)
    next(steps), next(steps)
    steps.close()
    check(open_saved(saved.path), before, np.uint8)

    def refuse(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(zarr.Array, "__setitem__", refuse)
        with pytest.raises(
            OSError, match=r"Nothing was changed, as .*a\.zarr cannot be written, the disk"
        ):
            list(widen_saved(saved))
    check(open_saved(saved.path), before, np.uint8)
    assert len(list(saved.path.iterdir())) == len(before.values) + 1
    saved.objects.apply(commit(saved.pyramid, 9, y=50, x=100, plane=(0,)), saved.pyramid)
    assert len(open_saved(saved.path).objects.table) == 4


def test_who_widens_anew_waits_for_the_one_who_has_been_called_off(saved):
    before, point = Before(saved), PointOfNoReturn()
    old = widen_saved(saved, point)
    next(old), next(old)
    assert point.call_off()
    with ThreadPoolExecutor(1) as threads:
        new = threads.submit(list, widen_saved(saved))
        with pytest.raises(TimeoutError):
            new.result(timeout=0.3)
        old.close()
        *_, wide = new.result(timeout=60)
    check(wide, before, np.uint16)
    check(open_saved(saved.path), before, np.uint16)


def test_who_does_not_end_is_not_waited_for_for_ever(saved, monkeypatch):
    monkeypatch.setattr("napari_sam.labels.retype.PATIENCE_S", 0.01)
    old = widen_saved(saved)
    next(old)
    with pytest.raises(ValueError, match=r"a\.zarr are still being changed"):
        list(widen_saved(saved))
    *_, wide = old
    assert wide.pyramid.dtype == np.uint16
    with pytest.raises(ValueError, match="are uint16 by now"):
        list(widen_saved(saved))
    assert open_saved(saved.path).pyramid.dtype == np.uint16


def test_they_can_be_called_off_until_they_change_places(saved, tmp_path):
    before, point = saved.pyramid.data[...], PointOfNoReturn()
    widening = widen_saved(saved, point)
    next(widening)
    assert point.call_off()
    assert all(isinstance(news, str) for news in widening)
    assert open_saved(saved.path).pyramid.dtype == np.uint8
    np.testing.assert_array_equal(saved.pyramid.data[...], before)
    assert list(saved.path.glob("*_uint16")) == []

    point = PointOfNoReturn()
    *_, wider = widen_saved(saved, point)
    assert not point.call_off()
    np.testing.assert_array_equal(wider.pyramid.data[...], before)
