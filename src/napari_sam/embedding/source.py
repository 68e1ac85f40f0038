"""Where features come from: memory, a store, or the encoder, which several threads share."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from contextlib import suppress

import torch

from napari_sam.embedding.lru import LRUCache
from napari_sam.embedding.store import EmbeddingStore
from napari_sam.embedding.turns import EncoderTurns, Encoding, Waiter
from napari_sam.image.image import Image
from napari_sam.image.window import Window
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.interrupt import Interrupted, count_stops, give_way
from napari_sam.model.memory import is_out_of_memory


class FeatureSource:
    """Finds or makes the features of windows, never those of one window twice at once.

    Parameters
    ----------
    image : Image
        What is read.
    model : Model
        What encodes it.
    cache : LRUCache
        The memory.
    store : EmbeddingStore or None
        The disk; None after `get` has found that it takes no more, in whichever thread.

    Attributes
    ----------
    tile_bytes : int or None
        Memory that the features of a window take; None before the first one.
    turns : EncoderTurns
        Of those who want to encode.
    """

    def __init__(
        self,
        image: Image,
        model: Model,
        cache: LRUCache[Window, Features],
        store: EmbeddingStore | None,
    ) -> None:
        self.image = image
        self.model = model
        self.cache = cache
        self.store = store
        self.tile_bytes: int | None = None
        self._pending: dict[Window, Encoding] = {}
        self._lock = threading.Lock()
        self.turns = EncoderTurns(count_stops(model))

    def get(self, window: Window) -> Features:
        """Return features; see `Embeddings.features`."""
        here = Waiter.here()
        while True:
            give_way()
            with self._lock:
                cached = self.cache.get(window)
                if cached is not None:
                    return cached
                is_first = window not in self._pending
                encoding = self._pending.setdefault(window, Encoding())
                encoding.waiting.append(here)
                encoding.in_memory = True
            if is_first and (failure := self._fulfil(window, encoding)):
                self.store = None
                warnings.warn(f"{failure} Features are kept in memory only now.", stacklevel=3)
            with suppress(Interrupted):  # it was being given up when we began to wait
                return encoding.features.result()

    def prefetch(self, window: Window, is_unwanted: Callable[[], bool], in_memory: bool) -> bool:
        """Have features made that nobody waits for yet; see `Embeddings.prefetch`."""
        store = self.store
        in_memory = in_memory or store is None
        with self._lock:
            is_there = self.cache.get(window) is not None or window in self._pending
            if is_there or (store and not in_memory and window in store):
                return False
            encoding = self._pending[window] = Encoding([], is_unwanted, in_memory)
        failure = self._fulfil(window, encoding)
        encoding.features.result()
        if failure is not None:
            raise failure
        return encoding.is_needed

    def encode(self, window: Window, encoding: Encoding | None = None) -> Features:
        """Encode a window when its turn comes."""
        samples = torch.from_numpy(self.image.read(window))[None]
        with self.turns.take(encoding or Encoding([Waiter.here()])):
            return self.model.encode(samples)

    def _fulfil(self, window: Window, encoding: Encoding) -> OSError | ValueError | None:
        """Find or make features, and tell all who wait; return why they can't be stored, if so."""
        failure = None
        try:
            features = self._restore(window)
            if features is None:
                encoding.is_needed = True
                features = self.encode(window, encoding)
                features, failure = self._keep(window, features)
        except BaseException as error:
            with self._lock:
                del self._pending[window]
            encoding.features.set_exception(error)
            return None
        self.tile_bytes = features.nbytes
        with self._lock:
            if encoding.in_memory:
                self.cache.put(window, features)
            del self._pending[window]
        encoding.features.set_result(features)
        return failure

    def _restore(self, window: Window) -> Features | None:
        store = self.store
        found = None if store is None else store.get(window)
        return found and self._on_device(found)

    def _keep(
        self, window: Window, features: Features
    ) -> tuple[Features, OSError | ValueError | None]:
        """Store features; return them as they will be found, so that nothing tells when they were.

        And why they can't be stored, if so.
        """
        store = self.store
        try:
            if store is not None:
                features = self._on_device(store.put(window, features))
        except (OSError, ValueError) as error:
            return features, error
        return features, None

    def _on_device(self, features: Features) -> Features:
        """Return features where the model is; where they are, if there is no room for more."""
        try:
            return Features(tuple(m.to(self.model.device) for m in features.maps))
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            return features
