"""What was done by hand, as a Python script that does it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

    from napari_sam.widgets.history import Step

HEAD = '''\
"""Repeats by commands what was segmented by hand in napari."""

from math import inf

import napari
import napari_sam
from napari_sam.masks import Thresholds

viewer = napari.Viewer()
session = napari_sam.session(viewer)
'''


class Transcript:
    """What was done on the images of a session, one after the other.

    Keeps text only, so that images, labels and masks of before can be let go.
    """

    def __init__(self) -> None:
        self._chapters: list[str] = []

    def close(self, layer: ImageLayer, steps: Iterable[Step]) -> None:
        """Add a chapter that cannot be undone any more; one without steps is left out."""
        if done := tuple(steps):
            self._chapters.append(_chapter(layer, done))

    def write(self, layer: ImageLayer | None, steps: Iterable[Step]) -> str:
        """Return the script of all chapters, the last of which are `steps` on `layer`."""
        now = [] if layer is None else [_chapter(layer, steps)]
        return "\n".join([HEAD, *self._chapters, *now])


def _chapter(layer: ImageLayer, steps: Iterable[Step]) -> str:
    """Return the lines that do some steps again on one image."""
    known: dict[str, str] = {}
    lines = [opening(layer), "session.step = None"]
    for step in steps:
        changed = [item for item in step.choices.items() if item not in known.items()]
        lines += [f"session.{name} = {value}" for name, value in changed]
        lines += [f"session.{call}" for call in step.calls]
        known.update(changed)
    return "\n".join([*lines, ""])


def opening(layer: ImageLayer) -> str:
    """Return the lines that open an image layer again and choose it."""
    source = layer.source
    if source.sample:
        plugin, key = source.sample
        opened = f"viewer.open_sample({plugin!r}, {key!r})"
    elif source.path:
        opened = f"viewer.open({str(source.path)!r}, plugin={source.reader_plugin!r})"
    else:
        shape = layer.level_shapes[0] if layer.multiscale else layer.data.shape
        opened = (
            f"# The image was not opened from a file. Put it here: {layer.dtype} of shape "
            f"{tuple(map(int, shape))}.\nviewer.add_image(image, name={layer.name!r})"
        )
    return f"{opened}\nsession.image = viewer.layers[{layer.name!r}]"


def call_text(command: str, *args: Any, **kwargs: Any) -> str:
    """Return the call of a command as Python reads it; arguments that are None are left out."""
    given = [_literal(arg) for arg in args]
    given += [f"{name}={_literal(arg)}" for name, arg in kwargs.items() if arg is not None]
    return f"{command}({', '.join(given)})"


class Code(str):
    """An expression, as an argument of a call."""

    __slots__ = ()


def _literal(value: Any) -> str:
    """Return a value without numpy's types."""
    if isinstance(value, Code):
        return str(value)
    return repr(_plain(value))


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple):
        return tuple(map(_plain, value))
    if isinstance(value, Mapping):
        return {_plain(key): _plain(each) for key, each in value.items()}
    return value
