"""Single objects as the plugin finds them: the window and its scale are chosen from the prompt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from napari_sam.embedding import Embeddings
from napari_sam.masks.mask import Mask
from napari_sam.prompts.prompts import Prompts
from napari_sam.segment.segment_object import segment_object
from napari_sam.train.automatic import richest_square
from napari_sam.train.clicks import center_point
from napari_sam.train.evaluate import Figures, spread, whole_objects
from napari_sam.train.planes import LabeledPlane

DIAMETERS = 6
"""Side of a `Part`, in diameters of the plane's median object."""

TYPICAL = 2.0
"""Objects are typical whose area is the median's, up to so many times more or less."""


@dataclass(frozen=True)
class Part:
    """Part of a plane, with some typical objects.

    Attributes
    ----------
    image : (H, W, C) float32 array in [0, 1]
        Gray or RGB.
    objects : tuple of (H, W) bool arrays
    diameter : float
        Of the plane's median object, in pixels.
    """

    image: NDArray[np.float32]
    objects: tuple[NDArray[np.bool_], ...]
    diameter: float

    @classmethod
    def richest(cls, plane: LabeledPlane, max_objects: int) -> Part:
        """Cut the square of `DIAMETERS` with the most objects; keep whole, typical ones."""
        cut = richest_square(plane.labels[0], round(DIAMETERS * plane.diameter))
        labels = plane.labels[0][cut]
        median = np.median(plane.areas)
        whole = [
            mask
            for mask in whole_objects(labels, limit=labels.size)
            if median / TYPICAL <= mask.sum() <= median * TYPICAL
        ]
        image = plane.image[cut].astype(np.float32)
        return cls(image, tuple(spread(whole, max_objects)), plane.diameter)

    def scaled(self, diameter: float, least_side: int) -> Part:
        """Scale the median object to a diameter, and mirror the image until it is large enough.

        An image smaller than a window would tell the plugin that its objects are small.
        """
        scale = diameter / self.diameter
        shape = [max(1, round(n * scale)) for n in self.image.shape[:2]]

        def scale_to(array: NDArray[np.floating]) -> NDArray[np.float32]:
            scaled = resize(array, shape, order=1, anti_aliasing=scale < 1)
            return np.asarray(scaled, np.float32)

        missing = [max(0, least_side - n) for n in shape]
        pad = [(n // 2, n - n // 2) for n in missing]
        image = np.pad(scale_to(self.image), [*pad, (0, 0)], mode="symmetric")
        objects = [np.pad(scale_to(mask.astype(np.float32)) > 0.5, pad) for mask in self.objects]
        return Part(image, tuple(mask for mask in objects if mask.any()), diameter)


def segment_part(embeddings: Embeddings, part: Part) -> list[Figures]:
    """Segment every object of a part as a user does.

    Returns
    -------
    list of dict
        For each object the IoU of a ``point`` at its center with the median diameter told, of a
        tight ``box``, and of the ``point alone``.
    """
    return [_segment(embeddings, truth, part.diameter) for truth in part.objects]


def _segment(embeddings: Embeddings, truth: NDArray[np.bool_], diameter: float) -> Figures:
    wanted = Mask.from_array(truth)
    (y0, x0, y1, x1), (x, y) = wanted.box, center_point(truth)

    def iou(prompts: Prompts, object_diameter: float | None = None) -> float:
        found = segment_object(embeddings, prompts, object_diameter=object_diameter)
        return found.best.iou(wanted) if len(found) else 0.0

    point = Prompts([(y, x)])
    return {
        "point": iou(point, diameter),
        "box": iou(Prompts(box=(y0, x0, y1 - 1, x1 - 1))),
        "point alone": iou(point),
    }


def mean_of(rows: Iterable[Figures]) -> Figures:
    """Return the means over objects, and ``objects``, their number; empty if there are none."""
    rows = list(rows)
    if not rows:
        return {}
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    return {"objects": len(rows), **means}
