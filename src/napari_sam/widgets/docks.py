"""The docks of the plugin, by name."""

from __future__ import annotations

from typing import Any


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
