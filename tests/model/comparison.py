"""The same questions to our SAM and to the reference, and how far their answers are apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from napari_sam.model.features import Features
from napari_sam.model.sam import Sam

Answers = dict[str, torch.Tensor]


def spread(model: nn.Module, seed: int = 0) -> None:
    """Draw weights at which every part matters: biases, norms, tables and embeddings too."""
    random = torch.Generator().manual_seed(seed)
    for module in model.modules():
        for name, weights in module.named_parameters(recurse=False):
            center, scale = 0.0, 0.5
            if isinstance(module, nn.Linear | nn.Conv2d) and name == "weight":
                scale = weights[0].numel() ** -0.5
            elif isinstance(module, nn.ConvTranspose2d) and name == "weight":
                scale = len(weights) ** -0.5
            elif isinstance(module, nn.Embedding):
                scale = 1.0
            elif name == "weight":  # of a norm
                center = 1.0
            draw = torch.randn(weights.shape, generator=random)
            weights.data.copy_(center + scale * draw)


def windows(image_size: int) -> dict[str, torch.Tensor]:
    """Images of levels 0..255 / 255: one fills the window, the others are padded."""
    random = torch.Generator().manual_seed(1)
    sizes = {
        "square": (image_size, image_size),
        "landscape": (image_size * 5 // 8 - 3, image_size),
        "portrait": (image_size, image_size // 3),
    }
    return {
        name: torch.randint(0, 256, (1, 3, *size), generator=random) / 255
        for name, size in sizes.items()
    }


def prompts(image_size: int) -> dict[str, dict[str, torch.Tensor]]:
    """Keyword arguments of `Model.decode` for two objects, in every mix."""
    random = torch.Generator().manual_seed(2)

    def coordinates(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=random) * image_size * 1.1 - 5  # some lie outside

    one = {"points": coordinates(2, 1, 2), "labels": torch.ones(2, 1, dtype=torch.int64)}
    several = {
        "points": coordinates(2, 4, 2),
        "labels": torch.tensor([[1, 0, 1, -1], [0, 1, -1, -1]]),
    }
    box = {"box": coordinates(2, 4).sort(dim=1).values[:, [0, 1, 2, 3]]}
    mask = {"mask": 8 * torch.randn(2, 1, image_size // 4, image_size // 4, generator=random)}
    return {
        "point": one,
        "points": several,
        "box": box,
        "mask": mask,
        "points and box": several | box,
        "point and mask": one | mask,
        "box and mask": box | mask,
        "all": several | box | mask,
    }


def ask_ours(model: Sam) -> Answers:
    answers = {}
    for name, window in windows(model.image_size).items():
        answers[f"embedding, {name}"] = model.encode(window).maps[0]
    # One embedding for both sides would hide how an error in it grows; ours is asked as users ask.
    features = Features((answers["embedding, landscape"],))
    for name, prompt in prompts(model.image_size).items():
        for multimask in (True, False):
            logits, predicted_iou = model.decode(features, **prompt, multimask=multimask)
            answers[f"logits, {name}, {multimask=}"] = logits
            answers[f"predicted IoU, {name}, {multimask=}"] = predicted_iou
    return answers


@torch.no_grad()
def ask_reference(model: Any) -> Answers:
    """Ask a `segment_anything.modeling.Sam`."""
    image_size = model.image_encoder.img_size
    answers = {}
    for name, window in windows(image_size).items():
        answers[f"embedding, {name}"] = model.image_encoder(model.preprocess(window * 255))
    for name, prompt in prompts(image_size).items():
        points = (prompt["points"], prompt["labels"]) if "points" in prompt else None
        sparse, dense = model.prompt_encoder(points, prompt.get("box"), prompt.get("mask"))
        for multimask in (True, False):
            logits, predicted_iou = model.mask_decoder(
                image_embeddings=answers["embedding, landscape"],
                image_pe=model.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=multimask,
            )
            answers[f"logits, {name}, {multimask=}"] = logits
            answers[f"predicted IoU, {name}, {multimask=}"] = predicted_iou
    return answers


def differences(ours: Answers, reference: Answers) -> dict[str, float]:
    """Largest absolute difference of every answer."""
    assert ours.keys() == reference.keys()
    assert [a.shape for a in ours.values()] == [a.shape for a in reference.values()]
    return {name: (ours[name] - reference[name]).abs().max().item() for name in ours}
