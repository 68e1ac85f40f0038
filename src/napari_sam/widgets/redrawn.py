"""A Labels layer that others have drawn anew, as they do who write into its array."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

if TYPE_CHECKING:
    from napari.layers import Labels

Hear = Callable[[], None]


def hear_redrawn(layer: Labels, hear: Hear) -> None:
    """Have a method told when all of a layer is drawn anew.

    napari tells nobody what is written into an array, but then it has to be drawn by
    ``layer.refresh()``. So one that tells is put in its place, on this layer only.

    Parameters
    ----------
    layer : Labels
        It is not kept alive.
    hear : method
        Held weakly.
    """
    layer.refresh = partial(_refresh, weakref.ref(layer), WeakMethod(hear))


@contextmanager
def unheard(layer: Labels) -> Iterator[None]:
    """Tell nobody meanwhile: what is written is known."""
    telling = layer.refresh
    layer.refresh = partial(type(layer).refresh, layer)
    try:
        yield
    finally:
        layer.refresh = telling


def _refresh(
    reference: weakref.ref[Labels], method: WeakMethod[Hear], event: Any = None, **what: bool
) -> None:
    """Draw a layer, as napari does it, and tell, unless only some of it is to be drawn.

    Nor is it told while napari shows what has been painted: labels larger than a texture are all
    drawn for that.
    """
    layer, hear = reference(), method()
    if layer is not None:
        type(layer).refresh(layer, event, **what)
        if hear is not None and not what and not layer.events.labels_update._emitting:
            hear()
