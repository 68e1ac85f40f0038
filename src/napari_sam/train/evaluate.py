"""How well a model segments labeled planes from one click, a box, or three clicks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from skimage.transform import resize
from torch import Tensor
from torch.nn import functional as F

from napari_sam.model import Features, Model
from napari_sam.train.planes import MIN_AREA, LabeledPlane

MEASURES = ("point", "oracle", "box", "clicks3")
"""One center click, best of three by predicted and by real IoU; a tight box; three clicks."""


@dataclass(frozen=True)
class Crop:
    """The part of a plane that is evaluated: image (C, h, w) in [0, 1] and labels (h, w)."""

    image: np.ndarray
    labels: np.ndarray


def scaled_crop(plane: LabeledPlane, size: int, diameter: float) -> Crop:
    """Scale the plane's median object to `diameter` and cut the window richest in objects."""
    scale = diameter / plane.diameter
    shape = [max(16, round(n * scale)) for n in plane.labels[0].shape]
    image = resize(plane.image.astype(np.float32), shape, order=1, anti_aliasing=scale < 1)
    labels = resize(plane.labels[0], shape, order=0, preserve_range=True, anti_aliasing=False)
    centers = np.argwhere(labels > 0)
    corner = np.clip(
        np.median(centers, axis=0) - size / 2, 0, np.maximum(np.array(shape) - size, 0)
    )
    y, x = corner.astype(int)
    cut = np.s_[y : y + size, x : x + size]
    return Crop(np.ascontiguousarray(image[cut].transpose(2, 0, 1)), labels[cut].astype(np.int32))


def whole_objects(labels: np.ndarray, limit: int) -> list[np.ndarray]:
    """Up to `limit` objects, spread evenly over the ids, that the crop does not cut."""
    cut = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    ids, areas = np.unique(labels, return_counts=True)
    kept = [i for i, a in zip(ids, areas, strict=True) if i and a >= MIN_AREA and i not in cut]
    chosen = np.linspace(0, len(kept) - 1, min(limit, len(kept))).round().astype(int)
    return [labels == kept[i] for i in chosen]


def center_point(region: np.ndarray) -> tuple[float, float]:
    """(x, y) of the pixel deepest inside a region."""
    depth = ndimage.distance_transform_edt(np.pad(region, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return float(x), float(y)


def largest_error(mask: np.ndarray, predicted: np.ndarray) -> tuple[tuple[float, float], int]:
    """Middle of the largest wrong region, and the sign that corrects it."""
    regions, n = ndimage.label(mask ^ predicted)
    if n == 0:
        return center_point(mask), 1
    largest = regions == 1 + np.bincount(regions.ravel())[1:].argmax()
    x, y = center_point(largest)
    return (x, y), int(mask[int(y), int(x)])


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boolean arrays."""
    return float((a & b).sum() / max((a | b).sum(), 1))


@dataclass
class PromptedModel:
    """A model with the features of one crop, answering prompts with masks of the crop's shape."""

    model: Model
    features: Features
    shape: tuple[int, int]

    def __call__(
        self,
        points: list[tuple[float, float]] | None = None,
        labels: list[int] | None = None,
        box: tuple[float, ...] | None = None,
        mask: Tensor | None = None,
        multimask: bool = True,
    ) -> tuple[np.ndarray, np.ndarray, Tensor]:
        """Masks (M, h, w), predicted IoU (M,) and low-resolution logits (M, h', w')."""
        logits, predicted_iou = self.model.decode(
            self.features,
            None if points is None else torch.tensor([points]),
            None if labels is None else torch.tensor([labels]),
            None if box is None else torch.tensor([box]),
            mask,
            multimask,
        )
        size = (self.model.image_size,) * 2
        full = F.interpolate(logits, size, mode="bilinear")[0, :, : self.shape[0], : self.shape[1]]
        return (full > 0).cpu().numpy(), predicted_iou[0].float().cpu().numpy(), logits[0]


def evaluate_object(ask: PromptedModel, truth: np.ndarray) -> dict[str, float]:
    """IoU of one object by each of the `MEASURES`, and the IoU that was predicted for the click."""
    points, signs = [center_point(truth)], [1]
    masks, predicted_iou, logits = ask(points, signs)
    ious = [iou(m, truth) for m in masks]
    best = int(predicted_iou.argmax())
    figures = {"point": ious[best], "oracle": max(ious), "predicted": float(predicted_iou[best])}

    ys, xs = np.nonzero(truth)
    boxed, box_iou, _ = ask(box=tuple(map(float, (xs.min(), ys.min(), xs.max(), ys.max()))))
    figures["box"] = iou(boxed[box_iou.argmax()], truth)

    current, previous = masks[best], logits[best]
    for _ in range(2):
        point, sign = largest_error(truth, current)
        points, signs = [*points, point], [*signs, sign]
        refined, _, low = ask(points, signs, mask=previous[None, None], multimask=False)
        current, previous = refined[0], low[0]
    figures["clicks3"] = iou(current, truth)
    return figures


def evaluate_planes(
    model: Model,
    planes: list[LabeledPlane],
    diameter: float = 36.0,
    max_planes: int = 10,
    max_objects: int = 20,
) -> dict[str, float]:
    """Mean IoU over objects, by each of the `MEASURES`.

    Parameters
    ----------
    model : Model
    planes : list of LabeledPlane
        At most `max_planes`, spread evenly, are used.
    diameter : float
        Size to which each plane's median object is scaled, in samples of the window.

    Returns
    -------
    dict
        The measures, ``correlation`` of predicted and real IoU, and ``objects``, their number.
    """
    picked = np.linspace(0, len(planes) - 1, min(max_planes, len(planes))).round().astype(int)
    rows: list[dict[str, float]] = []
    for i in picked:
        crop = scaled_crop(planes[i], model.image_size, diameter)
        ask = PromptedModel(
            model, model.encode(torch.from_numpy(crop.image)[None]), crop.labels.shape
        )
        rows += [evaluate_object(ask, truth) for truth in whole_objects(crop.labels, max_objects)]
    if not rows:
        return {"objects": 0, **dict.fromkeys((*MEASURES, "correlation"), math.nan)}
    columns = {key: np.array([row[key] for row in rows]) for key in rows[0]}
    means = {key: float(columns[key].mean()) for key in MEASURES}
    real, predicted = columns["point"], columns["predicted"]
    varies = np.ptp(real) > 0 and np.ptp(predicted) > 0
    correlation = float(np.corrcoef(real, predicted)[0, 1]) if varies else math.nan
    return {"objects": len(rows), **means, "correlation": correlation}


def markdown_table(results: dict[str, dict[str, float]], in_domain: set[str]) -> str:
    """Format the figures by source, with the mean over the in-domain sources."""
    columns = ("objects", *MEASURES, "correlation")
    lines = ["| source | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]

    def line(name: str, row: dict[str, float]) -> str:
        cells = [str(round(row["objects"])), *(f"{row[c]:.3f}" for c in columns[1:])]
        return f"| {name} | " + " | ".join(cells) + " |"

    inside = [name for name in results if name in in_domain]
    lines += [line(name, results[name]) for name in inside]
    if inside:
        mean = {c: float(np.mean([results[n][c] for n in inside])) for c in columns}
        mean["objects"] = sum(results[n]["objects"] for n in inside)
        lines.append(line("**in-domain mean**", mean))
    lines += [line(f"{n} (out of domain)", results[n]) for n in results if n not in in_domain]
    return "\n".join(lines)
