"""An array that grows at its end without being copied, while others hold what it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPARE = 8
"""One part in so many is left free behind the values, for those that come."""


@dataclass
class _Room:
    """Memory, and how much of it any array has used so far."""

    memory: NDArray[Any]
    n_used: int


class GrowingArray:
    """An array of one axis that never changes: a splice makes another one.

    What is added behind the last value goes into spare room that both share, and costs nothing
    else; any other splice costs a copy.

    Parameters
    ----------
    values : (N,) array
        Not to be changed by anybody.
    """

    def __init__(self, values: NDArray[Any], room: _Room | None = None) -> None:
        self.values = values
        self._room = room or _Room(values, len(values))

    def splice(self, start: int, stop: int, new: NDArray[Any]) -> GrowingArray:
        """Return the array with other values in place of those from `start` to before `stop`."""
        n_old, n_new = len(self.values), len(self.values) + len(new) - (stop - start)
        room = self._room
        if stop == n_old and not len(new):
            return GrowingArray(self.values[:start], room)
        if start == n_old == room.n_used and n_new <= len(room.memory):
            room.memory[n_old:n_new] = new
            room.n_used = n_new
            return GrowingArray(room.memory[:n_new], room)
        room = _Room(np.empty(n_new + n_new // SPARE, self.values.dtype), n_new)
        _copy(self.values[:start], room.memory[:start])
        room.memory[start : start + len(new)] = new
        _copy(self.values[stop:], room.memory[start + len(new) : n_new])
        return GrowingArray(room.memory[:n_new], room)


def _copy(source: NDArray[Any], target: NDArray[Any]) -> None:
    """Copy bytes, which takes half the time that the fields of a structured array take."""
    if len(source):
        target.view(np.uint8)[:] = np.ascontiguousarray(source).view(np.uint8)
