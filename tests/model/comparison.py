"""The same questions to our SAM and to the reference, and how far their answers are apart."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from napari_sam.model.hq_mask_decoder import HQMaskDecoder
from napari_sam.model.sam import Sam
from napari_sam.model.tiny_vit import UNUSED_PREFIXES

from . import references

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
        if isinstance(module, nn.BatchNorm2d):
            means, variances = torch.randn((2, module.num_features), generator=random) / 2
            module.running_mean.copy_(means)
            module.running_var.copy_(variances.exp())
    model.eval()  # where the reference's TinyViT reads its attention biases, and only there


@torch.no_grad()
def calibrate(model: Any, image: torch.Tensor, gain: float = 40.0, n_points: int = 32) -> None:
    """Let masks of a reference differ from point to point, and be good or bad by prediction.

    With weights at random they hardly depend on the prompt. What they have in common is taken off
    the last layers' biases, and what is left is amplified. One channel of the pixels becomes a
    constant, by which all logits are lowered until masks cover a sixth of the image.

    Parameters
    ----------
    model : Sam of a reference package
        With weights of `spread`.
    image : torch.Tensor
        (1, 3, h, w) levels 0..255, no larger than its window.
    gain : float
        How much masks are amplified.
    n_points : int
        From how many points to learn what they have in common.
    """
    decoder = model.mask_decoder
    random = torch.Generator().manual_seed(3)
    points = torch.rand(n_points, 1, 2, generator=random) * torch.tensor(image.shape[:1:-1])
    prompt = {"points": points, "labels": torch.ones(n_points, 1, dtype=torch.int64)}
    encoded = references.encode(model, model.preprocess(image))
    heads = [*decoder.output_hypernetworks_mlps, decoder.iou_prediction_head]
    if hasattr(decoder, "hf_mlp"):
        heads.append(decoder.hf_mlp)
    outputs: dict[nn.Module, torch.Tensor] = {}
    hooks = [head.register_forward_hook(lambda it, _, y: outputs.update({it: y})) for head in heads]
    references.decode(model, *encoded, prompt, False)
    for hook in hooks:
        hook.remove()
    for head, found in outputs.items():
        is_iou = head is decoder.iou_prediction_head
        scale = 0.2 / found.std(0) if is_iou else torch.full_like(found[0], gain)
        last = head.layers[-1]
        last.weight *= scale[:, None]
        last.bias.copy_((last.bias - found.mean(0)) * scale + 0.8 * is_iou)
    upscaling = decoder.output_upscaling[3]
    upscaling.weight[:, 0], upscaling.bias[0] = 0, 1
    lower = decoder.output_hypernetworks_mlps[1:]
    for head in lower:
        head.layers[-1].weight[0], head.layers[-1].bias[0] = 0, 0
    logits = references.decode(model, *encoded, prompt, True)["logits"]
    for i, head in enumerate(lower):
        head.layers[-1].bias[0] = -logits[:, i, ::5, ::5].quantile(5 / 6)


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
    answers, features = {}, None
    for name, window in windows(model.image_size).items():
        encoded = model.encode(window)
        answers[f"embedding, {name}"] = encoded.maps[0]
        # One embedding for both sides would hide how an error in it grows; ours asks as users ask.
        features = encoded if name == "landscape" else features
    assert features is not None
    for name, prompt in prompts(model.image_size).items():
        for multimask in (True, False):
            logits, predicted_iou = model.decode(features, **prompt, multimask=multimask)
            found = {"logits": logits, "predicted IoU": predicted_iou}
            if isinstance(model.mask_decoder, HQMaskDecoder) and multimask:
                best = predicted_iou.argmax(dim=1, keepdim=True)
                found["best predicted IoU"] = predicted_iou.gather(1, best)
                found["best logits"] = logits.take_along_dim(best[..., None, None], dim=1)
            answers |= {f"{what}, {name}, {multimask=}": told for what, told in found.items()}
    return answers


@torch.no_grad()
def ask_reference(model: Any) -> Answers:
    """Ask a `Sam` of `segment_anything` or `segment_anything_hq`."""
    image_size = model.image_encoder.img_size
    answers, encoded = {}, {}
    for name, window in windows(image_size).items():
        encoded[name] = references.encode(model, model.preprocess(window * 255))
        answers[f"embedding, {name}"] = encoded[name][0]
    for name, prompt in prompts(image_size).items():
        for multimask in (True, False):
            found = references.decode(model, *encoded["landscape"], prompt, multimask)
            answers |= {f"{what}, {name}, {multimask=}": told for what, told in found.items()}
    return answers


def differences(ours: Answers, reference: Answers) -> dict[str, float]:
    """Largest absolute difference of every answer."""
    assert ours.keys() == reference.keys()
    assert {k: a.shape for k, a in ours.items()} == {k: a.shape for k, a in reference.items()}
    return {name: (ours[name] - reference[name]).abs().max().item() for name in ours}


def load(ours: Sam, reference: Any) -> Sam:
    """Give ours the weights of the reference, dead ones left out; ready for inference."""
    unused = tuple(f"image_encoder.{prefix}" for prefix in UNUSED_PREFIXES)
    state = {k: v for k, v in reference.state_dict().items() if not k.startswith(unused)}
    ours.load_state_dict(state, assign=True)
    return ours.eval()


def epsilons(model: nn.Module) -> dict[str, float]:
    """What each norm adds to the variance: too little to show in the answers."""
    return {name: part.eps for name, part in model.named_modules() if hasattr(part, "eps")}
