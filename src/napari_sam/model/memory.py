"""What to do when memory runs out: less at a time, then on the CPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch import nn

Parts = tuple[torch.Tensor, ...]

SIGNS = (
    "out of memory",  # CUDA, MPS
    "can't allocate memory",  # the CPU, on Linux and macOS
    "not enough memory",  # the CPU, on Windows
    "CUBLAS_STATUS_ALLOC_FAILED",
)
"""What errors of torch say when memory has run out; they have no class in common."""


def in_batches(model: nn.Module, work: Callable[[slice], Parts], n_items: int, batch: int) -> Parts:
    """Let a network work on items, fewer at a time if memory runs out, and at last on the CPU.

    Parameters
    ----------
    model : nn.Module
        The network; it stays on the CPU if it has to be moved there, which a warning tells.
    work : callable
        Takes a slice of the items, and returns tensors with one row per item, on whatever device
        the network then is.
    n_items : int
        How many there are.
    batch : int
        How many at a time to begin with.

    Returns
    -------
    tuple of torch.Tensor
        The rows of all items.

    Raises
    ------
    MemoryError
        If the CPU has not enough memory for a single item.
    """
    done: list[Parts] = []
    start, batch = 0, max(1, min(batch, n_items))
    while start < n_items or not done:
        device = device_of(model)
        try:
            done.append(work(slice(start, start + batch)))
            start += batch
            continue
        except RuntimeError as error:
            was_moved = device_of(model) != device  # by another thread, which had too little memory
            if not (was_moved or is_out_of_memory(error)):
                raise
        # Only here, without the error, are the tensors of the failed attempt free.
        if batch > 1 and not was_moved:
            batch = -(-batch // 2)
            continue
        if not was_moved:
            move_to_cpu(model)
        done = [tuple(part.cpu() for part in parts) for parts in done]
    return done[0] if len(done) == 1 else tuple(map(torch.cat, zip(*done, strict=True)))


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether memory has run out, on whatever device."""
    return isinstance(error, torch.OutOfMemoryError) or any(sign in str(error) for sign in SIGNS)


def device_of(model: nn.Module) -> torch.device:
    """Return where the weights of a network are."""
    return next(model.parameters()).device


def place(model: nn.Module, device: torch.device) -> None:
    """Move a network to a device; to the CPU, with a warning, if there is too little memory."""
    try:
        model.to(device)
        return
    except RuntimeError as error:
        if device.type == "cpu" or not is_out_of_memory(error):
            raise
    _leave(model, device)


def move_to_cpu(model: nn.Module) -> None:
    """Move a network from the GPU to the CPU, with a warning.

    Raises
    ------
    MemoryError
        If it is there already.
    """
    device = device_of(model)
    if device.type == "cpu":
        raise MemoryError(
            "This computer has not enough free memory for the model. Close other programs, or use "
            "a smaller model."
        )
    _leave(model, device)


def _leave(model: nn.Module, device: torch.device) -> None:
    """Go from a device to the CPU, and say so."""
    model.to("cpu")
    if device.type == "cuda":
        torch.cuda.empty_cache()
    warnings.warn(
        f"{device} has not enough free memory for the model, which goes on more slowly on the CPU. "
        "Close other programs that use the GPU, or use a smaller model.",
        stacklevel=4,
    )
