"""How many parts of a pass are done at once in this process, and with how many cores each.

Networks whose layers are small gain little from several threads in torch, and lose much where other
programs want the cores too, for these threads wait for each other after every layer. Tiles do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import torch

from napari_sam.model.base import Model

MAX_THREADS = 4
"""Each with 50 MB or so, and a few hundred where objects are looked for."""


_lock = Lock()
_n_before: list[int] = []
"""How many cores torch had before, for each run that has it take one now."""


def n_cores() -> int:
    """Return how many cores torch may take, but for runs that have it take one."""
    return _n_before[0] if _n_before else torch.get_num_threads()


def default_finders(model: Model) -> int:
    """Return in how many tiles to look for objects at once: as many as torch may take cores, or 4.

    One window is encoded at a time. Where that takes long, torch does it with all cores, and there
    is one tile at a time.
    """
    has_small_layers = model.device.type == "cpu" and model.encodes_quickly
    return min(n_cores(), MAX_THREADS) if has_small_layers else 1


@contextmanager
def one_core() -> Iterator[None]:
    """Let torch compute with one core, within a ``with`` statement: here, and in new threads."""
    with _lock:
        n_before = n_cores()
        _n_before.append(n_before)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _n_before.remove(n_before)
        torch.set_num_threads(n_before)
