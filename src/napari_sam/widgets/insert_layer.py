"""Layers that come while the user works with another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.components import LayerList
    from napari.layers import Layer


def insert_layer(layers: LayerList, index: int, layer: Layer) -> None:
    """Insert a layer; the active one, if there is one, stays so.

    napari makes the new layer the active one. Nobody hears of it, as nobody is to hear of the way
    back: each costs it 15 ms, for the controls and the buttons of the layer.
    """
    active = layers.selection.active
    if active is None:
        layers.insert(index, layer)
        return
    with layers.selection.events.blocker_all():
        layers.insert(index, layer)
        layers.selection.active = active
