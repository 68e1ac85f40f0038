"""Objects of labeled volumes: what linking planes gives, and what is lost where.

Run from the repository::

    OMP_NUM_THREADS=1 python -m benchmarks.volumes FOLDER

FOLDER holds sources as of ``napari-sam evaluate``; those that are volumes are taken. Printed is the
average precision at an IoU of 0.5, TP / (TP + FN + FP), of what nano finds plane by plane: the mean
over the planes, and of the whole volume without links and with them. Then that of perfect planes,
which tells what linking alone loses: the truth, in each plane with numbers that tell nothing; and
the same with each part of an object that lies in pieces in a plane for itself, as nobody could know
better from one plane.

Behind these, how well an object is followed (`propagate`) from its largest plane, where it is as
the truth has it: the mean IoU in three dimensions over some objects, and what that plane alone
would be.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

import napari_sam as ns
from napari_sam.model.base import Model
from napari_sam.segment.link import link_planes
from napari_sam.segment.settings import LinkSettings, SegmentSettings
from napari_sam.segment.stacks import count_pairs
from napari_sam.train.clicks import iou
from napari_sam.train.evaluate import spread
from napari_sam.train.files import find_sources, iter_labeled
from napari_sam.train.scores import instance_scores

Labels = NDArray[np.integer]

HEAD = (
    "volume | objects | planes | volume, no links | linked | perfect planes, linked | in parts | "
    "followed | its plane alone"
)

MAX_FOLLOWED = 10
"""Objects of a volume that are followed."""


def ap50(truth: Labels, found: Labels) -> float:
    """Return the average precision at an IoU of 0.5."""
    return instance_scores(truth, found).ap50


def link(planes: Sequence[Labels], settings: LinkSettings) -> Labels:
    """Link planes whose objects have the numbers from 1 on each."""
    areas = [np.bincount(plane.ravel()) for plane in planes]
    shared = [np.zeros((0, 5), np.int64)]
    for i, plane in enumerate(planes):
        for j in range(i + 1, min(i + 2 + settings.max_gap, len(planes))):
            shared.append(count_pairs(i, j, plane, planes[j]))
    numbers = link_planes(range(len(planes)), areas, np.concatenate(shared), settings)
    return np.stack([own[plane] for own, plane in zip(numbers, planes, strict=True)])


def shuffled(plane: Labels) -> Labels:
    """Return the same objects in numbers from 1 on that tell nothing."""
    there = np.unique(plane[plane > 0])
    numbers = np.zeros(int(plane.max()) + 1, np.int64)
    numbers[there] = 1 + np.random.default_rng(0).permutation(len(there))
    return numbers[plane]


def segment(image: NDArray[np.number], model: Model, links: LinkSettings) -> Labels:
    """Return what a run finds in a volume."""
    with tempfile.TemporaryDirectory() as folder:
        embeddings = ns.Embeddings(ns.open_image(image, axes="zyx"), model)
        settings = SegmentSettings(link=links)
        return ns.segment_stack(embeddings, Path(folder) / "labels.zarr", settings=settings).data[:]


def follow(image: NDArray[np.number], truth: Labels, model: Model) -> tuple[float, float]:
    """Return how well objects are followed from their largest planes, and these planes alone."""
    embeddings = ns.Embeddings(ns.open_image(image, axes="zyx"), model)
    ids = [i for i in np.unique(truth[truth > 0]) if (truth == i).any((1, 2)).sum() > 2]
    ious = []
    for i in spread(ids, MAX_FOLLOWED):
        there = truth == i
        largest = int(there.sum((1, 2)).argmax())
        found = np.zeros_like(there)
        found[largest] = there[largest]
        alone = iou(found, there)
        for (z,), mask in ns.propagate(embeddings, ns.Mask.from_array(there[largest]), largest):
            found[z] = mask.to_array(there.shape[1:])
        ious.append((iou(found, there), alone))
    followed, alone = np.mean(ious, axis=0).tolist()
    return followed, alone


def measure(image: NDArray[np.number], truth: Labels, model: Model) -> list[float]:
    """Return the columns behind the number of objects."""
    alone = segment(image, model, LinkSettings(is_linked=False))
    in_parts = [label(plane, background=0, connectivity=2) for plane in truth]
    return [
        float(np.mean([ap50(*pair) for pair in zip(truth, alone, strict=True)])),
        ap50(truth, alone),
        ap50(truth, segment(image, model, LinkSettings())),
        ap50(truth, link([shuffled(plane) for plane in truth], LinkSettings())),
        ap50(truth, link(in_parts, LinkSettings())),
        *follow(image, truth, model),
    ]


def main(folder: str) -> None:
    """Print a line for each volume."""
    model = ns.load_model("nano", device="cpu")
    print(HEAD)
    for source in find_sources(Path(folder)):
        for number, labeled in enumerate(iter_labeled(source)):
            if labeled.image.ndim < 3 or labeled.is_rgb:
                break
            truth = labeled.labels[0]
            figures = measure(labeled.image, truth, model)
            cells = [f"{source.stem} {number}", str(np.count_nonzero(np.unique(truth)))]
            print(" | ".join([*cells, *(f"{figure:.3f}" for figure in figures)]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
