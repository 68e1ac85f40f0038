"""Start nano's training from the weights of its first version, pruned to the lean network.

    git show 06670b1:src/napari_sam/model/nano.safetensors > version_1.safetensors
    python training/from_version_1.py version_1.safetensors DATA RUN
    napari-sam train DATA RUN

The lean network has five attention blocks where the first version had six, narrower MLPs, and no
biases in front of normalizations. Left out are the block that changes the loss least, and the
hidden channels of the smallest weights; biases move into the normalizations before them. The
prompted part is taken over as it is, but for the quality head, which is new. The last line goes on
behind the first stage, which the pruned network has no need of.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from napari_sam.model.nano import Nano
from napari_sam.train.crops import Crops
from napari_sam.train.planes import read_folder
from napari_sam.train.schedule import STAGES
from napari_sam.train.trainer import Trainer

LEFT_OUT = 3
"""The attention block without which the loss of the instance head is lowest."""

NORM = ("weight", "bias", "running_mean", "running_var")

Weights = dict[str, Tensor]


def pruned_mlp(old: Weights, new: Weights, source: str, target: str) -> Tensor:
    """Keep the strongest hidden channels; return what the norm in front adds for their bias."""
    w1, b1, w2 = (old[f"{source}.mlp.{k}"] for k in ("lin1.weight", "lin1.bias", "lin2.weight"))
    n_kept = new[f"{target}.mlp.lin1.weight"].shape[0]
    strength = w1.norm(dim=1) * w2.norm(dim=0)
    kept = strength.argsort(descending=True)[:n_kept].sort().values
    new[f"{target}.mlp.lin1.weight"], new[f"{target}.mlp.lin2.weight"] = w1[kept], w2[:, kept]
    return moved_bias(w1[kept], b1[kept])


def moved_bias(weight: Tensor, bias: Tensor) -> Tensor:
    """Return the input whose product with a weight (n, m) comes closest to a bias (n,)."""
    return torch.linalg.lstsq(weight, bias[:, None]).solution[:, 0]


def conv_block(old: Weights, new: Weights, name: str) -> None:
    """Take over a depthwise convolution with its normalization, and prune the MLP behind it."""
    new[f"{name}.depthwise.conv.weight"] = old[f"{name}.depthwise.weight"]
    for key in NORM:
        new[f"{name}.depthwise.norm.{key}"] = old[f"{name}.norm.{key}"].clone()
    new[f"{name}.depthwise.norm.running_mean"] -= old[f"{name}.depthwise.bias"]
    new[f"{name}.depthwise.norm.bias"] += pruned_mlp(old, new, name, name)


def conv_norm(old: Weights, new: Weights, name: str) -> None:
    """Take over a convolution and the normalization behind it."""
    new[f"{name}.conv.weight"] = old[f"{name}.0.weight"]
    for key in NORM:
        new[f"{name}.norm.{key}"] = old[f"{name}.1.{key}"].clone()
    if f"{name}.0.bias" in old:
        new[f"{name}.norm.running_mean"] -= old[f"{name}.0.bias"]


def attention_block(old: Weights, new: Weights, source: str, target: str) -> None:
    """Take over an attention block; queries are told apart from keys and values."""
    same = [f"{part}.{kind}" for part in ("position", "norm1", "norm2") for kind in NORM[:2]]
    for key in (*same, "proj.weight"):
        new[f"{target}.{key}"] = old[f"{source}.{key}"].clone()
    weight, bias = old[f"{source}.qkv.weight"], old[f"{source}.qkv.bias"]
    n_channels = weight.shape[1]
    new[f"{target}.q.weight"], new[f"{target}.kv.weight"] = weight.split(
        [n_channels, 2 * n_channels]
    )
    new[f"{target}.norm1.bias"] += moved_bias(weight, bias)
    new[f"{target}.norm2.bias"] += pruned_mlp(old, new, source, target)


def prune(old: Weights, net: Nano) -> Tensor:
    """Load the lean network; return the offset that the normalization of ``neck8`` has to add."""
    encoder = {k.removeprefix("image_encoder."): v for k, v in old.items() if "encoder" in k}
    new = {k: v.clone() for k, v in net.image_encoder.state_dict().items()}
    for name in ("stem.0", "stem.2", "to_stage8", "to_stage16", "detail"):
        conv_norm(encoder, new, name)
    for name in ("stage4.0", "stage4.1", "stage8.0", "stage8.1", "stage8.2", "neck.1"):
        conv_block(encoder, new, name)
    kept = [i for i in range(6) if i != LEFT_OUT]
    for target, source in enumerate(kept):
        attention_block(encoder, new, f"stage16.{source}", f"stage16.{target}")
    for name in ("neck.0", "neck16.0", "neck16.1"):
        for kind in NORM[:2]:
            new[f"{name}.{kind}"] = encoder[f"{name}.{kind}"]
    weight = encoder["neck8.1.weight"][:, :, 0, 0]
    factor = encoder["neck8.0.weight"] / (encoder["neck8.0.running_var"] + 1e-5).sqrt()
    offset = encoder["neck8.0.bias"] - factor * encoder["neck8.0.running_mean"]
    new["neck8.conv.weight"] = (weight * factor)[:, :, None, None]
    net.image_encoder.load_state_dict(new)
    prompted = {k: v for k, v in old.items() if "encoder" not in k and ".quality." not in k}
    net.load_state_dict(prompted, strict=False)
    return weight @ offset + encoder["neck8.1.bias"]


@torch.no_grad()
def calibrate(net: Nano, offset: Tensor, batches: list[Tensor]) -> None:
    """Measure the statistics of the normalizations anew, without changing what ``neck8`` gives."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    net.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    for images in batches:
        net.embed(images)
    for norm in norms:
        norm.momentum = 0.1
    neck = net.image_encoder.neck8.norm
    neck.weight.copy_((neck.running_var + neck.eps).sqrt())
    neck.bias.copy_(neck.running_mean + offset)


def main() -> None:
    """Write a checkpoint from which ``napari-sam train`` goes on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("version_1", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    given = parser.parse_args()
    sources = read_folder(given.data)
    trainer = Trainer(sources, given.run)
    old = {k: v.float() for k, v in load_file(given.version_1).items()}
    offset = prune(old, trainer.net)
    crops = Crops(sources, 256, 1, 0, synthetic_share=0.2)
    batches = [torch.stack([crops[10**6 + j, i]["image"] for i in range(8)]) for j in range(2)]
    calibrate(trainer.net, offset, batches)
    trainer.average.load_state_dict(trainer.net.state_dict())
    trainer.step = STAGES[0].steps
    trainer.save()


if __name__ == "__main__":
    main()
