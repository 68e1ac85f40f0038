"""From a model's name, or a file of weights, to a network that is ready to use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import torch

from napari_sam.model.architecture import build, infer_architecture, used_weights
from napari_sam.model.base import Model
from napari_sam.model.check import check
from napari_sam.model.checkpoint import Checkpoint, fill, read_checkpoint, read_instance_decoder
from napari_sam.model.device import find_device
from napari_sam.model.instance_decoder import build_instance_decoder
from napari_sam.model.memory import place
from napari_sam.model.openvino_encoder import try_openvino, use_openvino
from napari_sam.model.precision import Precision, check_precision, set_precision
from napari_sam.model.registry import ModelSpec, find_model
from napari_sam.model.working_memory import keep_freed_memory


def load_model(
    name: str | None = None,
    *,
    checkpoint: str | PathLike[str] | None = None,
    device: str | torch.device = "auto",
    precision: Precision = "auto",
) -> Model:
    """Load a model, ready for inference.

    Parameters
    ----------
    name : str, optional
        One of `list_models`; by default ``"nano"``, or whatever the checkpoint is.
    checkpoint : path, optional
        A file of weights (``.pth``, ``.pt`` or ``.safetensors``) instead of the installed one. The
        network follows from its content; a name is only compared with that.
    device : str or torch.device
        ``"auto"`` is the GPU if there is one, else the CPU. ``"openvino"`` is the CPU with the
        image encoder of a SAM run by OpenVINO, which ``"auto"`` does too where it is installed.
        The first time, the encoder is converted for it, which takes some seconds and as much disk
        as its weights.
    precision : {"auto", "float32", "bfloat16"}
        Of the image encoder. ``"auto"`` is bfloat16 where that is faster and the masks stay the
        same, else float32. Which it is, is found when a file of weights is first loaded, and takes
        as long as encoding two windows.

    Returns
    -------
    Model
        In evaluation mode, without gradients; all but the image encoder in float32.

    Raises
    ------
    FileNotFoundError
        If there are no weights; says where to get them.
    ValueError
        If the name, device or precision is unknown, or the file of weights is damaged, was changed
        since it was installed, or is not of the named model.
    """
    target = find_device("cpu" if device == "openvino" else device)
    check_precision(precision)  # before the weights are read, which takes a while
    spec: ModelSpec | None
    if checkpoint is None:
        spec = find_model(name or "nano")
        paths = installed_files(spec)
    else:
        spec = find_model(name) if name else None
        paths = (Path(checkpoint),)
    try:
        model = load_files(paths, spec)
    except (FileNotFoundError, ValueError) as error:
        if spec is None or (spec.built_in and checkpoint is not None):
            raise
        kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
        raise kind(f"{error} {spec.source}") from error
    model.checkpoint = None if checkpoint is None else paths[0]
    place(model.eval().requires_grad_(False), target)
    keep_freed_memory()
    if device == "openvino":
        use_openvino(model, precision)
    elif not (device == "auto" and target.type == "cpu" and try_openvino(model, precision)):
        set_precision(model, precision)
    return model


def installed_files(spec: ModelSpec) -> tuple[Path, ...]:
    """Return the files of a model on this machine: weights, then its instance decoder, if there."""
    if spec.paths is None:
        other_ways = ' Or name its file of weights, checkpoint="path/to/the/file".'
        raise FileNotFoundError(
            f"{spec.name} is not installed. {spec.source}{'' if spec.built_in else other_ways}"
        )
    return spec.paths


def load_files(paths: Sequence[Path], spec: ModelSpec | None) -> Model:
    """Build the network that files of weights are for, and fill it with them.

    Parameters
    ----------
    paths : sequence of Path
        The weights, then an instance decoder if it has a file of its own.
    spec : ModelSpec or None
        What they are said to be.
    """
    hashes = [check(path) for path in paths if path.is_file()]  # reading tells what is missing
    checkpoint = read_files(paths)
    source = paths[0].name
    architecture = infer_architecture(checkpoint.weights, source)
    if spec is not None and architecture.name != spec.architecture:
        raise ValueError(
            f"{source} is a network of the kind {architecture.name}, but {spec.name} is of the "
            f"kind {spec.architecture}. Leave the name away to load it as what it is."
        )

    state, decoder = used_weights(architecture, checkpoint.weights), None
    if checkpoint.instance_decoder is not None:
        decoder = build_instance_decoder(checkpoint.instance_decoder, paths[-1].name)
        state |= {f"instance_decoder.{k}": v for k, v in checkpoint.instance_decoder.items()}
    model = build(architecture, spec.name if spec else paths[0].stem, decoder)
    fill(model, state, " with ".join(path.name for path in paths))

    is_micro_sam = checkpoint.is_micro_sam or (spec is not None and spec.conversion == "min-max")
    model.conversion = "min-max" if is_micro_sam else "percentiles"
    model.weights_hash = hashes[0]
    return model


def read_files(paths: Sequence[Path]) -> Checkpoint:
    """Read the weights, and the instance decoder from its own file, if there are two."""
    checkpoint = read_checkpoint(paths[0])
    for path in paths[1:]:
        checkpoint = replace(checkpoint, instance_decoder=read_instance_decoder(path))
    return checkpoint
