"""The docks of the plugin, by name."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import Any

PARTS = ("automatic_find", "automatic_knobs", "automatic_apply", "automatic", "objects_dock")
"""Modules that other docks than the first are made of, each imported in a few milliseconds."""


def iter_imports() -> Iterator[None]:
    """Import what another dock needs, so that it opens at once."""
    for name in PARTS:
        import_module(f"napari_sam.widgets.{name}")
        yield


def bring_forward(viewer: Any, name: str) -> Any:
    """Show a dock of the plugin on top of the others; opens it if need be; returns its widget.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Without a window, nothing happens.
    name : str
        As in the menu of the plugin.
    """
    if (window := getattr(viewer, "window", None)) is None:
        return None
    dock, widget = window.add_plugin_dock_widget("napari-sam", name)
    dock.show()
    dock.raise_()
    return widget
