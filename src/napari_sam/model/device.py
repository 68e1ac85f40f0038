"""Where a network runs."""

from __future__ import annotations

import torch


def find_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device of that name; ``"auto"`` is the GPU (CUDA, then MPS) if there is one.

    Raises
    ------
    ValueError
        If the name is unknown or this machine has no such device.
    """
    is_available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        device = next(name for name, available in is_available.items() if available)
    try:
        found = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f'device is {device!r}; expected "auto", "cpu", "openvino" (for a SAM on the CPU), '
            '"cuda", "cuda:1", … or "mps".'
        ) from error
    is_beyond = found.type == "cuda" and (found.index or 0) >= max(1, torch.cuda.device_count())
    if is_beyond or not is_available.get(found.type, False):
        here = ", ".join(name for name, available in is_available.items() if available)
        raise ValueError(
            f"device is {str(device)!r}, which this machine or this build of torch does not have; "
            f'it has: {here}. Use one of these or "auto".'
        )
    return found
