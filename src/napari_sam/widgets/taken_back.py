"""What napari's own undo and redo do to a Labels layer, which they tell nobody."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod

import numpy as np

from napari_sam.labels.edit import Edit, painted_edits
from napari_sam.widgets.labels_layer import ShownLabels, painted_pixels
from napari_sam.widgets.redrawn import unheard

if TYPE_CHECKING:
    from napari.layers import Labels

Hear = Callable[[list[Edit]], None]

STACKS = {"undo": "_undo_history", "redo": "_redo_history"}


def hear_undo(layer: Labels, hear: Hear) -> None:
    """Have a method told what napari's undo and redo of one layer have changed.

    napari emits `paint` for every stroke, but nothing when it takes one back. Its key binding calls
    ``layer.undo()``, so one that tells is put in its place, on this layer only.

    Parameters
    ----------
    layer : Labels
        It is not kept alive.
    hear : method
        Gets a list of `Edit`; held weakly.
    """
    for name in STACKS:
        setattr(layer, name, partial(_move, weakref.ref(layer), WeakMethod(hear), name))


def _move(reference: weakref.ref[Labels], method: WeakMethod[Hear], name: str) -> None:
    """Undo or redo, as napari does it, and tell what has become different."""
    layer, hear = reference(), method()
    if layer is None:
        return
    stack = getattr(layer, STACKS[name], ())
    shown = ShownLabels(layer)
    edits = list(_iter_touched(stack[-1])) if stack else []
    before = [np.array(shown[edit.region]) for edit in edits]
    with unheard(layer):
        getattr(type(layer), name)(layer)
    if hear is not None:
        after = [np.array(shown[edit.region]) for edit in edits]
        done = [
            Edit(edit.region, old != new, old, new)
            for edit, old, new in zip(edits, before, after, strict=True)
        ]
        hear([edit for edit in done if edit.n_changed])


def _iter_touched(atoms: list[Any]) -> Iterator[Edit]:
    """Yield one edit for each plane that an entry of napari's history is about."""
    indices = [painted_pixels(atom)[0] for atom in atoms]
    where = tuple(np.concatenate(axis) for axis in zip(*indices, strict=True))
    yield from painted_edits(where, 0, 1)
