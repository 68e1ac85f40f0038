"""Which windows may be looked through without delay."""

from __future__ import annotations

from collections.abc import Collection

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.image.window import Window


class Ready:
    """Tells for one object whether a window is encoded, and remembers those that are not.

    The windows of one object differ by their step. Use one for all questions about it.

    Parameters
    ----------
    embeddings : Embeddings
        The image and the model.
    left_out : collection of float, optional
        Only windows of these steps count as not ready, whatever is encoded: to repeat an answer.

    Attributes
    ----------
    is_repeated : bool
        Whether an answer is to be repeated.
    will_be_soon : bool
        Whether it is worth asking again when a window is ready.
    """

    def __init__(self, embeddings: Embeddings, left_out: Collection[float] | None = None) -> None:
        self._embeddings = embeddings
        self._is_ready = dict.fromkeys(left_out or (), False)
        self._is_asked = self.is_repeated = left_out is not None
        self.will_be_soon = left_out is None and embeddings.model.encodes_quickly

    def __call__(self, window: Window) -> bool:
        """Return whether a window is ready; the same, whenever it is asked."""
        self._is_asked = True
        if window.step not in self._is_ready:
            is_ready = self.is_repeated or self._embeddings.is_encoded(window)
            self._is_ready[window.step] = is_ready
        return self._is_ready[window.step]

    def is_waited_for(self, window: Window) -> bool:
        """Return whether to wait for a window: unless it was not ready when that was asked."""
        return self._is_ready.get(window.step, True)

    @property
    def left_out(self) -> tuple[float, ...] | None:
        """Steps of windows that were not ready; None if that was not asked."""
        if not self._is_asked:
            return None
        return tuple(sorted(step for step, is_ready in self._is_ready.items() if not is_ready))
