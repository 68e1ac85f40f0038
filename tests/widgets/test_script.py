"""The script of a session gives the same labels in another viewer."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel

from napari_sam.masks import Mask, MaskTable
from napari_sam.widgets import painted
from napari_sam.widgets.automatic_find import Finding
from napari_sam.widgets.script_names import _opened
from napari_sam.widgets.session import session as session_of

from .replay import MindfulModel, assert_same, carry_out


@pytest.fixture
def model():
    return MindfulModel()


@pytest.fixture
def given(picture):
    """What is in the viewer in the beginning."""
    return [("image", picture, "cells")]


@pytest.fixture
def session(viewer, make_session, picture):
    viewer.add_image(picture.copy(), name="cells")
    return make_session(viewer)


@pytest.fixture
def check(session, given, model):
    """Carry the script out, compare, and return what it knows."""

    def carry_out_and_compare(layers=None):
        known = carry_out(session, given if layers is None else layers, model=model)
        assert_same(session, known)
        return known

    return carry_out_and_compare


def keep(session, y, x, **how):
    session.click(y, x, **how)
    session.choose(0)
    return session.commit()


def test_the_script_is_short_and_says_what_it_needs(session, check):
    keep(session, 50, 50)
    session.click(100, 100)
    session.clear()
    keep(session, 150, 60)
    session.undo()
    check()
    assert (
        session.script()
        == '''\
"""Repeats by commands what was segmented by hand in napari."""

import napari
import napari_sam

viewer = napari.current_viewer() or napari.Viewer()
session = napari_sam.session(viewer)
session.image, session.step, session.turbo = None, None, False

# No file tells what these are. Have them ready before you run this, as they were in the beginning:
# layers in the viewer, by these names; models as variables.
# model = ...  # 'mindful'
image = viewer.layers['cells']  # uint8 of shape (200, 240)

session.image = image
session.model = model
session.object_diameter = None
session.neighbors = True
session.preferred_rank = None
session.overlap = 'keep'
session.click(50, 50, left_out=(0.5, 2.0))
session.choose(0)
labels = session.new_labels()
session.commit(label=1)

session.click(150, 60, left_out=(0.5, 2.0))
session.choose(0)
'''
    )


def test_it_runs_where_the_work_was_done(session, viewer, model):
    keep(session, 50, 50)
    keep(session, 50, 70)
    session.click(100, 100)
    script, first = session.script(), session.labels
    known = {"model": model}
    with patch("napari.current_viewer", return_value=viewer):
        exec(script, known)
    assert known["session"] is session
    assert known["labels"] is not first
    np.testing.assert_array_equal(known["labels"].data, first.data)


def test_labels_are_widened(session, viewer, check, given):
    few = np.zeros((200, 240), np.uint8)
    few[:4, :4] = 254
    session.labels = viewer.add_labels(few.copy(), name="few")
    keep(session, 50, 50)
    session.widen_labels()
    keep(session, 100, 100)
    known = check([*given, ("labels", few, "few")])
    assert known["labels"].data.dtype == np.uint16
    assert known["labels"].data.max() == 256


def test_labels_are_widened_though_all_objects_are_undone(session, check):
    keep(session, 50, 50)
    session.widen_labels()
    while session.n_steps:
        session.undo()
    assert check()["labels"].data.dtype == np.uint32


def test_strokes_of_napari(session, check):
    keep(session, 50, 50)
    layer = session.labels
    layer.brush_size = 11
    layer.paint((60, 60), 1)
    layer.paint((60, 70), 7)
    layer.fill((50, 50), 5)
    keep(session, 66, 60)
    layer.paint((50, 50), 0)
    check()
    layer.undo()
    check()
    layer.redo()
    session.undo()
    check()
    session.redo()
    check()


def test_a_stroke_that_is_taken_back_is_not_told(session):
    keep(session, 50, 50)
    before = session.script()
    session.labels.paint((90, 90), 4)
    assert "paint(4, " in session.script()
    session.labels.undo()
    assert session.script() == before


def test_strokes_far_apart_are_told_one_by_one(session, check, monkeypatch):
    monkeypatch.setattr(painted, "MOST_PX", 900)
    keep(session, 50, 50)
    places = [(20, 20, 4), (22, 22, 5), (180, 200, 6), (20, 21, 0), (181, 201, 7), (180, 200, 0)]
    for y, x, label in places:
        session.labels.paint((y, x), label)
    assert session.script().count("session.paint(") == 6
    check()


def test_steps_undone_beneath_strokes(session, check):
    keep(session, 50, 50)
    layer = session.labels
    layer.brush_size = 9
    layer.paint((50, 50), 5)
    layer.paint((50, 50), 1)  # as the object was
    layer.paint((40, 50), 0)
    session.undo()
    check()
    layer.paint((50, 50), 3)
    session.redo()
    check()
    keep(session, 52, 52)
    check()


def test_a_step_of_the_history_of_napari_that_was_left_brings_no_record_back(session, check):
    keep(session, 50, 50)
    layer = session.labels
    before = np.array(layer.data)
    layer.undo()
    session.click(90, 90)
    session.clear()  # the way forward is lost
    layer.redo()
    assert np.array_equal(layer.data, before)
    assert not len(session.objects)
    check()


def test_strokes_on_planes(viewer, make_session, model):
    """Of time, channels and depth."""
    stack = np.random.default_rng(0).integers(0, 99, (2, 2, 3, 60, 70), np.uint8)
    viewer.add_image(stack.copy(), name="stack")
    session = make_session(viewer)
    keep(session, 20, 20, plane=(1, 1, 2))
    viewer.dims.set_current_step(0, 1)
    keep(session, 20, 20)
    layer = session.labels
    layer.n_edit_dimensions, layer.brush_size = 3, 9
    layer.paint((1, 0, 2, 40, 40), 3)
    viewer.dims.set_current_step(1, 1)
    keep(session, 30, 30)
    session.delete(1, near={(1, 1, 2): (20, 20)})
    assert_same(session, carry_out(session, [("image", stack, "stack")], model=model))


def test_many_objects_of_any_source(session, check):
    keep(session, 50, 50)
    squares = [Mask.from_array(np.ones((9, 9), bool), y, 180, predicted_iou=0.5) for y in (9, 180)]
    assert session.commit_all(MaskTable.of(squares)) == 2
    session.reopen(2)
    keep(session, 20, 180)
    check()
    assert session.objects.get(3, ()).predicted_iou == 0.5


def test_objects_that_were_found_are_found_again(session, check, monkeypatch):
    table = MaskTable.of([Mask.from_array(np.ones((9, 9), bool), 9, 180)])
    monkeypatch.setattr(Finding, "answer", lambda *_: table)
    source = "session.find((0.0, 0.0, 200.0, 240.0))"
    session.commit_all(session.find((0, 0, 200, 240)), source=source)
    check()
    assert f"session.commit_all({source}, first_label=1)" in session.script()


def test_what_the_labels_are_is_told_apart(session):
    """So a search is repeated only if nobody has changed them since."""
    states = [session.labels_state]
    keep(session, 50, 50)
    states.append(session.labels_state)
    session.labels.paint((100, 100), 5)
    states.append(session.labels_state)
    assert len(set(states)) == 3
    session.click(120, 120)
    assert session.labels_state == states[2]
    keep(session, 120, 120)
    session.undo()
    assert session.labels_state == states[2]


def test_channels_behind_a_slider(viewer, make_session, model):
    stack = np.random.default_rng(0).integers(0, 99, (2, 60, 70), np.uint8)
    viewer.add_image(stack.copy(), name="stack")
    session = make_session(viewer)
    keep(session, 20, 20)
    viewer.dims.axis_labels = ("channel", "y", "x")
    keep(session, 40, 40)
    known = carry_out(session, [("image", stack, "stack")], model=model)
    assert_same(session, known)
    its = known["session"]
    assert its.sliders == session.sliders == "c"
    assert its.predictor.image.channel_axis == session.predictor.image.channel_axis


def test_models_given_as_objects(session, given, model):
    keep(session, 50, 50)
    other = MindfulModel()
    session.model = other
    keep(session, 100, 100)
    script = session.script()
    assert "# model = ...  # 'mindful'\n# model_2 = ...  # 'mindful'\n" in script
    with pytest.raises(NameError, match="model"):
        carry_out(session, given)
    known = carry_out(session, given, model=model, model_2=other)
    assert_same(session, known)
    assert known["session"]._source.model is other


def test_the_scale_of_a_click_is_that_of_then(session, check, model):
    """A model that takes long looks only through windows that are encoded already."""
    session.click(100, 100)
    session.clear()
    embeddings = session.predictor.embeddings
    model.object_samples = (60, 90)
    embeddings.features(embeddings.window_at(100, 100, step=0.5))
    session.click(100, 100)
    if session.candidates.window.step != 0.5:
        session.clear()
        model.liking = -1
        session.click(100, 100)
    assert session.candidates.window.step == 0.5
    session.commit()
    session.hover(100, 160)
    session.click(100, 160)
    session.click(100, 170)
    session.commit()
    check()


def test_prompts_that_were_not_waited_for(session, check):
    """The mask before has no part in an answer, if it was not there when the next prompt came."""
    asked = []
    session.asked.connect(asked.append)
    for y, x in [(50, 50), (50, 70)]:
        session.click(y, x, wait=False)
    for work in asked[-2:]:
        session.accept(work, work.answer())
    alone = session.mask.area
    session.commit()
    session.asked.disconnect()
    check()
    keep(session, 150, 50)
    session.undo()
    session.click(150, 70)
    assert session.mask.area != alone
    session.commit()
    check()


def test_choices_made_between_two_clicks(session, check):
    session.click(50, 50)
    session.click(50, 70)
    session.object_diameter = 15
    session.neighbors = False
    session.commit()
    session.reopen(1)
    session.object_diameter = 30
    session.click(60, 60)
    session.object_diameter = None
    session.commit()
    check()


def test_steps_of_long_ago(session, check):
    session.click(50, 50)
    session.click(50, 60)
    for number in range(60):
        session.scribble([(150, 30 + number), (160, 90)])
    for _ in range(60):
        session.undo()
    session.click(70, 50)
    session.commit()
    check()


def test_turbo_neighbors_and_rules(session, check):
    session.turbo = True
    session.click(50, 50)
    session.click(50, 80)
    session.turbo, session.neighbors, session.overlap = False, False, "replace"
    session.click(60, 70)
    session.cycle(1)
    session.commit()
    session.labels.preserve_labels = True
    keep(session, 70, 90)
    session.overlap = "erase"
    session.labels.preserve_labels = False
    keep(session, 50, 50)
    first, *_, last = session.objects
    session.review(first.label)
    session.delete(last.label)
    check()


def test_two_images_and_their_labels(session, viewer, picture, check, given):
    keep(session, 50, 50)
    first, mine = session.image, session.labels
    session.image = viewer.add_image(picture[:100].copy(), name="half")
    keep(session, 40, 40)
    mine.paint((150, 150), 9)
    session.image = first
    session.labels = mine
    keep(session, 100, 60)
    check([*given, ("image", picture[:100], "half")])


def test_layers_that_are_renamed(session, viewer, check, picture):
    session.image = viewer.layers["cells"]
    session.image.name = "tissue"
    keep(session, 50, 50)
    session.labels.name = "nuclei"
    session.image.name = "organ"
    keep(session, 100, 60)
    check([("image", picture, "organ")])


def test_labels_that_are_removed_or_replaced(session, viewer, check, given, picture):
    keep(session, 50, 50)
    viewer.layers.remove(session.labels)
    keep(session, 60, 60)
    check()
    other = np.zeros((200, 240), np.uint16)
    other[:9, :9] = 5
    session.labels.data = other.copy()
    keep(session, 150, 60)
    check([*given, ("labels", other, session.labels.name)])


def test_other_data_of_an_image(session, check, given, picture):
    keep(session, 50, 50)
    session.image.data = picture[::-1].copy()
    keep(session, 150, 60)
    check([*given, ("image", picture[::-1], "cells [1]")])


def test_labels_of_elsewhere(session, viewer, check, given):
    mine = np.zeros((200, 240), np.int32)
    mine[40:60, 40:60] = 7
    stored = zarr.array(mine)
    session.labels = viewer.add_labels(mine.copy(), name="mine")
    keep(session, 50, 70)
    session.labels = viewer.add_labels(zarr.array(mine), name="stored")
    session.reopen(7, near=(50, 50))
    keep(session, 70, 50)
    keep(session, 150, 70)
    check([*given, ("labels", mine, "mine"), ("labels", stored, "stored")])


def test_labels_that_are_saved_and_opened(session, check, tmp_path):
    keep(session, 50, 50)
    session.save_labels(tmp_path / "cells.ome.zarr")
    session.reopen(1)
    keep(session, 60, 50)
    check()
    assert f"# session.save_labels({str(tmp_path / 'cells.ome.zarr')!r})" in session.script()
    session.viewer.layers.remove(session.labels)
    session.open_labels(tmp_path / "cells.ome.zarr")
    keep(session, 150, 50)
    (tmp_path / "cells.ome.zarr").rename(tmp_path / "old")
    check()


def test_images_and_labels_from_files(make_session, model, picture, tmp_path, plugins):
    tifffile.imwrite(tmp_path / "cells.tif", picture)
    tifffile.imwrite(tmp_path / "mine.tif", np.eye(240, dtype=np.uint16)[:200] * 5)
    viewer = ViewerModel()
    viewer.open(tmp_path / "cells.tif", plugin="napari")
    viewer.layers[0].name = "tissue"
    viewer.open(tmp_path / "mine.tif", plugin="napari", layer_type="labels")
    session = make_session(viewer)
    session.labels = viewer.layers["mine"]
    keep(session, 50, 50)
    assert "image, *_ = viewer.open(" in session.script()
    assert_same(session, carry_out(session, model=model))


def test_a_file_that_is_opened_twice(make_session, model, picture, tmp_path, plugins):
    tifffile.imwrite(tmp_path / "cells.tif", picture)
    viewer = ViewerModel()
    for _ in range(2):
        viewer.open(tmp_path / "cells.tif", plugin="napari")
    session = make_session(viewer)
    session.image = viewer.layers[1]
    keep(session, 50, 50)
    known = carry_out(session, model=model)
    assert_same(session, known)
    assert session._names.known(session.image) == "image"
    assert known["image"] is known["viewer"].layers[1]


@pytest.mark.parametrize(("in_file", "n_opened"), [(1, 3), (2, 2), (3, 1), (4, 1)])
def test_a_file_is_opened_as_often_as_its_layers_need(in_file, n_opened):
    opened = []

    def open_it():
        opened.append(len(opened))
        return [(opened[-1], layer) for layer in range(in_file)]

    known = {"open_it": open_it}
    exec("\n".join(_opened("open_it()", ["image", "_", "image_2"])), known)
    assert len(opened) == n_opened
    assert known["image"] == (0, 0)
    assert known["image_2"] == divmod(2, in_file)


@pytest.fixture
def plugins():
    """As napari's own window has them."""
    from napari.plugins import _initialize_plugins

    _initialize_plugins()


def test_a_sample(make_session, model, plugins):
    viewer = ViewerModel()
    viewer.open_sample("napari-sam", "coins")
    session = make_session(viewer)
    keep(session, 50, 50)
    assert "image, *_ = viewer.open_sample('napari-sam', 'coins')" in session.script()
    assert_same(session, carry_out(session, model=model))


@pytest.mark.slow
def test_a_real_model(plugins):
    viewer = ViewerModel()
    viewer.open_sample("napari-sam", "coins")
    session = session_of(viewer)
    for y, x in [(54, 44), (56, 100), (51, 155)]:
        session.hover(y, x)
        session.click(y, x)
        session.click(y + 5, x + 3)
        session.commit()
    session.scribble([(50, 205), (50, 225)])
    session.click(80, 215, positive=False)
    session.commit()
    session.commit_all(session.find((100, 0, 303, 384)))
    session.reopen(2)
    session.box(30, 75, 82, 126)
    session.commit()
    assert len(session.objects) > 10
    assert_same(session, carry_out(session))


def test_a_number_that_is_taken_is_refused(session):
    keep(session, 50, 50)
    session.click(150, 50)
    with pytest.raises(ValueError, match="from 2 to 65535 here; expected one of them, found 1"):
        session.commit(label=1)
    assert session.commit(label=9) == 9
    assert session.next_label == 10
