"""Layers that change at once: the canvas hears of it once, the layer list not at all."""

from __future__ import annotations

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Labels

from napari_sam.widgets.drawn_once import drawn_once


@pytest.fixture
def layer():
    return ViewerModel().add_labels(np.zeros((1, 1), np.uint8))


@pytest.fixture
def heard(layer):
    heard = []
    layer.events.connect(lambda event: heard.append(event.type))
    return heard


def test_several_changes_are_drawn_once(layer, heard):
    with drawn_once(layer):
        layer.data = np.ones((4, 5), np.uint8)
        layer.translate = (10, 20)
    assert heard.count("set_data") == 1
    assert not {"data", "translate", "thumbnail"} & set(heard)
    assert layer.get_value((13, 24), world=True) == 1


def test_it_is_sliced_once(layer, monkeypatch):
    sliced = []
    slice_it = layer.set_view_slice
    monkeypatch.setattr(layer, "set_view_slice", lambda: (sliced.append(1), slice_it()))
    with drawn_once(layer):
        layer.data = np.ones((4, 5), np.uint8)
        layer.translate = (10, 20)
    assert len(sliced) == 1
    assert layer.extent.data.tolist() == [[0, 0], [3, 4]]


def test_other_axes_are_drawn_too(layer):
    with drawn_once(layer):
        layer.data = np.ones((1, 4, 5), np.uint8)
        layer.translate = (2, 10, 20)
    assert layer.data_to_world((0, 3, 4)) == (2, 13, 24)


def test_after_an_error_the_layer_is_heard_again(layer, heard):
    with pytest.raises(ZeroDivisionError), drawn_once(layer):
        raise ZeroDivisionError
    layer.translate = (1, 1)
    assert "translate" in heard


def test_a_hidden_layer_changes_unseen():
    layer = Labels(np.zeros((1, 1), np.uint8), visible=False)
    with drawn_once(layer):
        layer.data = np.ones((4, 5), np.uint8)
    layer.visible = True
    assert layer.get_value((3, 4)) == 1
