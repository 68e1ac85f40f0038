"""The session of a viewer, from the console or from a widget."""

from __future__ import annotations

import weakref
from typing import Any

from napari_sam.widgets.layers import unwrap
from napari_sam.widgets.scene import Scene
from napari_sam.widgets.segment_session import SegmentSession

_SCENES: weakref.WeakKeyDictionary[Any, Scene] = weakref.WeakKeyDictionary()


def session(viewer: Any) -> SegmentSession:
    """Return the segmentation session of a viewer; makes it when first asked.

    Parameters
    ----------
    viewer : napari.Viewer, ViewerModel, or the proxy that napari hands to plugins
        Two viewers have two sessions, which share nothing.

    Examples
    --------
    >>> s = napari_sam.session(viewer)
    >>> s.click(120.5, 340)
    >>> s.commit()
    1
    """
    return scene(viewer).session


def scene(viewer: Any) -> Scene:
    """Return what the session of a viewer shows in it."""
    viewer = unwrap(viewer)
    if viewer not in _SCENES:
        _SCENES[viewer] = Scene(SegmentSession(viewer))
    return _SCENES[viewer]
