"""Small networks and the files that others would write of them."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch

from napari_sam.model.instance_decoder import InstanceDecoder
from napari_sam.model.sam import Sam, ViTSize, build_sam

from .comparison import spread

State = dict[str, torch.Tensor]

VIT = ViTSize(16, 2, 2, global_blocks=(1,))
IMAGE_SIZE, CHANNELS = 64, 32
NAME = "vit_16x2"
"""What the network of `small_sam` is called, which nobody has published."""


def small_sam(seed: int = 0, **options: bool) -> Sam:
    """A SAM of about a megabyte."""
    model = build_sam("small", VIT, IMAGE_SIZE, CHANNELS, **options)
    spread(model, seed)
    return model.eval()


def small_decoder(learned_upsampling: bool = False, seed: int = 0) -> InstanceDecoder:
    """An instance decoder for its embedding, with statistics as if it were trained."""
    decoder = InstanceDecoder(CHANNELS, features=4, learned_upsampling=learned_upsampling)
    spread(decoder, seed)
    random = torch.Generator().manual_seed(seed)
    for module in decoder.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features, generator=random)
            module.running_var = 0.3 + torch.rand(module.num_features, generator=random)
    return decoder.eval()


def save(state: State, path: Path, form: str) -> None:
    """Write a file as ``"torch"``, ``"old torch"`` or ``"safetensors"``."""
    if form == "safetensors":
        safetensors.torch.save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization=form == "torch")


class Dataset:
    """Of the kind that micro-sam's trainer stores in its checkpoints."""

    def __init__(self) -> None:
        self.patch_shape = (64, 64)
        self.rois = {"train": slice(0, 8)}
        self.paths = [Path("images/a.tif")]
        self.mean = torch.ones(3)


def training_state(weights: State, decoder: State | None = None) -> dict[str, object]:
    """What micro-sam's trainer saves, beside weights under longer names."""
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    extra = {} if decoder is None else {"decoder_state": decoder}
    return {
        "model_state": {f"sam.{name}": value for name, value in weights.items()},
        "optimizer_state": optimizer.state_dict(),
        "scheduler_state": {"milestones": [1, 2], "factor": 0.9},
        "init": {"train_loader_dataset": Dataset(), "optimizer_class": torch.optim.AdamW},
        "epoch": 3,
        "best_metric": 0.25,
        "timestamp": "today",
        **extra,
    }
