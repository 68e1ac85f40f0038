"""How precisely an image encoder computes: float32, or bfloat16 where that is fast and harmless.

In bfloat16 the weights of linear layers and convolutions take half the memory, and autocast runs
these layers and the products of attention in it; what is added up over the blocks, and the norms,
stay float32. Mask decoders compute in float32, for attention in bfloat16 changes masks; where many
are made, though, their last step, the upscaling, may be in bfloat16 (`upscaling_dtype`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Literal, get_args
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import nn

from napari_sam.model.base import Model
from napari_sam.model.record import make_folder, weights_folder, write_atomically

Precision = Literal["auto", "float32", "bfloat16"]
Measure = Callable[[Model], float]

MIN_AGREEMENT = 0.99
"""Mean IoU with the masks of float32 at which bfloat16 counts as harmless."""

VERDICTS = "bfloat16-agreement"
"""File in the folder of weights that keeps what `agreement` has found."""

_kept: WeakKeyDictionary[Model, dict[str, float]] = WeakKeyDictionary()
"""The same, for models in use."""


def check_precision(precision: object) -> None:
    """Raise ValueError unless this is a `Precision`."""
    if precision not in get_args(Precision):
        raise ValueError(f'precision is {precision!r}; expected "auto", "float32" or "bfloat16".')


def set_precision(model: Model, precision: Precision = "auto") -> None:
    """Let a model's image encoder compute in float32 or bfloat16.

    Parameters
    ----------
    model : Model
        In float32, on the device that it is for. Its encoder's weights change; an encoder without
        any, which something other than torch runs, is left alone.
    precision : {"auto", "float32", "bfloat16"}
        ``"auto"`` is bfloat16 if the device has units for it, the encoder is large enough to gain,
        and the masks of these weights stay the same (see `agreement`), else float32.

    Raises
    ------
    ValueError
        If the precision is unknown, or the device does not have it.
    """
    check_precision(precision)
    if precision == "bfloat16" and model.device.type == "mps":
        raise ValueError(
            'precision is "bfloat16", which is not supported on MPS; use "float32" or "auto".'
        )
    if next(matrices(model.image_encoder), None) is None:
        return
    if precision == "auto":
        gains = model.gains_from_bfloat16 and has_bfloat16_units(model.device)
        precision = "bfloat16" if gains and is_harmless(model) else "float32"
    if precision == "bfloat16":
        for weights in matrices(model.image_encoder):
            weights.data = weights.data.bfloat16()


def autocast(encoder: nn.Module, device: torch.device) -> torch.autocast:
    """Return the context in which an encoder computes in the precision of its weights."""
    is_half = any(weights.dtype == torch.bfloat16 for weights in matrices(encoder))
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=is_half)


def matrices(encoder: nn.Module) -> Iterator[nn.Parameter]:
    """Yield the weights and biases of linear layers and convolutions."""
    for module in encoder.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            yield from module.parameters(recurse=False)


def has_bfloat16_units(device: torch.device) -> bool:
    """Return whether a device multiplies matrices in bfloat16 faster than in float32."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        queries = ("_is_amx_tile_supported", "_is_avx512_bf16_supported")
        return any(getattr(torch.cpu, query, bool)() for query in queries)
    return False


def upscaling_dtype(model: Model) -> torch.dtype:
    """Return in which precision to upscale many masks (`Model.point_decoder`).

    bfloat16 if the device has units for it and the masks of these weights stay the same, else
    float32.
    """
    if not model.upscales_in_bfloat16 or not has_bfloat16_units(model.device):
        return torch.float32
    is_same = is_harmless(model, upscaling_agreement, "upscaling")
    return torch.bfloat16 if is_same else torch.float32


def is_harmless(model: Model, measure: Measure | None = None, part: str = "") -> bool:
    """Return whether bfloat16 in a part of a model leaves its masks as they are.

    The answer for some weights, device and version of torch is found once, and kept: in the folder
    of weights if they come from a file and that can be written, and with the model.

    Parameters
    ----------
    model : Model
        The network.
    measure : callable, optional
        What tells how well masks agree. Default: `agreement`, of the encoder.
    part : str
        By what the record tells parts apart; "" is the encoder.
    """
    hardware = f"{device_name(model.device)} torch {torch.__version__}"
    key = " ".join(filter(None, [str(model.weights_hash), part, hardware]))
    kept = _kept.setdefault(model, {})
    if key not in kept:
        kept[key] = recorded(model, key, measure or agreement)
    return kept[key] >= MIN_AGREEMENT


def recorded(model: Model, key: str, measure: Measure) -> float:
    """Return what the record says of a key, after measuring and recording it if it is new."""
    path = weights_folder() / VERDICTS
    try:
        found = {str(k): float(v) for k, v in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError, AttributeError):  # none yet, or damaged
        found = {}
    if model.weights_hash is None or key not in found:
        found[key] = measure(model)
        if model.weights_hash is not None:
            with contextlib.suppress(OSError):
                make_folder()
                write_atomically(path, json.dumps(found, indent=2) + "\n")
    return found[key]


def device_name(device: torch.device) -> str:
    """Return what tells devices apart whose bfloat16 may differ."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} {torch.backends.cpu.get_cpu_capability()}"


def agreement(model: Model) -> float:
    """Measure how well masks agree if the encoder computes in bfloat16 instead of float32.

    Parameters
    ----------
    model : Model
        In float32; it is so again afterwards.

    Returns
    -------
    float
        Mean IoU of the masks at a grid of points in a photograph of coins; 0 if the model finds
        nothing there, or anything that is not a number.
    """
    expected = coin_masks(model)
    exact = [(weights, weights.data) for weights in matrices(model.image_encoder)]
    try:
        for weights, data in exact:
            weights.data = data.bfloat16()
        found = coin_masks(model)
    finally:
        for weights, data in exact:
            weights.data = data
    return mean_iou(found, expected)


def upscaling_agreement(model: Model) -> float:
    """Measure how well masks agree if they are upscaled in bfloat16, as `agreement` does."""
    window, points = coins_and_points(model)
    features = model.encode(window)
    found, expected = (
        model.point_decoder(features, dtype)(points[:, 0]).logits > 0
        for dtype in (torch.bfloat16, torch.float32)
    )
    return mean_iou(found, expected)


def coin_masks(model: Model) -> torch.Tensor:
    """Return what a model finds at 6 by 6 points in a photograph of coins: (N, h, w) bool."""
    window, points = coins_and_points(model)
    labels = torch.ones(len(points), 1, dtype=torch.int64)
    logits, _ = model.decode(model.encode(window), points, labels)
    return logits.flatten(0, 1) > 0


def coins_and_points(model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a window with a photograph of coins, and 6 by 6 points (N, 1, 2) in it."""
    from skimage.data import coins

    image = torch.from_numpy(coins())[None, None] / 255
    scale = model.image_size / max(image.shape)
    window = F.interpolate(image, scale_factor=scale, mode="bilinear").clamp(0, 1)
    height, width = window.shape[2:]
    steps = (torch.arange(6) + 0.5) / 6
    return window, torch.cartesian_prod(steps * width, steps * height)[:, None]


def mean_iou(masks: torch.Tensor, expected: torch.Tensor) -> float:
    """Compare (N, h, w) masks, without those that are nearly nothing or all; 0 if none is left."""
    area = expected.float().mean((1, 2))
    is_object = (area > 0.002) & (area < 0.9)
    overlap = (masks & expected)[is_object].sum((1, 2))
    union = (masks | expected)[is_object].sum((1, 2))
    return (overlap / union).mean().item() if len(union) else 0.0
