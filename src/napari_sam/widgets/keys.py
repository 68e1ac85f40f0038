"""The keys of the plugin, in one table; buttons and tooltips are made from it too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app_model.types import KeyCode, KeyMod

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_sam.widgets.segment_session import SegmentSession


@dataclass(frozen=True)
class Action:
    """Something that a key and a button do.

    Parameters
    ----------
    title : str
        On the button.
    key : int
        As napari binds it.
    key_text : str
        As people read it.
    tip : str
        What it does, as a sentence.
    command : callable
        What to do with the session, without waiting for the model.
    """

    title: str
    key: int
    key_text: str
    tip: str
    command: Callable[[SegmentSession], object]

    def run(self, session: SegmentSession) -> None:
        """Do it; what cannot be done is said in the status line."""
        with session.telling():
            self.command(session)


KEEP = Action(
    "Keep",
    KeyCode.Enter,
    "Enter",
    "Write this object into the labels and begin the next.",
    lambda session: session.commit(wait=False),
)
UNDO = Action(
    "Undo",
    KeyMod.CtrlCmd | KeyCode.KeyZ,
    "Ctrl+Z",
    "Take back the last click, box or kept object.",
    lambda session: session.undo(wait=False),
)
REDO = Action(
    "Redo",
    KeyMod.CtrlCmd | KeyMod.Shift | KeyCode.KeyZ,
    "Ctrl+Shift+Z",
    "Do again what was undone.",
    lambda session: session.redo(wait=False),
)
DROP = Action(
    "Drop",
    KeyCode.Escape,
    "Esc",
    "Drop the clicks and the box of this object.",
    lambda session: session.clear(),
)
ACTIONS = (KEEP, UNDO, REDO, DROP)


def bind_keys(layer: Layer, session: SegmentSession) -> None:
    """Bind the keys on one layer of the plugin; they act while that layer is the active one.

    napari asks the active layer first, so keys bound on the viewer would not arrive, and layers
    of the user keep all their own.
    """
    for action in ACTIONS:
        layer.bind_key(action.key, _pressing(action, session), overwrite=True)


def _pressing(action: Action, session: SegmentSession) -> Callable[[Layer], None]:
    """Return the function that a key calls; napari wants one with a name."""

    def press(layer: Layer) -> None:
        action.run(session)

    return press
