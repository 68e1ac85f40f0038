"""One object among others that are there already and stay whole."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.labels.others import Others
from napari_sam.masks.candidates import Candidates
from napari_sam.masks.inmost import inmost_point, roundness
from napari_sam.masks.mask import Mask, clip_box
from napari_sam.prompts.prompts import Prompts
from napari_sam.segment.ready import Ready
from napari_sam.segment.segment_object import segment_object

HERE = "Object {} is here already, and stays whole. Double click opens it again."

LEAST_SHARE = 0.03
"""A neighbor under less than this part of a mask is only cut off, not asked about."""

LEAST_LEFT = 0.1
"""A mask of which a smaller part lies beside others is no object, but what others have left."""

KNOWN_SHARE = 0.9
"""A mask of which at least this part lies on another object means that one; the thin parts beside
it are no objects either."""

ROUND = 0.5
"""What has a lower `roundness` is thin: a rim, or a crescent."""

MOST_NEIGHBORS = 4
"""At most so many neighbors become negative points, those under the most of the mask."""


def segment_beside(
    embeddings: Embeddings,
    prompts: Prompts,
    others: Others,
    *,
    plane: tuple[int, ...] = (),
    rank: int | None = None,
    **how: Any,
) -> Candidates:
    """Segment the one object that the prompts mean, but for what belongs to others.

    If the chosen mask runs into others, the model is asked once more with a negative point inmost
    in each shared part, and with its own first mask. Then each mask loses what is still on others.

    Parameters
    ----------
    embeddings, prompts, plane
        As for `segment_object`.
    others : Others
        Only boxes of them are read.
    rank : int, optional
        The candidate that is compared with the others, 0 is the smallest. Default: the best.
    **how
        As for `segment_object`.

    Returns
    -------
    Candidates
        None of them shares a pixel with another object, or is hardly more than what one has left.
        Empty, with a note, if the prompts mean an object that is there; if all positive points lie
        on others, without asking the model.
    """
    how = {"ready": Ready(embeddings)} | how
    there = [others.at(plane, y, x) for y, x in prompts.positives]
    if there and all(there):
        return Candidates((), note=_here(there[0]))
    found = segment_object(embeddings, prompts, plane=plane, **how)
    if not found:
        return found
    chosen = found[found.index_of(rank)]
    most, share = _most_under(chosen, others, plane, embeddings.image.shape_yx)
    if others.are_negatives:
        points = _inmost_points(chosen, others, plane, embeddings.image.shape_yx)
        if points:
            beside = prompts.with_mask(chosen.logits)
            for y, x in points:
                beside = beside.with_point(y, x, positive=False)
            multimask = len(found) > 1
            again = segment_object(embeddings, beside, plane=plane, multimask=multimask, **how)
            if again:
                found = replace(again, is_tentative=found.is_tentative or again.is_tentative)
    pairs = [(mask, _without(mask, others, plane, prompts)) for mask in found]
    is_known = share >= KNOWN_SHARE
    masks = tuple(left for mask, left in pairs if not _is_left_over(mask, left, is_known))
    note = _here(most) if most and not masks else found.note
    return replace(found, masks=masks, note=note)


def _here(label: int) -> str:
    """Return what to say of what is here already; below 0 it is no object."""
    return HERE.format(label) if label > 0 else f"The labels are {label} here, and stay so."


def _is_left_over(mask: Mask, left: Mask, is_known: bool) -> bool:
    """Whether what is left of a mask beside others is no object of its own."""
    if not left.area or left.area < LEAST_LEFT * mask.area:
        return True
    return is_known and roundness(left.array) < ROUND


def _most_under(
    mask: Mask, others: Others, plane: tuple[int, ...], shape_yx: tuple[int, int]
) -> tuple[int, float]:
    """Return which other object lies under the most of a mask, and under which part; 0, if none."""
    box = clip_box(mask.box, shape_yx)
    shared = others.read(plane, box)[mask.crop(box)]
    labels, areas = np.unique(shared[shared != 0], return_counts=True)
    if not len(labels):
        return 0, 0.0
    most = int(np.argmax(areas))
    return int(labels[most]), float(areas[most] / mask.area)


def _inmost_points(
    mask: Mask, others: Others, plane: tuple[int, ...], shape_yx: tuple[int, int]
) -> list[tuple[float, float]]:
    """Return the inmost point of what a mask shares with each other, the largest shares first."""
    box = clip_box(mask.box, shape_yx)
    shared = np.where(mask.crop(box), others.read(plane, box), 0)
    labels, areas = np.unique(shared[shared > 0], return_counts=True)
    order = np.argsort(-areas, kind="stable")[:MOST_NEIGHBORS]
    points = []
    for label, area in zip(labels[order].tolist(), areas[order].tolist(), strict=True):
        if area >= LEAST_SHARE * mask.area:
            row, column = inmost_point(shared == label)
            points.append((float(box[0] + row), float(box[1] + column)))
    return points


def _without(mask: Mask, others: Others, plane: tuple[int, ...], prompts: Prompts) -> Mask:
    """Return the part of a mask that is not on others and that the prompts mean."""
    height, width = others.labels.shape[-2:]
    box = clip_box(mask.box, (height, width))
    inside = mask.crop(box)
    taken = inside & (others.read(plane, box) != 0)
    if not taken.any():
        return mask
    left = Mask.from_array(inside & ~taken, *box[:2])
    left = replace(mask, box=left.box, array=left.array)
    under_points = left.components_at(prompts.positives)
    return under_points if under_points.area else left.largest_component()
