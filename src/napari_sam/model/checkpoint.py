"""What is in a file of weights: a network's, as published, or as micro-sam has trained it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import torch
from torch import nn

from napari_sam.model.instance_decoder import is_instance_decoder
from napari_sam.model.lora import merge_lora
from napari_sam.model.torch_file import FileContent, read_file

PREFIXES = ("module.", "sam.")
"""What training puts in front of the names of tensors."""


@dataclass(frozen=True)
class Checkpoint:
    """The weights in a file.

    Parameters
    ----------
    weights : dict of str to torch.Tensor
        Of the network that answers prompts, by their published names.
    instance_decoder : dict of str to torch.Tensor, optional
        Of the `InstanceDecoder` that was trained together with it.
    is_micro_sam : bool
        Whether the file is of micro-sam's own form. Weights that micro-sam has exported without an
        instance decoder look like those of any other SAM.
    """

    weights: dict[str, torch.Tensor]
    instance_decoder: dict[str, torch.Tensor] | None = None
    is_micro_sam: bool = False


def read_checkpoint(path: str | PathLike[str]) -> Checkpoint:
    """Read the weights of a network; no code in the file ever runs.

    Takes a plain state dict (``.safetensors``, ``.pth``, ``.pt``), and micro-sam's files: exported
    ones, and those that it writes while it trains, of which only the weights are kept. Low-rank
    updates (LoRA) are added to the weights that they change.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged, of another format, or holds something else; says what.
    """
    name = Path(path).name
    content = named_content(read_file(path), name)
    is_micro_sam = "model_state" in content
    state = check_state_dict(content.get("model_state", content), name)
    weights = merge_lora(without_prefixes(state, name), name)
    if is_instance_decoder(weights):
        found = "the whole of" if any(key.startswith("encoder.") for key in weights) else "only"
        raise ValueError(
            f"{name} holds {found} micro-sam's network for automatic segmentation, which answers "
            "no prompts. Expected a Segment Anything model; such a decoder can come with one."
        )
    decoder = content.get("decoder_state") if is_micro_sam else None
    return Checkpoint(
        weights,
        without_prefixes(check_state_dict(decoder, name), name) if decoder else None,
        is_micro_sam,
    )


def read_instance_decoder(path: str | PathLike[str]) -> dict[str, torch.Tensor]:
    """Read the weights of micro-sam's `InstanceDecoder`, from a file of its own or beside others.

    Raises
    ------
    FileNotFoundError, ValueError
        As `read_checkpoint`.
    """
    name = Path(path).name
    content = named_content(read_file(path), name)
    weights = without_prefixes(check_state_dict(content.get("decoder_state", content), name), name)
    if not is_instance_decoder(weights):
        raise ValueError(
            f"{name} holds no instance decoder of micro-sam but tensors such as "
            f"{join(weights) or 'none'}; expected out_conv.weight, base.block.1.weight, …"
        )
    return weights


def named_content(found: FileContent, source: str) -> Mapping[str, object]:
    """Return the content of a file if it has names; raise ValueError saying what else it is.

    Foreign classes are nothing to worry about beside micro-sam's ``model_state``; a file without
    it is no file of weights then.
    """
    content = found.content
    is_training = isinstance(content, Mapping) and "model_state" in content
    if found.foreign and not is_training:
        raise ValueError(
            f"{source} holds the Python object {join(found.foreign)}; expected named tensors only. "
            "Nothing of it was run. Ask for the weights alone, as a state_dict or .safetensors."
        )
    if not isinstance(content, Mapping):
        raise ValueError(f"{source} holds a {type(content).__name__}; expected named tensors.")
    model = content.get("model")
    if isinstance(model, Mapping) and any("image_encoder.trunk." in str(key) for key in model):
        raise ValueError(
            f"{source} is a SAM 2 model, which is another network; supported are SAM, MobileSAM, "
            "HQ-SAM, and micro-sam's models made of these."
        )
    return {str(key): value for key, value in content.items()}


def check_state_dict(content: object, source: str) -> dict[str, torch.Tensor]:
    """Return named tensors; raise ValueError if this is something else."""
    if not isinstance(content, Mapping):
        raise ValueError(f"{source} holds a {type(content).__name__}; expected named tensors.")
    others = [str(key) for key, value in content.items() if not isinstance(value, torch.Tensor)]
    if others:
        inner = next((key for key in others if isinstance(content.get(key), Mapping)), None)
        hint = f" If {inner!r} holds the weights, save that by itself." if inner else ""
        raise ValueError(
            f"{source} holds more than tensors: {join(others)}; expected named tensors only.{hint}"
        )
    return {str(key): value for key, value in content.items()}


def without_prefixes(state: Mapping[str, torch.Tensor], source: str) -> dict[str, torch.Tensor]:
    """Return the same tensors by the names that they have in a network alone."""
    stripped = {published_name(name): tensor for name, tensor in state.items()}
    if len(stripped) < len(state):
        raise ValueError(f"{source} holds two networks whose tensors have the same names.")
    return stripped


def published_name(name: str) -> str:
    """Remove what torch's compiler, its parallel training, and micro-sam's trainer add to a name.

    >>> published_name("module.sam._orig_mod.image_encoder.pos_embed")
    'image_encoder.pos_embed'
    """
    name = name.replace("_orig_mod.", "")
    while name.startswith(PREFIXES):
        name = name.partition(".")[2]
    return name


def fill(model: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> None:
    """Give a network its weights, as float32; the network may be on the meta device.

    The weights are copied, so that they no longer depend on the file: a tensor that is mapped from
    it would end this process if the file became shorter, as when training goes on and writes anew.

    Raises
    ------
    ValueError
        If a tensor is missing, not expected, or of another shape or kind, or holds NaN or infinite
        values; each sort is named.
    """
    expected = model.state_dict()
    common = [key for key in expected if key in state]
    misfits = [
        f"{key} is {describe(state[key])}, expected {describe(expected[key])}"
        for key in common
        if describe(state[key]) != describe(expected[key])
    ]
    missing = [key for key in expected if key not in state or state[key].is_meta]
    unexpected = [key for key in state if key not in expected]
    problems = {"of another shape": misfits, "missing": missing, "unexpected": unexpected}
    if any(problems.values()):
        told = "; ".join(f"{what}: {join(keys)}" for what, keys in problems.items() if keys)
        raise ValueError(f"{source} does not fit this network. Tensors {told}.")
    own = {key: state[key].to(like.dtype, copy=True) for key, like in expected.items()}
    if broken := [key for key, tensor in own.items() if not tensor.isfinite().all()]:
        raise ValueError(
            f"{source} holds NaN or infinite values, as after a training that went astray: "
            f"{join(broken)}. Take the weights of an earlier epoch."
        )
    model.load_state_dict(own, assign=True)


def describe(tensor: torch.Tensor) -> str:
    """Return shape and kind of number, but not the precision, of a tensor."""
    kind = "" if tensor.layout is torch.strided else f" {tensor.layout}"
    return f"{tuple(tensor.shape)}{kind}" + (
        "" if tensor.is_floating_point() else f" {tensor.dtype}"
    )


def join(names: Iterable[str], limit: int = 3) -> str:
    """Enumerate the first few names and count the rest."""
    names = list(names)
    rest = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {rest} more" if rest > 0 else "")
