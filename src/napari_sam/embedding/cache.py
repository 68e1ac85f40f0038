"""What memory and disk have in common: both may know the features of a window."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from napari_sam.image.window import Window
from napari_sam.model.features import Features


@runtime_checkable
class FeatureCache(Protocol):
    """Keeps the features of windows: `LRUCache` in memory, `EmbeddingStore` on disk.

    A cache may decline to keep a window, and may lose one that it kept: whoever gets None encodes
    the window, and puts it.
    """

    def get(self, window: Window, /) -> Features | None:
        """Return the features of the window (B = 1), or None if they are not here."""

    def put(self, window: Window, features: Features, /) -> None:
        """Keep the features of the window."""

    def __contains__(self, window: object, /) -> bool:
        """Whether the features of the window seem to be here, without reading them."""
