"""What is closed or removed is let go: viewers, images, features, labels."""

from __future__ import annotations

import gc
import os
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel

import napari_sam
from napari_sam.labels.journal import ObjectJournal
from napari_sam.widgets import kept_labels
from napari_sam.widgets.session import scene


def collect():
    for _ in range(3):
        gc.collect()


def alive(references):
    collect()
    return [name for name, reference in references.items() if reference() is not None]


def refer(**things):
    return {name: weakref.ref(thing) for name, thing in things.items()}


def make_object(session):
    """Do everything once."""
    session.hover(100, 120)
    session.click(100, 120)
    session.click(100, 140, positive=False)
    session.commit()
    session.undo()
    session.redo()
    session.box(20, 20, 60, 60)


def parts_of(session):
    """All that is large, or holds something large."""
    return refer(
        image=session.image,
        pixels=session.image.data,
        predictor=session.predictor,
        embeddings=session.predictor.embeddings,
        labels=session.labels,
        ids=session.labels.data,
        candidates=session.candidates,
        mask=session.mask,
    )


def open_and_use(model, picture):
    viewer = ViewerModel()
    viewer.add_image(picture.copy())
    session = napari_sam.session(viewer)
    session.model = model
    make_object(session)
    return parts_of(session) | refer(viewer=viewer, session=session, scene=scene(viewer))


def test_a_viewer_takes_all_with_it(model, picture):
    assert alive(open_and_use(model, picture)) == []


@pytest.mark.parametrize("is_replaced_first", [False, True])
def test_an_image_that_is_removed_is_let_go(viewer, make_session, picture, is_replaced_first):
    viewer.add_image(picture.copy(), name="cells")
    session = make_session(viewer)
    make_object(session)
    parts = parts_of(session)
    if is_replaced_first:
        session.image = viewer.add_image(picture.copy(), name="other")
    viewer.layers.remove("cells")
    viewer.layers.remove("cells labels")
    if not is_replaced_first:
        viewer.add_image(picture.copy(), name="other")
    session.click(100, 120)
    assert session.image.name == "other"
    assert alive(parts) == []
    assert "session.click(100, 120" in session.script()  # yet it is told


def test_other_data_let_those_before_go(viewer, make_session, picture):
    layer = viewer.add_image(picture.copy(), name="cells")
    session = make_session(viewer)
    make_object(session)
    parts = parts_of(session)
    for kept in ("image", "labels", "ids"):
        del parts[kept]
    layer.data = picture.copy()
    session.click(100, 120)
    assert alive(parts) == []


def test_pixels_that_wait_for_a_journal_take_little_memory(
    viewer, make_session, picture, monkeypatch
):
    """As where its folder cannot be written."""

    def refuse(*args):
        raise PermissionError("No.")

    monkeypatch.setattr(kept_labels, "new_recovery", refuse)
    viewer.add_image(picture)
    session = make_session(viewer)
    edits = []
    session.objects_changed.connect(lambda change: edits.extend(map(weakref.ref, change.edits)))
    for x in (60, 120, 180):
        session.click(100, x)
        session.commit()
    session._history.clear()
    assert scene(viewer).review.n_objects == 3  # the list lets go of changes when it is looked at
    assert alive(dict(enumerate(edits))) == []
    monkeypatch.undo()
    kept, n_syncs = session._target.kept, []
    monkeypatch.setattr(os, "fsync", n_syncs.append)
    kept.begin_journal("this image")
    assert len(n_syncs) == 1
    again = np.zeros_like(session.labels.data)
    ObjectJournal.replay(kept._recovery.path, again)
    np.testing.assert_array_equal(again, session.labels.data)
