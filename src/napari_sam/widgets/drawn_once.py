"""Several changes of a layer that are drawn once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.layers import Layer


@contextmanager
def drawn_once(layer: Layer) -> Iterator[None]:
    """Change data, place and colors of a layer of the plugin that lies within its image.

    After each of these changes napari would slice and draw the layer, work out the sliders, and
    paint the list of layers, some 4 ms a change. Here the layer is sliced and drawn once, at the
    end, and nobody but the canvas hears of it: so the layer keeps its thumbnail, and may not reach
    out of the image.
    """
    with layer.events.blocker_all(), layer._block_refresh():
        yield
        layer._clear_extent()
    layer.refresh(thumbnail=False, highlight=False, extent=False)
