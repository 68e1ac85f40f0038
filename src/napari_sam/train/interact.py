"""One round of a simulated interaction that the network learns from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.train.losses import mask_iou, prompt_loss
from napari_sam.train.simulate import corrections, first_prompts, random_clicks

Batch = dict[str, Tensor]

WINDOW = 512
"""Positions are told within a window of this side; crops are placed anywhere in it."""

FORGET = 0.25
"""Share of the rounds after the first in which the previous mask is not shown."""


def graded_round(
    decoder: nn.Module, embedding: Tensor, detail: Tensor, batch: Batch
) -> tuple[Tensor, dict[str, float]]:
    """Let the simulated user click some times, then take the loss of the next mask.

    The clicks are simulated without gradients (Sofiiuk et al. 2022), so that long sequences cost
    little.

    Parameters
    ----------
    decoder : NanoMaskDecoder
    embedding, detail : (B, C, h, w) and (B, C', 2h, 2w) tensors
    batch : dict
        ``masks`` (B, N, S, S) and ``background`` (B, S, S).

    Returns
    -------
    loss : scalar tensor
    figures : dict
        To log: IoU of the best of three masks and of the one preferred, or, after corrections, of
        the single mask.
    """
    masks = batch["masks"].flatten(0, 1)  # (B · N, S, S)
    n_objects = batch["masks"].shape[1]
    embedding, detail, background = (
        m.repeat_interleave(n_objects, 0) for m in (embedding, detail, batch["background"])
    )
    target = F.avg_pool2d(masks[:, None].float(), 2)[:, 0]
    origin = torch.rand(2, device=masks.device) * (WINDOW - masks.shape[-1])
    points, labels, boxes = first_prompts(masks, background)
    previous, n_clicks = None, random_clicks()
    for i in range(n_clicks):
        with torch.no_grad():
            logits, predicted_iou = decoder(
                embedding, detail, points, labels, boxes, previous, origin
            )
        previous = preferred(logits, predicted_iou, is_first=i == 0)
        full = F.interpolate(previous, masks.shape[-2:], mode="bilinear")[:, 0]
        click, sign = corrections(masks, full > 0)
        points, labels = torch.cat([points, click], 1), torch.cat([labels, sign], 1)
    if torch.rand(()) < FORGET:
        previous = None
    logits, predicted_iou = decoder(embedding, detail, points, labels, boxes, previous, origin)
    loss = prompt_loss(logits, predicted_iou, target, ambiguous=n_clicks == 0)
    return loss, figures(logits.detach(), predicted_iou.detach(), target, n_clicks)


def preferred(logits: Tensor, predicted_iou: Tensor, is_first: bool) -> Tensor:
    """Return what is shown to the user: the best of three, once a prompt is clear the single mask.

    (N, 4, h, w) logits → (N, 1, h, w).
    """
    if not is_first:
        return logits[:, :1]
    best = predicted_iou[:, 1:].argmax(1) + 1
    return logits[torch.arange(len(logits), device=logits.device), best][:, None]


def figures(
    logits: Tensor, predicted_iou: Tensor, target: Tensor, n_clicks: int
) -> dict[str, float]:
    """Mean IoU over the prompts that ask for an object."""
    is_object = target.flatten(1).any(1)
    if not is_object.any():
        return {}
    logits, predicted_iou, target = logits[is_object], predicted_iou[is_object], target[is_object]
    if n_clicks:
        return {"corrected": mask_iou(logits[:, :1], target).mean().item()}
    oracle = mask_iou(logits[:, 1:], target).amax(1).mean().item()
    chosen = mask_iou(preferred(logits, predicted_iou, is_first=True), target).mean().item()
    return {"oracle": oracle, "chosen": chosen}
