"""From a model's name to a network that is ready to use."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import torch

from napari_sam.model.base import Model
from napari_sam.model.checkpoint import fill, read_state_dict
from napari_sam.model.device import find_device
from napari_sam.model.registry import ModelSpec, find_model
from napari_sam.model.sam import VIT_SIZES, build_sam


def load_model(
    name: str = "nano",
    *,
    checkpoint: str | PathLike[str] | None = None,
    device: str | torch.device = "auto",
) -> Model:
    """Load a model, ready for inference.

    Parameters
    ----------
    name : str
        One of `list_models`.
    checkpoint : path, optional
        A file of weights (``.pth``, ``.pt`` or ``.safetensors``) instead of the installed one.
    device : str or torch.device
        ``"auto"`` is the GPU if there is one, else the CPU.

    Returns
    -------
    Model
        In evaluation mode, float32, without gradients.

    Raises
    ------
    FileNotFoundError
        If there are no weights; says where to get them.
    ValueError
        If the name or the device is unknown, or the file of weights is damaged or does not fit.
    """
    spec = find_model(name)
    target = find_device(device)
    path = spec.weights if checkpoint is None else Path(checkpoint)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed. {spec.source}")
    try:
        state = read_state_dict(path)
        model = build(spec)
        fill(model, state, source=path.name)
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f"{error} {spec.source}") from error
    return model.to(target).eval().requires_grad_(False)


def build(spec: ModelSpec) -> Model:
    """Build the network of a model; its weights are not yet those of the model."""
    if spec.architecture == "nano":
        from napari_sam.model.nano import Nano

        return Nano()
    with torch.device("meta"):  # shapes without memory: the weights come from the file
        return build_sam(spec.name, VIT_SIZES[spec.architecture])
