"""Sessions without a dock, in labels of the user's own, are killed: nothing is lost."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr
from napari.components import ViewerModel

from napari_sam.labels.block_mode import block_mode
from napari_sam.widgets.lanes import Lanes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is killed there so")

PATIENCE_MS = 30_000  # a busy machine is no failure

WORK = """
import os, sys
sys.path.insert(0, {here!r})
import numpy as np
import zarr
from napari.components import ViewerModel
from disc_model import DiscModel
from test_labels_killed import draw_base, draw_picture
from napari_sam.widgets.session import session as session_of
viewer = ViewerModel()
viewer.add_image(draw_picture())
session = session_of(viewer)
session.model = DiscModel()
"""

KEEP = """
for number in range({n}):
    session.click(20 + 40 * (number // 24), 20 + 40 * (number % 24), step=1)
    session.choose(0)
    print(session.commit(), flush=True)
"""

ADOPT = {
    "numpy": "layer = viewer.add_labels(draw_base(), name='mine')",
    "numpy levels": (
        "from napari_sam.labels.block_mode import block_mode\n"
        "base = draw_base()\n"
        "layer = viewer.add_labels([base, block_mode(base, (3, 3))], multiscale=True, name='mine')"
    ),
    "zarr": "layer = viewer.add_labels(zarr.open_array({path!r}), name='mine')",
}


def draw_picture():
    return np.zeros((1000, 1000), np.uint8)


def draw_base():
    """Return labels that somebody else has made: a grid that objects run into."""
    base = np.zeros((1000, 1000), np.uint16)
    base[13:900:40, 10:980] = 30
    return base


def run(script, n_lines=None, state=None):
    """Have a script killed when it has said so many lines, or by itself; return what it said."""
    command = [sys.executable, "-c", script]
    said = []
    env = os.environ | ({} if state is None else {"XDG_STATE_HOME": str(state)})
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, bufsize=1, env=env) as process:
        for line in process.stdout:
            said.append(line.strip())
            if len(said) == n_lines:
                process.send_signal(signal.SIGKILL)
        error = process.stderr.read()
    assert process.returncode == -signal.SIGKILL, error
    return said


@pytest.fixture
def open_session(make_session):
    viewers = []  # sessions do not keep them

    def open_it():
        viewers.append(ViewerModel())
        viewers[-1].add_image(draw_picture())
        return make_session(viewers[-1])

    return open_it


def add(session, kind, path):
    match kind:
        case "numpy":
            return session.viewer.add_labels(draw_base(), name="mine")
        case "numpy levels":
            levels = [draw_base(), block_mode(draw_base(), (3, 3))]
            return session.viewer.add_labels(levels, multiscale=True, name="mine")
    return session.viewer.add_labels(zarr.open_array(path), name="mine")


def finest(layer):
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)


@pytest.mark.parametrize("kind", ["made here", *ADOPT])
@pytest.mark.parametrize(
    ("n_kept", "n_in_all"), [(30, 60), pytest.param(400, 500, marks=pytest.mark.slow)]
)
def test_killed_in_the_middle_of_commits_at_most_the_last_is_missing(
    open_session, tmp_path, kind, n_kept, n_in_all
):
    path = tmp_path / "mine.zarr"
    if kind == "zarr":
        array = zarr.create_array(path, shape=(1000, 1000), chunks=(128, 128), dtype="uint16")
        array[...] = draw_base()
    adopt = ADOPT.get(kind, "").format(path=str(path))
    adopt += "\nsession.labels = layer\n" if adopt else ""
    script = WORK.format(here=str(Path(__file__).parent)) + adopt + KEEP.format(n=n_in_all)
    said = run(script, n_kept)
    first = 1 if kind == "made here" else 31
    session = open_session()
    if kind != "made here":
        session.labels = add(session, kind, path)
    if kind != "zarr":
        session.recover()
    labels = finest(session.labels)
    n_there = int(labels.max()) - first + 1
    assert len(said) <= n_there <= len(said) + 1
    expected = np.zeros((1000, 1000), bool) if kind == "made here" else draw_base() == 30
    np.testing.assert_array_equal(labels == 30, expected | ((labels == 30) & (first == 1)))
    found, areas = np.unique(labels[labels >= first], return_counts=True)
    records = {record.label: record.area for record in session.objects}
    assert records == dict(zip(found.tolist(), areas.tolist(), strict=True))
    assert kind == "made here" or session.labels.name == "mine"
    session.click(930, 930, step=1)
    assert session.commit() == first + n_there


CHANGE = """
layer = viewer.add_labels(draw_base(), name='mine')
session.labels = layer
session.click(500, 500, step=1)
session.commit()
layer.selected_label, layer.brush_size = 77, 9
layer.paint((700, 700), 77)
session.click(500, 600, step=1)
session.commit()
session.delete(30, near=(13, 50))
session.undo()
session.reopen(31)
session.click(520, 500, step=1)
session.commit()
np.save({left!r}, layer.data)
os.kill(os.getpid(), 9)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """What a session has left that was killed: its labels, and its folder of state."""
    folder = tmp_path_factory.mktemp("killed")
    path = str(folder / "left.npy")
    run((WORK + CHANGE).format(here=str(Path(__file__).parent), left=path), state=folder / "state")
    return np.load(path), folder / "state"


@pytest.fixture
def left(killed, tmp_path):
    """The labels that a session has left that was killed."""
    labels, state = killed
    shutil.copytree(state, tmp_path / "state")
    return labels


def test_changes_are_made_again_over_labels_of_the_same_name(open_session, left):
    session = open_session()
    session.viewer.add_labels(np.zeros((1000, 1000), np.uint8), name="other")
    mine = session.viewer.add_labels(draw_base(), name="mine")
    session.recover()
    assert session.labels is mine
    np.testing.assert_array_equal(mine.data, left)
    assert {record.label for record in session.objects} == {31, 78}
    assert mine.editable
    assert "Recovered 3 objects in 'mine'." in session.status
    assert session.recoverable == 0
    session.click(800, 800, step=1)
    assert session.commit() == 79


def test_one_after_the_other_is_recovered(open_session, left, tmp_path):
    [journal] = (tmp_path / "state").rglob("*.jsonl")
    shutil.copyfile(journal, journal.with_name(journal.name.replace("-", "-0")))
    session = open_session()
    mine = session.viewer.add_labels(draw_base(), name="mine")
    session.recover()
    np.testing.assert_array_equal(mine.data, left)
    session.recover()
    assert session.labels is not mine
    assert session.labels.data[500, 500] == 31
    session.recover()
    assert session.status == "There is nothing to recover."


def test_or_over_those_that_are_chosen(open_session, left):
    session = open_session()
    session.labels = session.viewer.add_labels(draw_base(), name="another name")
    session.recover()
    np.testing.assert_array_equal(session.labels.data, left)


def test_what_has_been_put_there_since_stays(open_session, left):
    session = open_session()
    base = draw_base()
    base[495:505, 480:520] = 99
    session.labels = session.viewer.add_labels(base.copy(), name="mine")
    session.recover()
    labels = session.labels.data
    np.testing.assert_array_equal(labels[base == 99], 99)
    np.testing.assert_array_equal(labels[base != 99], left[base != 99])


def test_labels_that_have_been_worked_on_are_left_alone(open_session, left):
    """Numbers may have been given twice."""
    session = open_session()
    mine = session.labels = session.viewer.add_labels(draw_base(), name="mine")
    session.click(800, 800, step=1)
    session.commit()
    before = mine.data.copy()
    session.recover()
    assert session.labels is not mine
    np.testing.assert_array_equal(mine.data, before)
    is_new = (left > 30) & (draw_base() == 0)
    np.testing.assert_array_equal(session.labels.data[is_new], left[is_new])


def test_without_the_labels_a_new_layer_has_the_new_objects(open_session, left):
    session = open_session()
    session.recover()
    assert session.labels.name == "Image labels"
    labels, is_new = session.labels.data, left > 30
    np.testing.assert_array_equal(labels[is_new], left[is_new])
    assert np.unique(labels).tolist() == [0, 30, 31, 77, 78]  # 30 was removed, and put back
    session.reopen(78)
    assert session.draft.prompts.points.tolist() == [[500, 600]]


def test_labels_whose_numbers_do_not_suffice_are_refused_and_it_is_offered_again(
    open_session, tmp_path
):
    many = CHANGE.replace("draw_base()", "draw_base() * 10").replace("near=(13", "near=(13")
    many = many.replace("delete(30", "delete(300").replace("reopen(31)", "reopen(301)")
    path = str(tmp_path / "left.npy")
    run((WORK + many).format(here=str(Path(__file__).parent), left=path))
    session = open_session()
    mine = session.viewer.add_labels(draw_base().astype(np.uint8), name="mine")
    with pytest.raises(ValueError, match="are uint8, but numbers up to 302 are to be recovered"):
        session.recover()
    assert mine.editable
    assert session.recoverable == 3
    session.viewer.layers.remove(mine)
    session.recover()
    assert session.labels.data.max() == 302


def test_recovery_is_left_in_a_thread_and_commands_wait_for_it(open_session, left, qtbot):
    session = open_session()
    mine = session.viewer.add_labels(draw_base(), name="mine")
    session.adopt_image()
    session.look_for_recovery().do()
    lanes = Lanes(session)
    lanes.join("dock")
    session.recover(wait=False)
    assert session.is_held_up
    assert not mine.editable
    session.delete(30, near=(13, 50))
    qtbot.waitUntil(lambda: not session.is_held_up, timeout=PATIENCE_MS)
    lanes.stop()
    assert mine.editable
    assert session.labels is mine
    np.testing.assert_array_equal(mine.data[100:], left[100:])
    assert not (mine.data[13, 10:980] == 30).any()
