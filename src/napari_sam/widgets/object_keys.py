"""Which key of the plugin's own has been pressed in a list."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from app_model.backends.qt import qkey2modelkey, qmods2modelmods
from app_model.types import KeyBinding

from napari_sam.widgets.key_choices import parse_keys

if TYPE_CHECKING:
    from qtpy.QtGui import QKeyEvent

    from napari_sam.widgets.keys import Action


def action_of(event: QKeyEvent, actions: Iterable[Action]) -> Action | None:
    """Return the first of some actions whose key has been pressed; None, if it is no one's."""
    pressed = KeyBinding.from_int(qmods2modelmods(event.modifiers()) | qkey2modelkey(event.key()))
    return next((action for action in actions if pressed in parse_keys(action.key)), None)
