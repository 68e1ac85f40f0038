"""One object through the planes of a stack: each mask is the prompt for the next plane."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from napari_sam.embedding.embeddings import Embeddings
from napari_sam.labels.others import Others
from napari_sam.masks.inmost import inmost_point
from napari_sam.masks.mask import Mask
from napari_sam.prompts.mask_prompt import MaskPrompt
from napari_sam.prompts.prompts import Prompts
from napari_sam.segment.segment_beside import segment_beside
from napari_sam.segment.segment_object import segment_object

Plane = tuple[int, ...]


@dataclass(frozen=True)
class PropagateSettings:
    """When an object has ended.

    Parameters
    ----------
    overlap : float
        IoU with the mask in the plane before, at least.
    pred_iou : float, optional
        Predicted IoU, at least. Default: what suits the model, `Model.accepted_iou`.
    max_planes : int, optional
        Planes on each side, at most.

    Raises
    ------
    ValueError
        If a limit is no share, or there are no planes.
    """

    overlap: float = 0.5
    pred_iou: float | None = None
    max_planes: int | None = None

    def __post_init__(self) -> None:
        for name in ("overlap", "pred_iou"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name} is a share between 0 and 1, found {value}.")
        if self.max_planes is not None and self.max_planes < 1:
            raise ValueError(f"max_planes is 1 or more, found {self.max_planes}.")


def propagate(
    embeddings: Embeddings,
    mask: Mask,
    plane: int | Plane,
    *,
    axis: int | None = None,
    others: Others | None = None,
    settings: PropagateSettings | None = None,
    ends_at: Callable[[Plane], bool] = lambda plane: False,
) -> Iterator[tuple[Plane, Mask]]:
    """Follow an object from one plane to the next, first upwards, then downwards.

    The model is asked in each plane with the mask of the plane before, and with its inmost point.
    The object ends where the model is not sure of its mask, where that hardly overlaps the one
    before, or where there is none.

    Parameters
    ----------
    embeddings : Embeddings
        The image and the model. Windows that are not encoded yet are encoded now.
    mask : Mask
        The object in one plane.
    plane : int or tuple of int
        That plane.
    axis : int, optional
        Along which of the plane's axes. Default: z, or else the last.
    others : Others, optional
        Objects that are there already, and stay whole.
    settings : PropagateSettings, optional
        When the object has ended.
    ends_at : callable
        Tells planes that are not to be looked at: the object ends in front of them.

    Yields
    ------
    plane : tuple of int
    mask : Mask
        Of the object there. The plane that it began with is not among them.

    Raises
    ------
    ValueError
        If the image has one plane only, or the mask is empty.
    """
    shape = embeddings.image.plane_shape
    if not shape:
        raise ValueError("The image is a single plane: there is no other to follow an object to.")
    if not mask.area:
        raise ValueError("The mask is empty: there is nothing to follow.")
    if axis is None:
        names = "".join(name for name in embeddings.image.axes if name not in "cyx")
        axis = names.find("z")  # -1, which is the last, if there is none
    axis = range(len(shape))[axis]
    plane = embeddings.image.normalize_plane(plane)
    settings = settings or PropagateSettings()
    least_iou = settings.pred_iou
    if least_iou is None:
        least_iou = embeddings.model.accepted_iou
    for way in (range(plane[axis] + 1, shape[axis]), range(plane[axis] - 1, -1, -1)):
        before = mask
        for index in way[: settings.max_planes]:
            there = (*plane[:axis], index, *plane[axis + 1 :])
            found = None if ends_at(there) else _next(embeddings, before, there, others)
            if found is None or found.iou(before) < settings.overlap:
                break
            if found.predicted_iou < least_iou:
                break
            yield there, found
            before = found


def _next(embeddings: Embeddings, before: Mask, plane: Plane, others: Others | None) -> Mask | None:
    """Return the mask of an object in a plane beside one where it is known; None if none."""
    prompts = Prompts(
        [np.add(before.box[:2], inmost_point(before.array))],
        mask=MaskPrompt.from_mask(before.array, *before.box[:2]),
    )
    diameter = math.sqrt(4 / math.pi * before.area)
    if others is None:
        found = segment_object(embeddings, prompts, plane=plane, object_diameter=diameter)
    else:
        found = segment_beside(embeddings, prompts, others, plane=plane, object_diameter=diameter)
    return found.best if found else None
