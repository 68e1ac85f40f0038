"""How well a model segments labeled planes: by clicks, by boxes, and on its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TypeVar, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.transform import resize

from napari_sam.model import Model
from napari_sam.segment.settings import FindSettings, Mode
from napari_sam.train.automatic import find_labels, richest_square, window_of
from napari_sam.train.baselines import GradientWatershed, otsu_watershed
from napari_sam.train.clicks import N_CLICKS, Annotator, PromptedModel, click_object
from napari_sam.train.contact_sheet import Example
from napari_sam.train.planes import MIN_AREA, LabeledPlane
from napari_sam.train.scores import instance_scores

MEASURES = ("point", "oracle", "box", *(f"clicks{n}" for n in range(2, N_CLICKS + 1)))
"""One center click, best of three by predicted and by real IoU; a tight box; 2 to 8 clicks."""

DIAMETER = 36.0
"""Samples to which the median object is scaled where it is clicked."""

Figures = dict[str, float]

T = TypeVar("T")


@dataclass(frozen=True)
class Crop:
    """The part of a plane that is evaluated: image (C, h, w) in [0, 1] and labels (h, w)."""

    image: NDArray[np.floating]
    labels: NDArray[np.int32]


@dataclass(frozen=True)
class Clicked:
    """One object that was clicked: its `MEASURES`, the predicted IoU, and how it looks."""

    figures: Figures
    example: Example


@dataclass(frozen=True)
class Evaluation:
    """Figures of one source by method, for prompts and without; and the objects clicked."""

    prompts: dict[str, Figures]
    automatic: dict[str, Figures]
    examples: list[Example]


def evaluate_source(
    model: Model,
    planes: Sequence[LabeledPlane],
    modes: Sequence[Mode] | None = None,
    max_planes: int = 10,
    max_objects: int = 20,
) -> Evaluation:
    """Compare a model with the truth and with classical image processing.

    Parameters
    ----------
    model : Model
        The network.
    planes : sequence of LabeledPlane
        Of one source.
    modes : sequence of "grid", "seeds" and "watershed", optional
        How all objects are found. Default: seeds and watershed, or the grid if the model has no
        instance maps.
    max_planes, max_objects : int
        Planes that are used, and objects of each that are clicked; spread evenly.
    """
    if modes is None:
        modes = parse_modes(None, model)
    crops = scaled_crops(planes, model.image_size, max_planes=max_planes)
    clicked = click_crops(crops, annotate_by(model), max_objects)
    classical = click_crops(crops, annotate_by_gradient, max_objects)
    return Evaluation(
        {model.name: mean_figures(clicked), "gradient watershed": mean_figures(classical)},
        evaluate_automatic(model, planes, modes, max_planes),
        [c.example for c in clicked],
    )


def parse_modes(text: str | None, model: Model) -> tuple[Mode, ...]:
    """Return the modes named in a text such as ``"seeds,watershed"``.

    None: these two, which are quick, or the grid for a model without instance maps.

    Raises
    ------
    ValueError
        If there is no such mode, or the model lacks what it needs.
    """
    if text is None:
        return ("seeds", "watershed") if model.has_instance_maps else ("grid",)
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in get_args(Mode)]:
        raise ValueError(
            f"There is no mode {unknown[0]!r}; expected some of {', '.join(get_args(Mode))}."
        )
    modes: tuple[Mode, ...] = tuple(mode for mode in get_args(Mode) if mode in names)
    for mode in modes:
        FindSettings(mode=mode).resolved(model, base_step=1)  # refuses what the model can't
    return modes


def evaluate_planes(
    model: Model,
    planes: Sequence[LabeledPlane],
    diameter: float = DIAMETER,
    max_planes: int = 10,
    max_objects: int = 20,
) -> Figures:
    """Return the `mean_figures` of clicking some objects of some planes."""
    crops = scaled_crops(planes, model.image_size, diameter, max_planes)
    return mean_figures(click_crops(crops, annotate_by(model), max_objects))


def scaled_crops(
    planes: Sequence[LabeledPlane], size: int, diameter: float = DIAMETER, max_planes: int = 10
) -> list[Crop]:
    """Return a crop of each plane; of at most `max_planes`, spread evenly."""
    return [scaled_crop(plane, size, diameter) for plane in spread(planes, max_planes)]


def scaled_crop(plane: LabeledPlane, size: int, diameter: float) -> Crop:
    """Scale the plane's median object to `diameter` and cut the square richest in objects."""
    scale = diameter / plane.diameter
    shape = [max(16, round(n * scale)) for n in plane.labels[0].shape]
    image = resize(plane.image.astype(np.float32), shape, order=1, anti_aliasing=scale < 1)
    labels = resize(plane.labels[0], shape, order=0, preserve_range=True, anti_aliasing=False)
    cut = richest_square(labels, size)
    return Crop(np.ascontiguousarray(image[cut].transpose(2, 0, 1)), labels[cut].astype(np.int32))


def annotate_by(model: Model) -> Callable[[Crop], Annotator]:
    """Return what makes a model the annotator of a crop."""
    return lambda crop: PromptedModel(
        model, model.encode(torch.from_numpy(crop.image)[None]), crop.labels.shape
    )


def annotate_by_gradient(crop: Crop) -> Annotator:
    """Make `GradientWatershed`, which is told the typical size, the annotator of a crop."""
    return GradientWatershed(crop.image, reach=DIAMETER)


def click_crops(
    crops: Iterable[Crop], annotate: Callable[[Crop], Annotator], max_objects: int = 20
) -> list[Clicked]:
    """Let an annotator segment some whole objects of each crop."""
    clicked = []
    for crop in crops:
        ask = annotate(crop)
        for truth in whole_objects(crop.labels, max_objects):
            result = click_object(ask, truth)
            example = Example.around(
                result.point, crop.image, truth, result.mask, result.figures["point"]
            )
            clicked.append(Clicked(result.figures, example))
    return clicked


def whole_objects(labels: NDArray[np.int32], limit: int) -> list[NDArray[np.bool_]]:
    """Up to `limit` objects, spread evenly over the ids, that the crop does not cut."""
    cut = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    ids, areas = np.unique(labels, return_counts=True)
    kept = [i for i, a in zip(ids, areas, strict=True) if i and a >= MIN_AREA and i not in cut]
    return [labels == i for i in spread(kept, limit)]


def mean_figures(clicked: Sequence[Clicked]) -> Figures:
    """Average over objects.

    Returns
    -------
    dict
        The `MEASURES`, ``correlation`` of predicted and real IoU of the point (NaN where either is
        constant), and ``objects``, their number.
    """
    if not clicked:
        return {"objects": 0, **dict.fromkeys((*MEASURES, "correlation"), math.nan)}
    columns = {key: np.array([c.figures[key] for c in clicked]) for key in clicked[0].figures}
    real, predicted = columns["point"], columns["predicted"]
    varies = np.ptp(real) > 0 and np.ptp(predicted) > 0
    correlation = float(np.corrcoef(real, predicted)[0, 1]) if varies else math.nan
    means = {key: float(columns[key].mean()) for key in MEASURES}
    return {"objects": len(clicked), **means, "correlation": correlation}


def evaluate_automatic(
    model: Model, planes: Sequence[LabeledPlane], modes: Sequence[Mode], max_planes: int = 10
) -> dict[str, Figures]:
    """Find all objects of one window of each plane, and compare with the truth.

    Every mode sees the window at the same step, which fits the plane's median object.

    Returns
    -------
    dict
        For each mode, and for ``otsu``, the means of `InstanceScores` over the planes, and
        ``planes``, their number.
    """
    rows: dict[str, list[Figures]] = {mode: [] for mode in (*modes, "otsu")}
    for plane in spread(planes, max_planes):
        shown, step = window_of(plane, model)
        for mode in modes:
            found = find_labels(model, shown.image, step, mode)
            rows[mode].append(asdict(instance_scores(shown.labels[0], found)))
        found = otsu_watershed(shown.image, plane.diameter)
        rows["otsu"].append(asdict(instance_scores(shown.labels[0], found)))
    return {
        name: {
            "planes": len(scores),
            **{key: float(np.mean([row[key] for row in scores])) for key in scores[0]},
        }
        for name, scores in rows.items()
        if scores
    }


def spread(items: Sequence[T], limit: int) -> list[T]:
    """Return at most `limit` items, spread evenly from the first to the last."""
    chosen = np.linspace(0, len(items) - 1, min(limit, len(items))).round().astype(int)
    return [items[i] for i in chosen]
