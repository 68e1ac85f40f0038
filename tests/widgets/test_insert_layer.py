"""Layers that come while another one is active."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Labels

from napari_sam.widgets.insert_layer import insert_layer


@pytest.fixture
def layers(viewer, picture):
    viewer.add_image(picture)
    viewer.add_points(ndim=2)
    return viewer.layers


@pytest.fixture
def layer(picture):
    return Labels(np.zeros(picture.shape, np.uint8))


def test_the_active_layer_stays_and_nobody_hears_of_it(layers, layer):
    active, heard = layers[1], []
    layers.selection.active = active
    for name in ("active", "changed"):
        getattr(layers.selection.events, name).connect(heard.append)
    insert_layer(layers, 1, layer)
    assert layers.selection.active is active
    assert list(layers.selection) == [active]
    assert layers.index(layer) == 1
    assert not heard


def test_afterwards_it_is_heard_again(layers, layer):
    layers.selection.active, heard = layers[1], []
    insert_layer(layers, 1, layer)
    layers.selection.events.active.connect(heard.append)
    layers.selection.active = layer
    assert heard


def test_without_an_active_layer_it_is_the_new_one(layers, layer):
    layers.selection.clear()
    insert_layer(layers, 2, layer)
    assert layers.selection.active is layer
