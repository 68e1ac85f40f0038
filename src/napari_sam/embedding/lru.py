"""A cache that forgets what was used longest ago, bounded in bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Anything that knows how many bytes it holds."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Sized)


class LRUCache(Generic[K, V]):
    """Thread-safe mapping that drops the least recently used values above `max_bytes`.

    A value larger than `max_bytes` is not kept at all, and drops nothing else.
    """

    def __init__(self, max_bytes: int) -> None:
        if max_bytes < 0:
            raise ValueError(f"A cache holds 0 bytes or more, found max_bytes={max_bytes}.")
        self.max_bytes = max_bytes
        self._values: OrderedDict[K, V] = OrderedDict()
        self._nbytes = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return the value and mark it as used now; None if absent."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep `value` as the most recently used, and drop what no longer fits."""
        with self._lock:
            self._drop(key)
            if value.nbytes > self.max_bytes:
                return
            while self._nbytes + value.nbytes > self.max_bytes:
                self._drop(next(iter(self._values)))
            self._values[key] = value
            self._nbytes += value.nbytes

    def keys(self) -> list[K]:
        """Return the keys of all values that are held now, without using them."""
        with self._lock:
            return list(self._values)

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._values.clear()
            self._nbytes = 0

    @property
    def nbytes(self) -> int:
        """Bytes held now, never above `max_bytes`."""
        return self._nbytes

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def _drop(self, key: K) -> None:
        value = self._values.pop(key, None)
        if value is not None:
            self._nbytes -= value.nbytes
