from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta

import numpy as np
import pytest
import zarr

from napari_sam.labels import recovery as module
from napari_sam.labels.block_mode import mode_2x2
from napari_sam.labels.change import Change
from napari_sam.labels.levels import Levels
from napari_sam.labels.recovery import default_folder, find_recovery, new_recovery
from napari_sam.labels.replace import plan_removal
from napari_sam.masks import Mask

from .changes import commit, content

SHAPE = (2, 60, 60)


def work(recovery, n_objects=3, dtype="uint16"):
    """Make some objects, undo one, and return labels and store."""
    labels, store = np.zeros(SHAPE, dtype), recovery.begin()
    for label in range(1, n_objects + 2):
        place = {"y": 15 * (label % 4), "x": 4 * label, "plane": (label % 2,)}
        done = store.apply(commit(labels, label, **place), labels)
    store.apply(done.inverse(), labels)
    return labels, store


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "state" / "recovery"


def test_what_a_dead_process_left_is_made_again_and_goes_on(folder):
    lost = new_recovery("cells", SHAPE, folder)
    labels, store = work(lost)
    lost.release()  # as the end of the process does

    found = find_recovery("cells", SHAPE, folder)
    assert (found.n_objects, found.highest) == (3, 4)
    assert abs(found.when - datetime.now().astimezone()) < timedelta(minutes=1)
    empty = np.zeros(SHAPE, np.uint16)
    again = found.apply(empty)
    np.testing.assert_array_equal(empty, labels)
    assert content(again.table) == content(store.table)

    again.apply(commit(empty, 9, y=45, x=45, plane=(0,)), empty)
    found.release()
    third = find_recovery("cells", SHAPE, folder)
    assert third.n_objects == 4
    labels = np.zeros(SHAPE, np.uint32)
    third.apply(labels)
    np.testing.assert_array_equal(labels, empty)


def test_nothing_is_found_for_other_images_and_shapes(folder):
    assert find_recovery("cells", SHAPE, folder) is None
    lost = new_recovery("cells", SHAPE, folder)
    work(lost)
    lost.release()
    assert find_recovery("other cells", SHAPE, folder) is None
    assert find_recovery("cells", (60, 60), folder) is None
    assert find_recovery("cells", SHAPE, folder) is not None


def test_a_journal_in_use_is_not_found(folder):
    mine = new_recovery("cells", SHAPE, folder)
    work(mine)
    assert find_recovery("cells", SHAPE, folder) is None
    mine.release()
    offered = find_recovery("cells", SHAPE, folder)
    assert find_recovery("cells", SHAPE, folder) is None, "it is offered to somebody already"
    offered.release()
    assert find_recovery("cells", SHAPE, folder) is not None


def test_a_living_process_holds_its_journal_and_a_killed_one_does_not(folder):
    code = (
        "import sys, time\n"
        "from napari_sam.labels.recovery import new_recovery\n"
        "import numpy as np\n"
        "from napari_sam.labels.change import Change\n"
        "from napari_sam.labels.objects import ObjectRecord\n"
        "labels = np.zeros((50, 50), np.uint8)\n"
        "recovery = new_recovery('cells', (50, 50), sys.argv[1])\n"
        "recovery.begin().apply(Change(put=(ObjectRecord(3, (), (1, 1, 2, 2), 1),)), labels)\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", code, str(folder)]
    with subprocess.Popen(command, stdin=-1, stdout=-1) as process:
        assert process.stdout.readline() == b"ready\n"
        is_held = find_recovery("cells", (50, 50), folder) is None
        process.kill()
    assert is_held
    assert find_recovery("cells", (50, 50), folder).n_objects == 1


def test_the_newest_comes_first(folder):
    for n_objects in (1, 2):
        lost = new_recovery("cells", SHAPE, folder)
        work(lost, n_objects)
        lost.release()
        os.utime(lost.path, (time.time() + n_objects - 9,) * 2)
    first = find_recovery("cells", SHAPE, folder)
    second = find_recovery("cells", SHAPE, folder)
    assert (first.n_objects, second.n_objects) == (2, 1)


def test_nothing_stays_of_what_is_saved_or_not_wanted(folder):
    recovery = new_recovery("cells", SHAPE, folder)
    work(recovery)
    recovery.discard()
    assert not any(folder.iterdir())
    recovery = new_recovery("cells", SHAPE, folder)
    recovery.discard()  # nothing happened
    assert not any(folder.iterdir())


def test_a_journal_of_which_all_was_undone_is_not_offered(folder):
    recovery = new_recovery("cells", SHAPE, folder)
    work(recovery, n_objects=0)
    recovery.release()
    assert find_recovery("cells", SHAPE, folder) is None
    assert not any(folder.iterdir())


def test_labels_that_do_not_fit_are_refused(folder):
    lost = new_recovery("cells", SHAPE, folder)
    store, labels = lost.begin(), np.zeros(SHAPE, np.uint16)
    store.apply(commit(labels, 300, plane=(0,)), labels)
    lost.release()
    found = find_recovery("cells", SHAPE, folder)
    for empty, sentence in (
        (np.zeros((60, 60), np.uint16), r"have shape \(60, 60\); expected \(2, 60, 60\)"),
        (np.zeros(SHAPE, np.uint8), "are uint8, but numbers up to 300"),
    ):
        with pytest.raises(ValueError, match=sentence):
            found.apply(empty)
        assert not empty.any()
    with pytest.raises(TypeError, match="expected integers"):
        found.apply(np.zeros(SHAPE))


def test_a_journal_that_cannot_be_read_stays_and_is_not_offered(folder):
    lost = new_recovery("cells", SHAPE, folder)
    lost.path.write_text('{"napari_sam_objects": 99}\n')
    lost.release()
    assert find_recovery("cells", SHAPE, folder) is None
    assert lost.path.exists()


def test_old_and_too_many_journals_are_removed_but_not_those_in_use(folder, monkeypatch):
    ages = {"old": module.MAX_DAYS + 1, "used": module.MAX_DAYS + 1, "young": 3, "new": 1}
    journals = {}
    for name, days in ages.items():
        journals[name] = new_recovery(name, SHAPE, folder)
        work(journals[name])
        os.utime(journals[name].path, (time.time() - days * 24 * 3600,) * 2)
    for name in ("old", "young", "new"):
        journals[name].release()
    another = new_recovery("another", SHAPE, folder)
    assert {n for n in ages if journals[n].path.exists()} == {"used", "young", "new"}
    another.discard()
    monkeypatch.setattr(module, "MAX_BYTES", journals["new"].path.stat().st_size + 10)
    new_recovery("another", SHAPE, folder).discard()
    assert {n for n in ages if journals[n].path.exists()} == {"used", "new"}
    assert not list(folder.glob("*young*"))


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file/recovery cannot be written"):
        new_recovery("cells", SHAPE, tmp_path / "file" / "recovery")


def test_the_folder_is_the_users_own():
    assert default_folder().parts[-2:] == ("napari-sam", "recovery")


@pytest.fixture
def base():
    labels = np.zeros(SHAPE, np.uint16)
    labels[0, 5:20, 5:20] = 700
    labels[1, 30:50, 5:20] = 701
    return labels


def change_base(folder, base):
    """Work on labels that others have made; return them, and what has been left."""
    lost, labels = new_recovery("cells", SHAPE, folder), base.copy()
    store = lost.begin("mine")
    store.apply(commit(labels, 702, y=10, x=10, plane=(0,), overlap="replace"), labels)
    mask = Mask.from_array(np.ones((20, 15), bool), 30, 5)
    store.apply(Change(edits=(plan_removal(labels, mask, 701, plane=(1,)),)), labels)
    undone = store.apply(commit(labels, 703, y=40, x=40, plane=(0,)), labels)
    store.apply(undone.inverse(), labels)
    lost.release()
    return labels, find_recovery("cells", SHAPE, folder)


def test_changes_of_labels_that_held_something_are_made_again_over_them(folder, base):
    labels, found = change_base(folder, base)
    assert (found.over, found.n_objects) == ("mine", 3)  # 700 is smaller, 701 gone, 702 new
    again = base.copy()
    store = found.apply(again, is_over=True)
    np.testing.assert_array_equal(again, labels)
    store.apply(commit(again, 704, y=40, x=40, plane=(0,)), again)
    found.release()
    third = find_recovery("cells", SHAPE, folder)
    assert third.n_objects == 4
    other = base.copy()
    third.apply(other, is_over=True)
    np.testing.assert_array_equal(other, again)


def test_what_is_there_by_now_is_left_alone(folder, base):
    labels, found = change_base(folder, base)
    other = base.copy()
    other[0, 12:15, 10:30] = 900
    painted = other == 900
    found.apply(other, is_over=True)
    assert (other[painted] == 900).all()
    np.testing.assert_array_equal(other[~painted], labels[~painted])


def test_pixels_that_are_changed_already_stay_so(folder, base):
    """As in a memory map, which has outlived the process."""
    labels, found = change_base(folder, base)
    again = labels.copy()
    found.apply(again, is_over=True)
    np.testing.assert_array_equal(again, labels)


def test_without_the_labels_the_new_objects_are_made_in_empty_ones(folder, base):
    labels, found = change_base(folder, base)
    empty = np.zeros(SHAPE, np.uint16)
    found.apply(empty)
    assert np.unique(empty).tolist() == [0, 702]
    np.testing.assert_array_equal(empty == 702, labels == 702)


def test_labels_of_which_something_was_only_removed_are_offered_too(folder, base):
    lost, labels = new_recovery("cells", SHAPE, folder), base.copy()
    mask = Mask.from_array(np.ones((20, 15), bool), 30, 5)
    change = Change(edits=(plan_removal(labels, mask, 701, plane=(1,)),))
    lost.begin("mine").apply(change, labels)
    lost.release()
    assert find_recovery("cells", SHAPE, folder).n_objects == 1


@pytest.mark.parametrize("is_over", [False, True])
def test_each_chunk_of_a_zarr_is_written_once_whatever_lies_in_it(folder, monkeypatch, is_over):
    lost = new_recovery("cells", SHAPE, folder)
    labels, _ = work(lost, n_objects=24)
    lost.release()
    finest = zarr.create_array({}, shape=SHAPE, chunks=(1, 32, 32), dtype="uint16")
    coarser = zarr.create_array({}, shape=(2, 30, 30), chunks=(1, 16, 16), dtype="uint16")
    n_written = Counter()
    write = zarr.Array.__setitem__

    def watched(array, region, values):
        n_written[str(array.shape), str(region)] += 1
        write(array, region, values)

    monkeypatch.setattr(zarr.Array, "__setitem__", watched)
    find_recovery("cells", SHAPE, folder).apply(Levels([finest, coarser]), is_over=is_over)
    np.testing.assert_array_equal(finest[:], labels)
    np.testing.assert_array_equal(coarser[:], mode_2x2(labels))
    assert set(n_written.values()) == {1}
    assert len(n_written) <= 2 * (4 + 4)
