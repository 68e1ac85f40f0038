"""Which keys the user wants: from napari's Preferences, page "Segment Anything"."""

from __future__ import annotations

import sys
from typing import Any

from app_model.types import KeyBinding, KeyCode
from psygnal import Signal

PLUGIN = "napari-sam"
SHORT = {"Escape": "Esc", "Delete": "Del", "Backspace": "⌫"}


class KeyChoices:
    """The keys of all actions by name, as texts like "Ctrl+Shift+Z".

    The defaults stand in ``napari.yaml``, from which napari makes the page in its Preferences.

    Attributes
    ----------
    changed : Signal
        Emitted after the user has changed a key.
    """

    changed = Signal()

    def __init__(self) -> None:
        self._heard: Any = None

    def text(self, name: str, default: str) -> str:
        """Return the key of an action; the default, if what the user wrote is no key."""
        text = str(getattr(self._settings(), name, default)).strip()
        return text if parse_key(text) is not None else default

    def _settings(self) -> Any:
        """Return the part of napari's settings with the keys; None, if napari does not know us."""
        from napari.settings import get_plugin_settings

        keys = getattr(get_plugin_settings().get(PLUGIN), "keys", None)
        if keys is not self._heard and keys is not None:
            keys.events.connect(self._on_settings)
            self._heard = keys
        return keys

    def _on_settings(self, event: Any) -> None:
        self.changed.emit()


key_choices = KeyChoices()


def parse_key(text: str) -> KeyBinding | None:
    """Return a key as napari binds it; None, if there is no such key. On a Mac, Ctrl is Cmd."""
    if sys.platform == "darwin":
        text = text.replace("Ctrl", "Meta")
    if not text:
        return None
    binding = KeyBinding.from_str(text)
    is_known = all(part.key not in (None, KeyCode.UNKNOWN) for part in binding.parts)
    return binding if is_known else None


def parse_keys(text: str) -> list[KeyBinding]:
    """Return all that a key stands for; Delete is Backspace too, all that some keyboards have."""
    bindings = map(parse_key, dict.fromkeys((text, text.replace("Delete", "Backspace"))))
    return [binding for binding in bindings if binding is not None]


def short(text: str) -> str:
    """Return a key as it fits on a button."""
    return "+".join(SHORT.get(part, part) for part in text.split("+"))
