"""The names that layers came with; users may rename them."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer


class FirstNames:
    """Remembers what the layers of a viewer were called when they came; so a script finds them.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Not kept.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._names: weakref.WeakKeyDictionary[Layer, str] = weakref.WeakKeyDictionary()
        for layer in viewer.layers:
            self._names[layer] = layer.name
        viewer.layers.events.inserted.connect(self._on_inserted)

    def of(self, layer: Layer) -> str:
        """Return the first name that is known of a layer."""
        return self._names.get(layer, layer.name)

    def _on_inserted(self, event: Any) -> None:
        self._names.setdefault(event.value, event.value.name)
