"""How much of an image to work on at a time, and how to keep the memory that this takes."""

from __future__ import annotations

import ctypes
import sys

import torch

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""What the C library calls them in malloc.h."""

KEPT_BYTES = 32 << 20
"""The largest that it takes for the latter."""

MAX_HIDDEN_ELEMENTS = 1 << 20
"""Hidden layers of about this many numbers stay in a CPU's cache.

Larger ones, moreover, are returned to the system after each use and asked for anew, which can cost
more time than the arithmetic.
"""


def at_a_time(x: torch.Tensor, n_parts: int, hidden_elements: int) -> int:
    """Return how many of a tensor's parts to work on together.

    Parameters
    ----------
    x : torch.Tensor
        What is cut into parts.
    n_parts : int
        How many there are.
    hidden_elements : int
        Size of the hidden layer that one part needs.

    Returns
    -------
    int
        1 to `n_parts`; all where memory is not the limit (GPUs), or where something else will plan
        its use (compilation).
    """
    if torch.compiler.is_compiling() or x.device.type != "cpu":
        return n_parts
    return min(n_parts, max(1, MAX_HIDDEN_ELEMENTS // hidden_elements))


def keep_freed_memory() -> None:
    """Let freed tensors of up to 32 MB be used again, instead of being returned to the system.

    The C library of Linux returns large blocks at once; asked for anew, each of their pages is
    filled with zeros, which can take a third of a network's time, and half of that of a dask
    worker, for which dask asks the library to return small ones too (``man mallopt``). Up to twice
    as much memory then stays with the process. Does nothing elsewhere.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    mallopt = getattr(library, "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)
        mallopt(M_TRIM_THRESHOLD, 2 * KEPT_BYTES)
