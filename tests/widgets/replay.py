"""A script of a session, carried out in another viewer."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import torch
from napari.components import ViewerModel
from napari.layers import Labels

from napari_sam.model.features import Features

from .disc_model import DiscModel


class MindfulModel(DiscModel):
    """What it found before, and each window, goes into its answer; it takes long to encode one."""

    name = "mindful"
    object_samples = (40, 64)
    liking = 1

    def encode(self, windows):
        self.n_encoded += len(windows)
        return Features((windows.mean(dim=(1, 2, 3), keepdim=True),))

    def decode(self, features, points=None, labels=None, box=None, mask=None, multimask=True):
        logits, scores = super().decode(features, points, labels, box, mask, multimask)
        whim = float(features.maps[0].ravel()[0]) * 1000 % 1
        logits, scores = logits + 4 * whim, scores * (0.8 + 0.2 * self.liking * whim)
        if mask is not None:
            logits = logits + torch.clamp(mask.reshape(1, 1, *logits.shape[2:]) / 2, -5, 5)
        return logits, scores


def carry_out(session, layers=(), **known):
    """Execute the script of a session in a viewer with some layers; return all names it knows.

    Parameters
    ----------
    layers : iterable of (kind, array, name)
        As they were in the beginning.
    **known
        Models.
    """
    viewer = ViewerModel()
    for kind, array, name in layers:
        getattr(viewer, f"add_{kind}")(array, name=name)
    with patch("napari.current_viewer", return_value=viewer):
        exec(compile(session.script(), "script", "exec"), known)
    assert known["viewer"] is viewer
    return known


def assert_same(session, known):
    """Compare all labels of a viewer with those of a script, and what is known of them."""
    for layer in session.viewer.layers:
        name = session._names.known(layer)
        if isinstance(layer, Labels) and name is not None:
            data = np.asarray(layer.data[0] if layer.multiscale else layer.data)
            layers = known["viewer"].layers
            its = known.get(name) or next(
                (each for each in layers if each.name == layer.name), None
            )
            if its is None:  # it was made, and what was kept in it was undone
                assert not data.any()
                continue
            again = its.data[0] if its.multiscale else its.data
            np.testing.assert_array_equal(np.asarray(again), data, err_msg=name)
            assert again.dtype == data.dtype
    there = known["session"]
    if session.image is not None:
        assert there.image is known[session._names.known(session.image)]
    if session.labels is not None:
        assert there.labels is known[session._names.known(session.labels)]
        assert {each.key for each in there.objects} == {each.key for each in session.objects}
