"""The keys of the plugin, in one table; buttons and tooltips are made from it too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from napari_sam.widgets.key_choices import key_choices, parse_keys
from napari_sam.widgets.tools import Tool

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_sam.widgets.hand import Hand


@dataclass(frozen=True)
class Action:
    """Something that a key and a button do.

    Parameters
    ----------
    name : str
        In the settings.
    title : str
        On the button.
    default_key : str
        As people write it; the user may have chosen another, see `key`.
    tip : str
        What it does, as a sentence.
    command : callable
        What to do with the session of a hand, without waiting for the model.
    """

    name: str
    title: str
    default_key: str
    tip: str
    command: Callable[[Hand], object]

    @property
    def key(self) -> str:
        """The key, as people write it."""
        return key_choices.text(self.name, self.default_key)

    @property
    def tooltip(self) -> str:
        """What it does, and its key."""
        return f"{self.tip} Key: {self.key}."

    def run(self, hand: Hand) -> None:
        """Do it; what cannot be done is said in the status line."""
        with hand.session.telling():
            self.command(hand)


def _keep(hand: Hand) -> None:
    hand.session.commit(wait=False)


def _redo(hand: Hand) -> None:
    hand.session.redo(wait=False)


def _toggle_turbo(hand: Hand) -> None:
    hand.session.turbo = not hand.session.turbo


KEEP = Action(
    "keep",
    "Keep",
    "Enter",
    "Write this object into the labels and begin the next.",
    _keep,
)
DROP = Action(
    "drop",
    "Drop",
    "Escape",
    "Drop the prompts of this object; one that was opened again stays as it was.",
    lambda hand: hand.drop(),
)
UNDO = Action(
    "undo",
    "Undo",
    "Ctrl+Z",
    "Take back the last prompt, or the last object kept or deleted.",
    lambda hand: hand.review.undo(),
)
REDO = Action(
    "redo",
    "Redo",
    "Ctrl+Shift+Z",
    "Do again what was undone.",
    _redo,
)
DELETE = Action(
    "delete",
    "Delete",
    "Delete",
    "Delete the object opened again on all its planes. With the key: or the one under the cursor.",
    lambda hand: hand.delete(),
)
DELETE_HERE = Action(
    "delete_here",
    "Delete here",
    "Shift+Delete",
    "The same, but on this plane only; what the object has on others stays.",
    lambda hand: hand.delete(everywhere=False),
)
FOLLOW = Action(
    "follow",
    "Follow",
    "F",
    "Keep this object and follow it through the planes above and below. With the key: or the kept "
    "one under the cursor.",
    lambda hand: hand.follow(),
)
LARGER = Action(
    "larger",
    "Larger",
    "Up",
    "Take the next larger candidate. Alt + wheel does it too.",
    lambda hand: hand.session.cycle(1),
)
SMALLER = Action(
    "smaller",
    "Smaller",
    "Down",
    "Take the next smaller candidate. Alt + wheel does it too.",
    lambda hand: hand.session.cycle(-1),
)
TURBO = Action(
    "turbo",
    "Turbo",
    "T",
    "A click keeps at once what the outline under the cursor shows.",
    _toggle_turbo,
)
NEXT = Action(
    "next",
    "Next",
    "N",
    "Go to the next object in the dock Objects that nobody has accepted.",
    lambda hand: hand.review.next(),
)
PREVIOUS = Action(
    "previous",
    "Previous",
    "Shift+N",
    "Go back to the object before that nobody has accepted.",
    lambda hand: hand.review.next(-1),
)
ACCEPT = Action(
    "accept",
    "Accept",
    "Y",
    "Note that this object is right, and go to the next.",
    lambda hand: hand.review.accept(),
)
TOOLS = {
    tool: Action(tool.value, tool.value.capitalize(), key, tip, command)
    for tool, key, tip, command in (
        (
            Tool.CLICK,
            "1",
            "Click an object; Shift+click what does not belong to it; click a point to drop it.",
            lambda hand: hand.take(Tool.CLICK),
        ),
        (
            Tool.BOX,
            "2",
            "Draw a rectangle around an object.",
            lambda hand: hand.take(Tool.BOX),
        ),
        (
            Tool.SCRIBBLE,
            "3",
            "Draw a line over an object; with Shift, over what does not belong to it.",
            lambda hand: hand.take(Tool.SCRIBBLE),
        ),
        (
            Tool.LASSO,
            "4",
            "Draw around an object, as roughly as you like.",
            lambda hand: hand.take(Tool.LASSO),
        ),
    )
}
REVIEW = (NEXT, PREVIOUS, ACCEPT)
EDITS = (KEEP, DROP, FOLLOW, UNDO, REDO, DELETE, DELETE_HERE)
ACTIONS = (*EDITS, LARGER, SMALLER, TURBO, *TOOLS.values(), *REVIEW)
"""On the image, while a layer of the plugin is the active one."""

REOPEN = Action(
    "reopen",
    "Reopen",
    "Enter",
    "Open this object again with its prompts, to correct it. A double click on it does it too.",
    lambda hand: hand.review.reopen(),
)
TOGGLE = Action(
    "toggle",
    "Accept or not",
    "Space",
    "Note that this object is right, or not yet, and stay with it.",
    lambda hand: hand.review.toggle(),
)
ABOVE = Action(
    "above",
    "Line above",
    "Up",
    "Go to the object in the line above.",
    lambda hand: hand.review.step(-1),
)
BELOW = Action(
    "below",
    "Line below",
    "Down",
    "Go to the object in the line below.",
    lambda hand: hand.review.step(1),
)
DELETE_LISTED = replace(
    DELETE,
    tip="Make this object background on all its planes.",
    command=lambda hand: hand.review.delete(),
)
DELETE_LISTED_HERE = replace(
    DELETE_HERE,
    tip="Make this object background on the plane shown only.",
    command=lambda hand: hand.review.delete(everywhere=False),
)
LIST_ACTIONS = (
    *(REOPEN, DELETE_LISTED, DELETE_LISTED_HERE, TOGGLE, ABOVE, BELOW),
    *(*REVIEW, UNDO, REDO),
)
"""In the list of the dock *Objects*, about the object of the line chosen there."""


def bind_keys(layer: Layer, hand: Hand) -> None:
    """Bind the keys on one layer of the plugin; they act while that layer is the active one.

    napari asks the active layer first, so keys bound on the viewer would not arrive, and layers
    of the user keep all their own. What was bound before is forgotten.
    """
    layer.keymap = {"Shift": _holding(hand.hold_shift), "Space": _holding(hand.hold_space)}
    for action in reversed(ACTIONS):  # of two with the same key, the first has it
        for binding in parse_keys(action.key):
            layer.bind_key(binding, _pressing(action, hand), overwrite=True)


def _pressing(action: Action, hand: Hand) -> Callable[[Layer], None]:
    """Return the function that a key calls; napari wants one with a name."""

    def press(layer: Layer) -> None:
        action.run(hand)

    return press


def _holding(hold: Callable[[bool], None]) -> Callable[[Layer], Iterator[None]]:
    """Return the generator that napari runs to its first stop, and on when the key is released."""

    def press_and_release(layer: Layer) -> Iterator[None]:
        hold(True)
        yield
        hold(False)

    return press_and_release
