"""From a training checkpoint to the weights that are shipped."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file


def export_weights(checkpoint: Path, path: Path) -> int:
    """Write the averaged weights of a checkpoint as float16 safetensors.

    Returns
    -------
    int
        Size of the file, in bytes.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    weights = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state["average"].items()
    }
    save_file(weights, path, metadata={"format": "pt", "step": str(state["step"])})
    return path.stat().st_size
