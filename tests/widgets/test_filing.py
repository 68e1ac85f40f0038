"""Labels to disk and back, into wider types, and after a crash."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_sam.labels import create_labels, retype
from napari_sam.labels.journal import ObjectJournal
from napari_sam.labels.recovery import new_recovery
from napari_sam.labels.save import open_saved
from napari_sam.widgets import kept_labels
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.lanes import Lanes

from .replay import carry_out

PATIENCE_MS = 30_000  # a busy machine is no failure


@pytest.fixture
def viewer(viewer, picture):
    viewer.add_image(picture, name="cells", scale=(0.5, 0.5), units=("um", "um"))
    return viewer


@pytest.fixture
def session(viewer, make_session):
    return make_session(viewer)


def keep(session, y, x):
    session.click(y, x)
    return session.commit()


def identified(session):
    """Do what a dock does when the image is opened."""
    session.adopt_image()
    chore = session.look_for_recovery()
    assert chore is not None
    chore.do()


# To disk


def test_saved_labels_lie_on_disk_and_so_does_each_further_object(session, tmp_path):
    keep(session, 50, 50)
    layer = session.labels
    session.save_labels(tmp_path / "cells.ome.zarr")
    assert session.labels is layer
    assert session.labels_path == tmp_path / "cells.ome.zarr"
    keep(session, 100, 150)
    saved = open_saved(tmp_path / "cells.ome.zarr")
    assert sorted(np.unique(saved.pyramid.data[:])) == [0, 1, 2]
    assert np.array_equal(saved.pyramid.data[:], np.asarray(layer.data))
    assert [record.label for record in saved.objects.table] == [1, 2]
    axes = zarr.open_group(saved.path).attrs["ome"]["multiscales"][0]["axes"]
    assert [axis["unit"] for axis in axes] == ["micrometer"] * 2


def test_undo_goes_on_in_saved_labels(session, tmp_path):
    keep(session, 50, 50)
    keep(session, 100, 150)
    session.save_labels(tmp_path / "cells.ome.zarr")
    session.undo()
    saved = open_saved(tmp_path / "cells.ome.zarr")
    assert sorted(np.unique(saved.pyramid.data[:])) == [0, 1]
    assert [record.label for record in saved.objects.table] == [1]


def test_the_coarser_levels_of_saved_labels_follow(make_session, tmp_path):
    viewer = ViewerModel()
    viewer.add_image(np.zeros((1500, 1400), np.uint8))
    session = make_session(viewer)
    keep(session, 50, 50)
    session.save_labels(tmp_path / "cells.ome.zarr")
    keep(session, 700, 900)
    coarse = open_saved(tmp_path / "cells.ome.zarr").pyramid.levels[1]
    assert coarse[350, 450] == 2


def test_what_is_kept_while_labels_are_saved_is_saved_too(session, tmp_path):
    keep(session, 50, 50)
    chores = []
    session.asked.connect(lambda work: chores.append(work) if isinstance(work, Chore) else None)
    session.save_labels(tmp_path / "cells.ome.zarr", wait=False)
    *_, answer = chores[-1].iter_answer()
    keep(session, 100, 150)
    session.delete(1)
    session.accept(chores[-1], answer)
    saved = open_saved(tmp_path / "cells.ome.zarr")
    assert sorted(np.unique(saved.pyramid.data[:])) == [0, 2]
    assert [record.label for record in saved.objects.table] == [2]
    assert np.array_equal(saved.pyramid.data[:], np.asarray(session.labels.data))


def test_what_is_kept_while_a_second_folder_is_written_is_there_if_the_first_is_given_up(
    session, tmp_path
):
    keep(session, 50, 50)
    noted: list[Chore] = []
    session.asked.connect(noted.append)
    session.save_labels(tmp_path / "first", wait=False)
    session.save_labels(tmp_path / "second", wait=False)
    first, second = noted
    first.give_up()
    *_, saved = second.iter_answer()
    keep(session, 150, 200)
    second.take(saved)
    assert session.labels_path == tmp_path / "second"
    assert set(np.unique(open_saved(tmp_path / "second").pyramid.data)) == {0, 1, 2}
    assert session.objects.labels == {1, 2}


def test_saving_over_something_changes_nothing(session, tmp_path):
    keep(session, 50, 50)
    (tmp_path / "there").mkdir()
    with pytest.raises(FileExistsError, match="there"):
        session.save_labels(tmp_path / "there")
    assert session.labels_path is None
    assert keep(session, 100, 150) == 2


def test_there_is_nothing_to_save_yet(session, tmp_path):
    with pytest.raises(ValueError, match="no labels yet"):
        session.save_labels(tmp_path / "cells.ome.zarr")


def test_opened_labels_go_on_with_their_objects_and_prompts(make_session, picture, tmp_path):
    viewer = ViewerModel()
    viewer.add_image(picture)
    first = make_session(viewer)
    keep(first, 50, 50)
    first.save_labels(tmp_path / "cells.ome.zarr")
    other = ViewerModel()
    other.add_image(picture)
    session = make_session(other)
    session.open_labels(tmp_path / "cells.ome.zarr")
    session.reopen(1)
    assert session.draft.prompts.points.tolist() == [[50, 50]]
    session.click(50, 60, positive=False)
    session.commit()
    assert keep(session, 100, 150) == 2
    saved = open_saved(tmp_path / "cells.ome.zarr")
    assert sorted(np.unique(saved.pyramid.data[:])) == [0, 1, 2]


def test_labels_of_another_shape_are_not_opened(session, viewer, tmp_path):
    create_labels(tmp_path / "other.ome.zarr", (50, 60))
    n_layers = len(viewer.layers)
    with pytest.raises(ValueError, match=r"have shape \(50, 60\), the image \(200, 240\)"):
        session.open_labels(tmp_path / "other.ome.zarr")
    assert len(viewer.layers) == n_layers


def test_large_planes_on_disk_are_shown_as_a_pyramid(make_session, tmp_path):
    viewer = ViewerModel()
    viewer.add_image(zarr.create_array({}, shape=(9000, 9000), chunks=(512, 512), dtype="uint8"))
    session = make_session(viewer)
    session.click(4000, 5000, step=1)
    session.commit()
    assert session.labels.multiscale
    session.save_labels(tmp_path / "cells.ome.zarr")
    session.click(1000, 1000, step=1)
    session.commit()
    saved = open_saved(tmp_path / "cells.ome.zarr")
    assert saved.pyramid.data[4000, 5000] == 1
    assert saved.pyramid.levels[-1][1000 >> 4, 1000 >> 4] in (0, 2)
    assert saved.pyramid.levels[1][500, 500] == 2


# Into a wider type


@pytest.mark.parametrize("on_disk", [False, True])
def test_labels_are_widened_when_ids_run_out(session, viewer, tmp_path, on_disk):
    data = np.zeros((200, 240), np.uint8)
    data[0, 0] = 254
    session.labels = viewer.add_labels(data, name="full")
    if on_disk:
        session.save_labels(tmp_path / "full.ome.zarr")
    assert session.next_label == 255
    assert session.n_ids_left == 1
    assert keep(session, 50, 50) == 255
    assert session.n_ids_left == 0
    session.click(100, 150)
    with pytest.raises(ValueError, match="highest number"):
        session.commit()
    session.widen_labels()
    assert session.labels.data.dtype == np.uint16
    assert session.commit() == 256
    session.undo()
    session.undo()
    session.undo()
    assert sorted(np.unique(session.labels.data)) == [0, 254]
    if on_disk:
        assert open_saved(tmp_path / "full.ome.zarr").pyramid.dtype == np.uint16


def test_commands_wait_while_labels_are_widened(session, viewer):
    session.labels = viewer.add_labels(np.zeros((200, 240), np.uint8))
    chores = []
    session.asked.connect(lambda work: chores.append(work) if isinstance(work, Chore) else None)
    session.click(50, 50)
    session.widen_labels(wait=False)
    session.commit()
    assert not session.labels.data.any()
    *_, answer = chores[-1].iter_answer()
    session.accept(chores[-1], answer)
    assert session.labels.data.dtype == np.uint16
    assert session.labels.data[50, 50] == 1


def test_labels_can_be_widened_again_at_once_when_the_dock_was_closed(
    session, viewer, tmp_path, monkeypatch, qtbot
):
    monkeypatch.setattr(retype, "iter_copied", slowly(retype.iter_copied))
    session.labels = viewer.add_labels(np.zeros((200, 240), np.uint8))
    keep(session, 50, 50)
    session.save_labels(tmp_path / "cells.ome.zarr")
    for is_last in (False, False, True):
        lanes = Lanes(session)
        lanes.join("dock")
        with qtbot.waitSignal(lanes.progressed, timeout=PATIENCE_MS, check_params_cb=is_widening):
            session.widen_labels(wait=False)
        if not is_last:
            lanes.leave("dock")
            assert not session.is_held_up
    qtbot.waitUntil(lambda: not session.is_held_up, timeout=PATIENCE_MS)
    lanes.stop()
    assert session.labels.data.dtype == np.uint16
    assert keep(session, 100, 150) == 2
    saved = open_saved(tmp_path / "cells.ome.zarr")
    assert saved.pyramid.dtype == np.uint16
    assert np.unique(saved.pyramid.data[:]).tolist() == [0, 1, 2]
    assert len(saved.objects.table) == 2


def is_widening(text):
    return text.startswith("Making room")


def slowly(iter_copied):
    """Take a while after each block."""

    def copy(*args):
        for share in iter_copied(*args):
            yield share
            time.sleep(0.5)

    return copy


# After a crash


def test_what_a_dead_process_left_is_recovered(make_session, picture, tmp_path):
    left = tmp_path / "left"
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import numpy as np
from napari.components import ViewerModel
from disc_model import DiscModel
from napari_sam.widgets.session import session as session_of
viewer = ViewerModel()
viewer.add_image(np.random.default_rng(0).integers(0, 255, (200, 240), dtype=np.uint8))
session = session_of(viewer)
session.model = DiscModel()
session.click(50, 50)
session.commit()
session.click(100, 150)
session.commit()
session.labels.paint((150, 50), 9)
session.click(20, 200)
session.commit()
session.undo()
np.save({str(left)!r}, session.labels.data)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    viewer = ViewerModel()
    viewer.add_image(picture)
    session = make_session(viewer)
    identified(session)
    assert session.recoverable == 2
    session.recover()
    assert np.array_equal(session.labels.data, np.load(f"{left}.npy"))
    assert [record.label for record in session.objects] == [1, 2]
    assert session.recoverable == 0
    assert keep(session, 180, 200) == 11  # 10 was taken once


def test_nothing_is_left_of_labels_that_were_saved_or_removed(make_session, picture, tmp_path):
    for end in ("save", "remove"):
        viewer = ViewerModel()
        viewer.add_image(picture)
        session = make_session(viewer)
        identified(session)
        assert session.recoverable == 0
        keep(session, 50, 50)
        if end == "save":
            session.save_labels(tmp_path / "cells.ome.zarr")
        else:
            viewer.layers.remove(session.labels)
        assert not list((tmp_path / "state").rglob("*.jsonl"))


def test_what_could_not_be_recovered_is_offered_again(session, tmp_path):
    identified(session)
    session._recovery = new_recovery("cells", (200, 240))
    noted: list[Chore] = []
    session.asked.connect(noted.append)
    session.recover(wait=False)
    (recovering,) = noted
    session.drop(recovering)  # as somebody stops it
    assert not session.is_held_up
    assert session._take_identity in [chore.take for chore in noted if isinstance(chore, Chore)]


def test_what_was_left_can_be_discarded(make_session, picture, tmp_path):
    viewer = ViewerModel()
    viewer.add_image(picture)
    session = make_session(viewer)
    identified(session)
    keep(session, 50, 50)
    [journal] = (tmp_path / "state").rglob("*.jsonl")
    journal.with_name(journal.name.replace("-", "-0")).write_bytes(journal.read_bytes())
    other = ViewerModel()
    other.add_image(picture)
    session = make_session(other)
    identified(session)
    assert session.recoverable == 1
    session.discard_recovery()
    assert session.recoverable == 0
    assert list((tmp_path / "state").rglob("*.jsonl")) == [journal]


KILLED = """
import sys
sys.path.insert(0, {here!r})
import numpy as np
from napari.components import ViewerModel
from disc_model import DiscModel
from napari_sam.widgets.session import session as session_of
viewer = ViewerModel()
viewer.add_image(np.zeros((1000, 1000), np.uint8))
session = session_of(viewer)
session.model = DiscModel()
session.open_labels({path!r})
for number in range(session.next_label - 1, 500):
    session.click(20 + 40 * (number // 24), 20 + 40 * (number % 24), step=1)
    session.choose(0)
    assert session.commit() == number + 1
    print(number + 1, flush=True)
"""


@pytest.mark.slow
def test_killed_in_the_middle_of_500_commits_at_most_the_last_is_missing(tmp_path):
    path = tmp_path / "cells.ome.zarr"
    create_labels(path, (1000, 1000))
    rng = np.random.default_rng(0)
    n_kept = n_kills = 0
    script = KILLED.format(here=str(Path(__file__).parent), path=str(path))
    while n_kept < 500:
        process = subprocess.Popen(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, bufsize=1
        )
        for line in process.stdout:
            n_kept = int(line)
            if n_kept % 110 == 0:
                time.sleep(rng.random() * 0.02)
                os.kill(process.pid, signal.SIGKILL)
                n_kills += 1
        process.wait()
        process.stdout.close()
        saved = open_saved(path)
        labels, areas = np.unique(saved.pyramid.data[:], return_counts=True)
        assert n_kept <= labels.max() <= n_kept + 1
        assert labels.tolist() == list(range(labels.max() + 1))
        records = {record.label: record.area for record in saved.objects.table}
        assert records == dict(zip(labels[1:].tolist(), areas[1:].tolist(), strict=True))
        n_kept = int(labels.max())
    assert n_kills >= 4


def test_labels_removed_while_they_are_saved_are_saved_all_the_same(session, viewer, tmp_path):
    keep(session, 50, 50)
    chores = []
    session.asked.connect(lambda work: chores.append(work) if isinstance(work, Chore) else None)
    session.save_labels(tmp_path / "cells.ome.zarr", wait=False)
    saving = chores[-1]
    *_, answer = saving.iter_answer()
    viewer.layers.remove(session.labels)
    session.accept(saving, answer)
    assert "their layer is gone" in session.status
    assert open_saved(tmp_path / "cells.ome.zarr").pyramid.data[50, 50] == 1


# The script


def replay(session, picture, model, *layers):
    """Do what the script says in another viewer; return the session there."""
    layers = [("image", picture, session.image.name), *layers]
    return carry_out(session, layers, model=model)["session"]


def test_the_script_opens_labels_that_were_opened(make_session, picture, model, tmp_path):
    viewer = ViewerModel()
    viewer.add_image(picture, name="cells")
    first = make_session(viewer)
    keep(first, 50, 50)
    first.save_labels(tmp_path / "cells.ome.zarr")
    shutil.copytree(tmp_path / "cells.ome.zarr", tmp_path / "before")
    other = ViewerModel()
    layer = other.add_image(picture, name="cells")
    session = make_session(other)
    session.open_labels(tmp_path / "cells.ome.zarr")
    opened = session.labels
    keep(session, 100, 150)
    layer.name, opened.name = "renamed", "too"
    keep(session, 150, 50)
    expected = np.array(opened.data)
    shutil.rmtree(tmp_path / "cells.ome.zarr")
    shutil.move(tmp_path / "before", tmp_path / "cells.ome.zarr")
    again = replay(session, picture, model)
    assert np.array_equal(np.array(again.labels.data), expected)
    assert [record.label for record in again.objects] == [1, 2, 3]


def test_the_script_opens_labels_with_the_image_that_was_chosen_then(session, viewer, tmp_path):
    create_labels(tmp_path / "cells.ome.zarr", (200, 240))
    session.open_labels(tmp_path / "cells.ome.zarr")
    layer = session.labels
    session.image = viewer.add_image(np.zeros((90, 90), np.uint8), name="other")
    layer.paint((50, 50), 3)
    before, _ = session.script().split("session.open_labels(")
    assert "image = viewer.layers['cells']" in before
    assert before.rindex("session.image = image\n") > before.find("session.image = image_2\n")


def test_the_script_recovers_what_was_recovered(make_session, picture, model, tmp_path):
    viewer = ViewerModel()
    viewer.add_image(picture, name="cells")
    session = make_session(viewer)
    identified(session)
    keep(session, 50, 50)
    [journal] = (tmp_path / "state").rglob("*.jsonl")
    left = journal.with_name(journal.name.replace("-", "-0"))
    left.write_bytes(journal.read_bytes())
    other = ViewerModel()
    other.add_image(picture, name="cells")
    session = make_session(other)
    session.recover()
    assert "session.recover()" in session.script()
    keep(session, 100, 150)
    journal.with_name(journal.name.replace("-", "-1")).write_bytes(journal.read_bytes())
    again = replay(session, picture, model)
    assert np.array_equal(again.labels.data, session.labels.data)


def test_the_script_recovers_what_was_lost_of_labels_of_elsewhere(
    make_session, picture, model, tmp_path
):
    mine = np.zeros(picture.shape, np.uint16)
    mine[:20, :20] = 7

    def opened():
        viewer = ViewerModel()
        viewer.add_image(picture, name="cells")
        session = make_session(viewer)
        session.labels = viewer.add_labels(mine.copy(), name="mine")
        identified(session)
        return viewer, session

    first = opened()  # the viewers are to stay
    keep(first[1], 50, 50)
    [journal] = (tmp_path / "state").rglob("*.jsonl")
    journal.with_name(journal.name.replace("-", "-0")).write_bytes(journal.read_bytes())
    second = opened()
    session = second[1]
    session.recover()
    assert session.labels.data[50, 50]
    keep(session, 100, 150)
    journal.with_name(journal.name.replace("-", "-1")).write_bytes(journal.read_bytes())
    again = replay(session, picture, model, ("labels", mine, "mine"))
    assert np.array_equal(again.labels.data, session.labels.data)


def test_the_script_asks_for_labels_of_elsewhere(session, viewer, picture, model):
    labels = np.zeros((200, 240), np.uint16)
    labels[:20, :20] = 7
    before = labels.copy()
    session.labels = viewer.add_labels(labels, name="mine")
    session.labels.name = "other"
    keep(session, 50, 50)
    assert "labels = viewer.layers['other']  # uint16 of shape (200, 240)" in session.script()
    again = replay(session, picture, model, ("labels", before, "other"))
    assert np.array_equal(again.labels.data, session.labels.data)


def test_a_journal_that_cannot_take_what_was_done_before_is_begun_another_time(
    session, monkeypatch
):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(kept_labels, "new_recovery", refuse)
        assert keep(session, 100, 120) == 1
    kept = session._target.kept
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        kept.begin_journal("this image")
    assert kept._recovery is None
    kept.begin_journal("this image")
    again = np.zeros_like(session.labels.data)
    ObjectJournal.replay(kept._recovery.path, again)
    np.testing.assert_array_equal(again, session.labels.data)


def test_labels_that_are_shown_already_are_not_opened_again(session, tmp_path):
    keep(session, 100, 120)
    session.save_labels(tmp_path / "cells.ome.zarr")
    layer = session.labels
    session.new_labels()
    session.open_labels(tmp_path / "elsewhere" / ".." / "cells.ome.zarr")
    assert session.labels is layer
    assert keep(session, 30, 40) == 2
    session.viewer.layers.remove(layer)
    session.open_labels(tmp_path / "cells.ome.zarr")
    assert session.labels is not layer
    assert len(session.objects) == 2
