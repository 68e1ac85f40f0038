"""All objects of one window, prompted by what the model's instance maps show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from napari_sam.image.window import Window
from napari_sam.masks.mask import Mask
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.resample import mask_from_logits
from napari_sam.masks.suppression import suppress
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.prompts.mask_prompt import MaskPrompt
from napari_sam.segment.seed_settings import SeedSettings
from napari_sam.segment.watershed import Region, find_regions, watershed_masks

__all__ = ["SeedSettings", "seed_masks", "watershed_masks"]

SEEDS_AT_ONCE = 32


def seed_masks(
    model: Model,
    features: Features,
    window: Window,
    shape_yx: tuple[int, int],
    settings: SeedSettings | None = None,
) -> MaskTable:
    """Let the mask decoder look again at each region of one window.

    Each region gives a point and a mask as prompts, and takes the best of three masks by predicted
    IoU, its part under the point. (Of points, boxes, masks and their combinations, these prompts
    gave the masks closest to the truth, with nano on eight kinds of images.)

    Parameters
    ----------
    model : Model
        With instance maps.
    features : Features
        Of the window.
    window : Window
        Where they were computed.
    shape_yx : tuple of int
        Rows and columns of the image.
    settings : SeedSettings, optional
        What counts as an object.

    Returns
    -------
    MaskTable
        One mask for each object, the best first, in level-0 pixels, with the decoder's scores.

    Raises
    ------
    ValueError
        If the model has no instance maps.
    """
    settings = settings or SeedSettings()
    regions = list(find_regions(model, features, window, shape_yx, settings))
    found = [
        (mask, region.point)
        for start in range(0, len(regions), SEEDS_AT_ONCE)
        for region, logits, iou in _decode(
            model, features, window, regions[start : start + SEEDS_AT_ONCE]
        )
        if (mask := _mask_at(region, logits, iou, shape_yx)).area
    ]
    table = MaskTable.of(
        (mask for mask, _ in found), points=np.reshape([point for _, point in found], (-1, 2))
    )
    return table.select(suppress(table, settings.overlap, by="smaller"))


def _decode(
    model: Model, features: Features, window: Window, regions: list[Region]
) -> Iterator[tuple[Region, MaskPrompt, float]]:
    """Yield the best low-resolution logits for each region, and their predicted IoU."""
    step = window.step * model.image_size / model.low_res_size
    points = np.array([window.to_window(region.point)[::-1] for region in regions])
    masks = np.array(
        [region.logits.resample(window.y, window.x, step, model.low_res_size) for region in regions]
    )
    with torch.inference_mode():
        logits, predicted_iou = model.decode(
            features,
            points=torch.from_numpy(points).float()[:, None],
            labels=torch.ones(len(regions), 1, dtype=torch.int64),
            mask=torch.from_numpy(masks)[:, None],
        )
    iou, best = predicted_iou.float().cpu().max(dim=1)
    chosen = logits.float().cpu()[torch.arange(len(regions)), best]
    for region, low_res, score in zip(regions, chosen.numpy(), iou.tolist(), strict=True):
        yield region, MaskPrompt(low_res, y=window.y, x=window.x, step=step), score


def _mask_at(
    region: Region, logits: MaskPrompt, predicted_iou: float, shape_yx: tuple[int, int]
) -> Mask:
    """Return the part of the mask under the region's point, or its largest part."""
    mask = mask_from_logits(logits, shape_yx, predicted_iou=predicted_iou)
    under_point = mask.components_at(region.point[None])
    return under_point if under_point.area else mask.largest_component()
