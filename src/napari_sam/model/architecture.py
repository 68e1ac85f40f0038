"""Which network weights belong to, told from their names and shapes alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from napari_sam.model.base import Model
from napari_sam.model.checkpoint import join
from napari_sam.model.instance_decoder import InstanceDecoder
from napari_sam.model.nano import Nano
from napari_sam.model.sam import (
    PATCH_SIZE,
    VIT_SIZES,
    TinyViTSize,
    ViTSize,
    build_mobile_sam,
    build_sam,
)
from napari_sam.model.tiny_vit import UNUSED_PREFIXES

Weights = Mapping[str, torch.Tensor]

FOREIGN = {
    "image_encoder.trunk.": "a SAM 2 model, which is another network",
    "vision_encoder.": "a model in the form of Hugging Face's transformers",
}
"""How a tensor's name begins that tells of a network which is not supported → what that is."""


@dataclass(frozen=True)
class Architecture:
    """A network without its weights.

    Parameters
    ----------
    name : str
        ``"nano"``, ``"vit_b"`` (or ``l``, ``h``), ``"mobile"``, the same with ``"hq_"`` in front,
        or a ViT's dimension and depth, such as ``"vit_384x12"``, if nobody has published its like.
    encoder : ViTSize or TinyViTSize, optional
        Size of the image encoder; None for nano.
    image_size : int
        Side of the window, in samples.
    channels : int
        Channels of the image embedding.
    num_multimask : int
        Masks for an ambiguous prompt.
    is_hq : bool
        Whether masks are corrected as in HQ-SAM.
    """

    name: str
    encoder: ViTSize | TinyViTSize | None = None
    image_size: int = 1024
    channels: int = 256
    num_multimask: int = 3
    is_hq: bool = False


def infer_architecture(weights: Weights, source: str) -> Architecture:
    """Tell which network weights belong to.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        By their published names.
    source : str
        Name of the file, for messages.

    Raises
    ------
    ValueError
        If they belong to none that is supported; says what was found.
    """
    for start, what in FOREIGN.items():
        if any(name.startswith(start) for name in weights):
            raise ValueError(
                f"{source} is {what}. Supported are SAM, MobileSAM, HQ-SAM, and micro-sam's models "
                "made of these, in the form in which they were published."
            )
    if "mask_decoder.frequencies" in weights and "instance_head.out.weight" in weights:
        return Architecture("nano", image_size=Nano.image_size, channels=128)
    look = Shapes(weights, source)
    encoder: ViTSize | TinyViTSize
    if "image_encoder.patch_embed.proj.weight" in weights:
        image_size, encoder = vit_size(look)
        published = {size: name for name, size in VIT_SIZES.items()}
        name = published.get(encoder, f"vit_{encoder.embed_dim}x{encoder.depth}")
    elif "image_encoder.patch_embed.seq.0.c.weight" in weights:
        image_size, name, encoder = 1024, "mobile", tiny_vit_size(look)
    else:
        raise ValueError(
            f"{source} holds no Segment Anything model but tensors such as "
            f"{join(weights) or 'none at all'}; expected image_encoder.patch_embed…, "
            "prompt_encoder…, mask_decoder…"
        )
    num_multimask = look("mask_decoder.mask_tokens.weight", 2)[0] - 1
    if num_multimask < 1:
        raise ValueError(
            f"{source} has one mask per prompt only; expected others for ambiguous ones."
        )
    is_hq = "mask_decoder.hf_token.weight" in weights
    return Architecture(
        name=f"hq_{name}" if is_hq else name,
        encoder=encoder,
        image_size=image_size,
        channels=look("image_encoder.neck.0.weight", 4)[0],
        num_multimask=num_multimask,
        is_hq=is_hq,
    )


@dataclass(frozen=True)
class Shapes:
    """The shapes of named tensors, or a sentence about what is wrong with one."""

    weights: Weights
    source: str

    def __call__(self, name: str, ndim: int) -> tuple[int, ...]:
        """Return the shape of a tensor that has `ndim` axes."""
        if name not in self.weights:
            raise ValueError(f"{self.source} lacks the tensor {name}; is it a whole model?")
        shape = tuple(self.weights[name].shape)
        if len(shape) != ndim or 0 in shape:
            raise ValueError(f"{name} in {self.source} is {shape}; expected {ndim} axes.")
        return shape

    def count(self, start: str) -> int:
        """Return how many parts ``start0.``, ``start1.``, … there are."""
        numbers = {
            name.removeprefix(start).partition(".")[0]
            for name in self.weights
            if name.startswith(start)
        }
        if numbers != {str(i) for i in range(len(numbers))} or not numbers:
            raise ValueError(
                f"{self.source} lacks a part: of {start}… there are {join(sorted(numbers), 40)}."
            )
        return len(numbers)


def vit_size(look: Shapes) -> tuple[int, ViTSize]:
    """Return the side of the window and the size of a ViT image encoder."""
    dim, _, *patch = look("image_encoder.patch_embed.proj.weight", 4)
    _, *grid, _ = look("image_encoder.pos_embed", 4)
    if patch != [PATCH_SIZE] * 2 or grid[0] != grid[1]:
        raise ValueError(
            f"{look.source} is a ViT for patches of {patch} samples on a grid of {grid}; expected "
            f"patches of {[PATCH_SIZE] * 2} on a square grid."
        )
    depth = look.count("image_encoder.blocks.")
    tables = [look(f"image_encoder.blocks.{i}.attn.rel_pos_h", 2) for i in range(depth)]
    head_dims = {head_dim for _, head_dim in tables}
    is_global = [length == 2 * grid[0] - 1 for length, _ in tables]
    sides = {
        (length + 1) // 2 for (length, _), is_g in zip(tables, is_global, strict=True) if not is_g
    }
    if len(head_dims) != 1 or dim % min(head_dims) or len(sides) > 1:
        raise ValueError(
            f"{look.source} is a ViT whose blocks differ in more than reaching across the window: "
            f"head dimensions {sorted(head_dims)} of {dim}, windows of {sorted(sides)}."
        )
    return PATCH_SIZE * grid[0], ViTSize(
        dim,
        depth,
        dim // min(head_dims),
        tuple(i for i in range(depth) if is_global[i]),
        min(sides, default=14),
    )


def tiny_vit_size(look: Shapes) -> TinyViTSize:
    """Return the size of a TinyViT image encoder; its window cannot be told from its weights."""
    stages = [f"image_encoder.layers.{i}.blocks." for i in range(4)]
    dim = look(f"{stages[0]}0.conv1.c.weight", 4)[1]
    a, b, c = (look(f"{stage}0.attn.qkv.weight", 2)[1] for stage in stages[1:])
    biases = [look(f"{stage}0.attn.attention_biases", 2) for stage in stages[1:]]
    (heads_a, heads_b, heads_c), sizes = zip(*biases, strict=True)
    window_a, window_b, window_c = (math.isqrt(size) for size in sizes)
    depth, depth_a, depth_b, depth_c = (look.count(stage) for stage in stages)
    return TinyViTSize(  # the first stage has no attention, whatever its heads and windows
        (dim, a, b, c),
        (depth, depth_a, depth_b, depth_c),
        (dim * heads_a // a, heads_a, heads_b, heads_c),
        (window_a, window_a, window_b, window_c),
    )


def build(
    architecture: Architecture, name: str, instance_decoder: InstanceDecoder | None = None
) -> Model:
    """Build a network; its weights take no memory yet (but nano's, which are small).

    Parameters
    ----------
    architecture : Architecture
        What to build.
    name : str
        Name of the model.
    instance_decoder : InstanceDecoder, optional
        Of a network other than nano, which has its own.
    """
    if architecture.encoder is None:
        return Nano()
    size = architecture.encoder
    with torch.device("meta"):  # shapes without memory: the weights come from the file
        options = (
            architecture.image_size,
            architecture.channels,
            architecture.is_hq,
            architecture.num_multimask,
            instance_decoder,
        )
        if isinstance(size, ViTSize):
            return build_sam(name, size, *options)
        return build_mobile_sam(name, size, *options)


def used_weights(architecture: Architecture, weights: Weights) -> dict[str, torch.Tensor]:
    """Leave out what published files hold for other purposes than segmenting."""
    if not isinstance(architecture.encoder, TinyViTSize):
        return dict(weights)
    unused = tuple(f"image_encoder.{start}" for start in UNUSED_PREFIXES)
    return {name: tensor for name, tensor in weights.items() if not name.startswith(unused)}
