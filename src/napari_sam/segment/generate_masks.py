"""All objects of one whole image, exactly as SAM's own automatic mask generator finds them.

The same masks in the same order, sooner and with less memory: a mask is made only if its predicted
IoU passes; it is enlarged only where it can be, in one step instead of two; its area, stability and
box are counted on the way, and it is kept packed.

Differs on purpose: masks without any pixel are left out; nothing found is an empty list, in crops
too; masks may be wider than 32 767 pixels.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from napari_sam.masks.mask import Mask
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.run_length import mask_to_rle
from napari_sam.masks.suppression import suppress
from napari_sam.model.base import Model
from napari_sam.model.full_size import iter_bands
from napari_sam.model.interrupt import give_way
from napari_sam.model.point_decoder import PointAnswers
from napari_sam.model.whole_image import WholeImage, check_image
from napari_sam.segment.crops import Box, Crop, is_cut, make_crops
from napari_sam.segment.generator_settings import GeneratorSettings, OutputMode
from napari_sam.segment.returned import returned
from napari_sam.segment.small_regions import remove_small_regions

Found: TypeAlias = tuple[Mask, NDArray[np.float64]]
"""A mask, and the point (row, column) that found it."""


def generate_masks(model: Model, image: ArrayLike, **settings: Any) -> list[dict[str, Any]]:
    """Find all objects of an image that the model sees as a whole.

    Asks at a grid of points what is there, and keeps masks that the network trusts, that do not
    depend on the threshold, and that do not repeat a better one. See `segment_grid` for images of
    any size.

    Parameters
    ----------
    model : Model
        Any of `load_model`.
    image : (H, W) or (H, W, 3) uint8 array
        Gray or RGB.
    **settings
        Those of `GeneratorSettings`, which are the official ones; but thresholds that are not given
        suit the model.

    Returns
    -------
    list of dict
        For each mask, in the official order and form: ``segmentation`` as `output_mode` says,
        ``area`` in pixels, ``bbox`` [x, y, w, h], ``predicted_iou``, ``point_coords`` [[x, y]],
        ``stability_score``, ``crop_box`` [x, y, w, h].

    Raises
    ------
    TypeError, ValueError
        If the image or a setting is not as described.
    """
    try:
        chosen = GeneratorSettings(**settings)
    except TypeError as error:
        raise TypeError(f"{error}; see GeneratorSettings for what can be set.") from None
    pixels = np.asarray(image)
    check_image(pixels)
    shape_yx = pixels.shape[0], pixels.shape[1]
    crops = make_crops(shape_yx, chosen.crop_n_layers, chosen.crop_overlap_ratio)
    boxes = np.array([crop.box for crop in crops])
    found = official_masks(model, pixels, chosen)
    return [
        _record(found, row, boxes[found.tiles[row, 1]], shape_yx, chosen.output_mode)
        for row in range(len(found))
    ]


def official_masks(
    model: Model, pixels: NDArray[np.uint8], settings: GeneratorSettings
) -> MaskTable:
    """Return what `generate_masks` finds, in the same order, packed.

    Parameters
    ----------
    model, pixels
        As of `generate_masks`.
    settings : GeneratorSettings
        All but the output mode.

    Returns
    -------
    MaskTable
        Its column `tiles` holds the layer and the number of the crop.
    """
    return returned(iter_official_masks(model, pixels, settings))


def iter_official_masks(
    model: Model, pixels: NDArray[np.uint8], settings: GeneratorSettings
) -> Generator[int, None, MaskTable]:
    """Return what `official_masks` does, and yield how many points each batch has asked.

    It may be left after any of them.
    """
    shape_yx = pixels.shape[0], pixels.shape[1]
    crops = make_crops(shape_yx, settings.crop_n_layers, settings.crop_overlap_ratio)
    tables = []
    for number, crop in enumerate(crops):
        tables.append((yield from _iter_crop(model, pixels, crop, number, settings)))
    found = MaskTable.concatenate(tables)
    if len(crops) > 1:
        crop_boxes = np.array([crop.box for crop in crops])[found.tiles[:, 1]]
        sides = crop_boxes[:, 2:] - crop_boxes[:, :2]
        scores = 1 / sides.prod(axis=1).astype(np.float32)
        found = found.select(suppress(found, settings.crop_nms_thresh, scores=scores))
    if settings.min_mask_region_area:
        found = _without_small_regions(found, shape_yx, settings)
    return found


def _iter_crop(
    model: Model, image: NDArray[np.uint8], crop: Crop, number: int, settings: GeneratorSettings
) -> Generator[int, None, MaskTable]:
    """Return the masks of one crop without repetitions, best first, in pixels of the image.

    The column `tiles` holds the layer and the number of the crop.
    """
    y0, x0, y1, x1 = crop.box
    seen = WholeImage(model, image[y0:y1, x0:x1])
    tables: list[MaskTable] = []
    for n_points, masks in _iter_batches(seen, settings, crop.layer):
        tables += (
            MaskTable.of([mask], points=[point], tile=(crop.layer, number)) for mask, point in masks
        )
        yield n_points
    found = MaskTable.concatenate(tables)
    found = found.select(~is_cut(found.boxes, crop.box, (image.shape[0], image.shape[1])))
    return found.select(suppress(found, settings.box_nms_thresh)).shifted(y0, x0)


def _iter_batches(
    seen: WholeImage, settings: GeneratorSettings, layer: int
) -> Iterator[tuple[int, Iterator[Found]]]:
    """Yield for each batch of points how many they are, and the masks that pass the thresholds."""
    points = settings.grid(layer) * seen.shape_yx
    xy = seen.in_window(torch.from_numpy(points))
    assert xy is not None
    decoder = seen.model.point_decoder(seen.features)
    batch = min(settings.points_per_batch, decoder.batch)
    accepted = settings.accepted_iou(seen.model)
    min_iou = accepted if accepted > 0 else -torch.inf
    for start in range(0, len(points), batch):
        give_way()
        asked = slice(start, start + batch)
        answers = decoder(xy[asked], min_iou, best_only=seen.model.masks_per_point == 1)
        yield len(points[asked]), _iter_masks(seen, settings, points[asked], answers)


def _iter_masks(
    seen: WholeImage,
    settings: GeneratorSettings,
    points: NDArray[np.float64],
    answers: PointAnswers,
) -> Iterator[Found]:
    limit = np.float32(settings.accepted_stability(seen.model))
    logits = answers.logits.float().cpu().numpy()
    columns = (logits, answers.predicted_iou.tolist(), answers.indices)
    for low, iou, index in zip(*columns, strict=True):
        mask = _full_size_mask(low, seen, settings.stability_score_offset)
        if mask.area and (limit <= 0 or mask.stability_score >= limit):
            yield replace(mask, predicted_iou=iou), points[int(index)]


def _full_size_mask(logits: NDArray[np.float32], seen: WholeImage, offset: float) -> Mask:
    """Enlarge (L, L) logits to the image, and count on the way how stable the mask is."""
    bands: list[NDArray[np.bool_]] = []
    n_inner, n_outer, y0, x0 = 0, 0, 0, 0
    for y, x, values in iter_bands(logits, seen.rows, seen.columns, -offset):
        y0, x0 = (y0, x0) if bands else (y.start, x.start)
        bands.append(values > 0)
        n_inner += int(np.count_nonzero(values > offset))
        n_outer += int(np.count_nonzero(values > -offset))
    array = np.concatenate(bands) if bands else np.zeros((0, 0), bool)
    stability = np.float32(n_inner) / np.float32(n_outer) if n_outer else np.nan
    return Mask.from_array(array, y0, x0, stability_score=float(stability))


def _without_small_regions(
    found: MaskTable, shape_yx: tuple[int, int], settings: GeneratorSettings
) -> MaskTable:
    """Clean masks; of two that have become the same, keep one that was clean, if there is one."""
    is_clean = np.ones(len(found), bool)

    def iter_cleaned() -> Iterator[Mask]:
        for row, mask in enumerate(found):
            cleaned = remove_small_regions(mask, settings.min_mask_region_area, shape_yx)
            is_clean[row] = cleaned is mask
            yield cleaned

    cleaned = replace(MaskTable.of(iter_cleaned(), points=found.points), tiles=found.tiles)
    overlap = max(settings.box_nms_thresh, settings.crop_nms_thresh)
    return cleaned.select(suppress(cleaned, overlap, scores=is_clean.astype(float)))


def _record(
    found: MaskTable, row: int, crop_box: Box, shape_yx: tuple[int, int], form: OutputMode
) -> dict[str, Any]:
    """Return a mask in the official form."""
    mask = found[row]
    segmentation: Any
    if form == "binary_mask":
        segmentation = mask.to_array(shape_yx)
    else:
        segmentation = mask_to_rle(mask, shape_yx, compressed=form == "coco_rle")
    y, x = found.points[row].tolist()
    top, left, bottom, right = mask.box
    y0, x0, y1, x1 = (int(edge) for edge in crop_box)
    return {
        "segmentation": segmentation,
        "area": mask.area,
        "bbox": [left, top, right - 1 - left, bottom - 1 - top],  # without the last pixel
        "predicted_iou": mask.predicted_iou,
        "point_coords": [[x, y]],
        "stability_score": mask.stability_score,
        "crop_box": [x0, y0, x1 - x0, y1 - y0],
    }
