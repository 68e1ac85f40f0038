"""What was done by hand, as a Python script that does it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

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
        self._opened: frozenset[str] = frozenset()

    def close(self, chapter: Chapter) -> None:
        """Add a chapter that cannot be undone any more; one without steps is left out."""
        if chapter.steps:
            text, self._opened = chapter.write(self._opened)
            self._chapters.append(text)

    def write(self, chapter: Chapter | None) -> str:
        """Return the script of all chapters, of which this is the last."""
        now = [] if chapter is None else [chapter.write(self._opened)[0]]
        return "\n".join([HEAD, *self._chapters, *now])


@dataclass(frozen=True, eq=False)
class Chapter:
    """What was done on one image.

    Parameters
    ----------
    layer : Image layer
        The image.
    name : str
        What the layer was called when it was opened.
    steps : tuple of Step
        What was done.
    openings : mapping
        How the labels came that were written into, by the expressions that steps name them by.
    labels : str
        The expression for those that are chosen at the end.
    """

    layer: ImageLayer
    name: str
    steps: tuple[Step, ...]
    openings: Mapping[str, str]
    labels: str

    def write(self, opened: frozenset[str]) -> tuple[str, frozenset[str]]:
        """Return the lines that do it again, and what is open then, if some is already."""
        known: dict[str, str] = {}
        seen = set(opened)

        def open_once(text: str) -> list[str]:
            is_new = text not in seen
            seen.add(text)
            return [text] * is_new

        lines = [
            *open_once(opening(self.layer, self.name)),
            f"session.image = {layer_text(self.name)}",
        ]
        lines.append("session.step = None")
        for step in self.steps:
            changed = [item for item in step.choices.items() if item not in known.items()]
            for name, value in changed:
                if name == "labels" and value in self.openings:
                    lines += open_once(self.openings[value])
                lines.append(f"session.{name} = {value}")
            lines += [f"session.{call}" for call in step.calls]
            known.update(changed)
        if self.labels in self.openings:
            lines += open_once(self.openings[self.labels])
        return "\n".join([*lines, ""]), frozenset(seen)


def opening(layer: ImageLayer | Labels, name: str) -> str:
    """Return the lines that open a layer again."""
    source = layer.source
    if source.sample:
        plugin, key = source.sample
        return f"viewer.open_sample({plugin!r}, {key!r})"
    if source.path:
        return f"viewer.open({str(source.path)!r}, plugin={source.reader_plugin!r})"
    kind = type(layer).__name__.lower()
    shape = layer.level_shapes[0] if layer.multiscale else layer.data.shape
    what = "image was" if kind == "image" else "labels were"
    put = "it" if kind == "image" else "them"
    return (
        f"# The {what} not opened from a file. Put {put} here: {layer.dtype} of shape "
        f"{tuple(map(int, shape))}.\nviewer.add_{kind}({kind}, name={name!r})"
    )


def layer_text(name: str) -> str:
    """Return the expression for a layer of the viewer."""
    return f"viewer.layers[{name!r}]"


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
