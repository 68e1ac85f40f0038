"""Pictures of how sizes and scores are distributed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sam.labels.array import LabelsArray
from napari_sam.labels.export.extra import load_extra
from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.export.measurements import in_one_unit, unit_of
from napari_sam.labels.export.new_file import new_file
from napari_sam.labels.export.objects import find_in_plane
from napari_sam.labels.export.scores import Scores
from napari_sam.labels.export.tiff import SYMBOLS
from napari_sam.labels.pyramid import LabelsPyramid

BINS = 40

LONG_TAIL = 20
"""If the largest value is so many times the median, the axis is logarithmic."""

TITLES = {"predicted_iou": "Predicted IoU", "stability": "Stability score"}


def write_histograms(
    labels: LabelsArray | LabelsPyramid,
    path: str | os.PathLike[str],
    *,
    axes: str | None = None,
    scale: Sequence[float] | None = None,
    units: Sequence[str | None] | None = None,
    scores: Mapping[str, ArrayLike] | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a PNG with a histogram of the objects' sizes, and one of each score.

    Parameters
    ----------
    labels, axes, scale, units, scores, overwrite
        As for `export_labels`. In a stack the size is the volume.
    path : path
        The file.

    Returns
    -------
    pathlib.Path
        The file.
    """
    described, given = (
        in_one_unit(LabelImage.of(labels, axes=axes, scale=scale, units=units)),
        Scores.parse(scores),
    )
    panels = {_size_title(described): object_sizes(described)}
    for name, title in TITLES.items():
        if name in given.columns:
            panels[title] = given.columns[name]
    target = Path(path)
    with new_file(target, overwrite=overwrite) as unfinished:
        _draw(panels).savefig(unfinished, format="png", dpi=150)
    return target


def object_sizes(labels: LabelImage) -> NDArray[np.float64]:
    """Return the area of each object of each plane; in a stack, the volume of each object."""
    pixel = np.prod([s for s, axis in zip(labels.scale, labels.axes, strict=True) if axis in "zyx"])
    sizes: dict[tuple[int, ...], int] = {}
    for plane in labels.planes():
        found = find_in_plane(labels, plane)
        place = tuple(i for axis, i in labels.named(plane).items() if axis != "z")
        for label, area in zip(found.labels.tolist(), found.areas.tolist(), strict=True):
            sizes[(*place, label)] = sizes.get((*place, label), 0) + area
    return np.array(list(sizes.values()), np.float64) * pixel


def _size_title(labels: LabelImage) -> str:
    name, power = ("Volume", "³") if "z" in labels.axes else ("Area", "²")
    unit = unit_of(labels)
    return f"{name} ({SYMBOLS.get(unit, unit)}{power})"


def _draw(panels: Mapping[str, NDArray[np.float64]]) -> Any:
    """Return a figure with a histogram beside the other."""
    figure = load_extra("matplotlib.figure", "Drawing histograms").Figure(
        figsize=(4 * len(panels), 3), layout="constrained"
    )
    for axes, (title, values) in zip(
        np.ravel(figure.subplots(1, len(panels))), panels.items(), strict=True
    ):
        finite = values[np.isfinite(values)]
        bins: int | NDArray[np.float64] = BINS
        if _has_long_tail(finite):
            bins = np.geomspace(finite.min(), finite.max(), BINS + 1)
            axes.set_xscale("log")
        axes.hist(finite, bins=bins, color="#4c78a8")
        axes.set_xlabel(title)
        axes.set_ylabel("Objects")
        axes.set_ylim(0, max(axes.get_ylim()[1], 1))
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.spines[["top", "right"]].set_visible(False)
        note = f"{len(finite)} object{'' if len(finite) == 1 else 's'}"
        if len(finite):
            median = float(np.median(finite))
            axes.axvline(median, color="#e45756", linewidth=1)
            note += f", median {f'{median:,.0f}' if median >= 100 else f'{median:.3g}'}"
        axes.set_title(note, fontsize=9)
    return figure


def _has_long_tail(values: NDArray[np.float64]) -> bool:
    """Whether values above 0 reach so far beyond their median that a linear axis hides most."""
    return bool(len(values) and values.min() > 0 and values.max() > LONG_TAIL * np.median(values))
