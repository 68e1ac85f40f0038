"""Two viewers at once touch nothing of each other; but weights are there once."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from qtpy.QtCore import Qt

import napari_sam
from napari_sam.widgets.objects_dock import ObjectsWidget
from napari_sam.widgets.predictor import lazy_model
from napari_sam.widgets.segment import SegmentWidget
from napari_sam.widgets.session import scene

PATIENCE_MS = 10_000  # a busy machine is no failure


@pytest.fixture
def other(make_napari_viewer, picture, model):
    viewer = make_napari_viewer()
    viewer.add_image(picture[::-1].copy(), name="others")
    napari_sam.session(viewer).model = model
    for kind in (SegmentWidget, ObjectsWidget):
        viewer.window.add_dock_widget(kind(viewer))
    return viewer


def state(viewer):
    """All that must not change."""
    session, shown = napari_sam.session(viewer), scene(viewer)
    return (
        session.draft,
        session.hovered,
        session.labels,
        session.image,
        session.model,
        session.status,
        session.script(),
        shown.review.current,
        shown.review.n_reviewed,
        shown.review.n_objects,
        shown.hand.tool,
        shown.hand.cursor.spot,
        [layer.name for layer in viewer.layers],
        viewer.layers.selection.active,
        None if session.labels is None else np.array(session.labels.data).tobytes(),
    )


def test_mouse_and_keys_of_one_are_nothing_to_the_other(window, open_dock, hand, qtbot, other):
    window.window.add_dock_widget(ObjectsWidget(window))
    open_dock()
    mine, its = napari_sam.session(window), napari_sam.session(other)
    its.click(40, 60)
    its.commit()
    its.click(100, 120)
    before = state(other)
    mine.hover(60, 60, wait=False)
    qtbot.waitUntil(lambda: mine.hovered is not None, timeout=PATIENCE_MS)
    hand.click((100, 120))
    qtbot.waitUntil(lambda: mine.mask is not None, timeout=PATIENCE_MS)
    hand.key(Qt.Key.Key_Return)
    assert mine.labels is not None
    scene(window).review.go_to(1)
    scene(window).review.accept()
    assert scene(window).review.n_reviewed == 1
    assert state(other) == before
    window.close()
    assert its.commit() == 2


def test_journals_of_two_viewers_are_two(make_session, picture):
    kept = []
    for _ in range(2):
        viewer = ViewerModel()
        viewer.add_image(picture, name="the same")
        session = make_session(viewer)
        session.adopt_image()
        session.look_for_recovery().do()
        assert session.recoverable == 0  # that of the other is in use
        session.click(100, 120)
        session.commit()
        kept.append((viewer, session))
    paths = {session._target.kept._recovery.path for _, session in kept}
    assert len(paths) == 2


def test_weights_are_shared():
    models = [napari_sam.session(ViewerModel())._source._model for _ in range(2)]
    assert models[0] is models[1] is lazy_model("nano")


def test_one_session_for_the_viewer_and_what_plugins_get_of_it(viewer):
    session = napari_sam.session(viewer)
    assert napari_sam.session(PublicOnlyProxy(viewer)) is session
    assert napari_sam.session(ViewerModel()) is not session
