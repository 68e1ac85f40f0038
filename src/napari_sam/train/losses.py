"""Losses of masks, of predicted quality, and of the instance head."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

FOREGROUND_WEIGHT = 4.0


def mask_loss(logits: Tensor, target: Tensor) -> Tensor:
    """5 × weighted cross-entropy + dice: logits (N, M, h, w), target (N, h, w) → (N, M)."""
    target = target[:, None].expand_as(logits)
    weight = 1 + (FOREGROUND_WEIGHT - 1) * target
    entropy = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="none")
    probability = logits.sigmoid()
    overlap = (probability * target).sum((-2, -1))
    total = probability.sum((-2, -1)) + target.sum((-2, -1))
    return 5 * entropy.mean((-2, -1)) + 1 - (2 * overlap + 1) / (total + 1)


def mask_iou(logits: Tensor, target: Tensor) -> Tensor:
    """IoU of the thresholded masks: logits (N, M, h, w), target (N, h, w) → (N, M)."""
    predicted, truth = logits > 0, (target > 0.5)[:, None]
    union = (predicted | truth).sum((-2, -1)).clamp(min=1)
    return (predicted & truth).sum((-2, -1)) / union


def quality_loss(predicted_iou: Tensor, iou: Tensor) -> Tensor:
    """Mean cross-entropy of the predicted IoU (N, M), a probability, with the real one.

    Unlike a squared error it keeps its slope where the prediction is surely wrong.
    """
    p = predicted_iou.float().clamp(1e-4, 1 - 1e-4)
    return -(iou * p.log() + (1 - iou) * (1 - p).log()).mean()


def prompt_loss(logits: Tensor, predicted_iou: Tensor, target: Tensor, ambiguous: bool) -> Tensor:
    """Loss of the four masks of N prompts.

    Of the three ambiguous masks the best one learns most; the single mask (index 0) learns always,
    and is what counts once a prompt is clear. Where there is no object, only the predicted quality
    learns: that it is 0.
    """
    losses = mask_loss(logits, target)
    single, three = losses[:, 0], losses[:, 1:]
    weights = (1.0, 0.5) if ambiguous else (0.5, 1.0)
    masks = weights[0] * three.amin(1) + weights[1] * single + 0.1 * three.mean(1)
    is_object = target.flatten(1).any(1)
    masks = (masks * is_object).sum() / is_object.sum().clamp(min=1)
    return masks + quality_loss(predicted_iou, mask_iou(logits, target))


def instance_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of the foreground, L1 of the distances inside it: both (B, 3, h, w)."""
    foreground = target[:, 0]
    entropy = F.binary_cross_entropy_with_logits(logits[:, 0], foreground)
    error = (logits[:, 1:].sigmoid() - target[:, 1:]).abs().sum(1)
    return entropy + (error * foreground).sum() / foreground.sum().clamp(min=1)
