"""Linking on real labelled volumes, where they are: NAPARI_SAM_DATA, or shared/data beside us."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.measure import label

from napari_sam.embedding import Embeddings
from napari_sam.image import open_image
from napari_sam.model import load_model
from napari_sam.segment.link import link_planes
from napari_sam.segment.settings import LinkSettings, SegmentSettings
from napari_sam.segment.stack import segment_stack

CANDIDATES = [Path(os.environ.get("NAPARI_SAM_DATA", "no such folder"))] + [
    parent / "shared" / "data" for parent in Path(__file__).parents
]


def load_volume(name: str) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Return image and true labels (z, y, x)."""
    files = [folder / "dev" / f"{name}.npz" for folder in CANDIDATES]
    found = next((file for file in files if file.exists()), None)
    if found is None:
        pytest.skip("the labelled volumes are not here; name their folder in NAPARI_SAM_DATA")
    with np.load(found) as arrays:
        return arrays["image_000"], arrays["label_000"]


def ap50(truth: NDArray[np.integer], found: NDArray[np.integer]) -> float:
    """Return TP / (TP + FN + FP) at an IoU of 0.5."""
    names = [np.unique(labels, return_inverse=True) for labels in (truth, found)]
    (true_ids, true_index), (found_ids, found_index) = names
    shape = len(true_ids), len(found_ids)
    codes = np.ravel_multi_index((true_index.ravel(), found_index.ravel()), shape)
    both = np.bincount(codes, minlength=shape[0] * shape[1]).reshape(shape)
    ious = both / (both.sum(1, keepdims=True) + both.sum(0, keepdims=True) - both)
    n_right = np.count_nonzero(ious[true_ids != 0][:, found_ids != 0] > 0.5)
    return n_right / (np.count_nonzero(true_ids) + np.count_nonzero(found_ids) - n_right)


def slices(truth: NDArray[np.integer]) -> list[NDArray[np.int64]]:
    """Return the planes of a volume, each part in each of them with a number of its own."""
    return [label(plane, background=0, connectivity=2) for plane in truth]


def link(planes: Sequence[NDArray[np.int64]], settings: LinkSettings) -> NDArray[np.int64]:
    areas = [np.bincount(plane.ravel()) for plane in planes]
    shared = [np.zeros((0, 5), int)]
    for i, one in enumerate(planes):
        for j in range(i + 1, min(i + 2 + settings.max_gap, len(planes))):
            stacked = np.stack([one.ravel(), planes[j].ravel()])
            pairs, counts = np.unique(stacked, axis=1, return_counts=True)
            which = np.full((2, len(counts)), [[i], [j]])
            shared.append(np.vstack([which, pairs, counts]).T[(pairs > 0).all(axis=0)])
    numbers = link_planes(range(len(planes)), areas, np.concatenate(shared), settings)
    return np.stack([which[plane] for which, plane in zip(numbers, planes, strict=True)])


@pytest.mark.parametrize(
    ("name", "least"),
    [("qcanet_embryo3d", 0.99), ("stardist_synthetic3d", 0.7), ("plantseg_ovule_cells3d", 0.4)],
)
def test_perfect_planes(name: str, least: float) -> None:
    """Even these lose something: cells in several pieces per plane, and tips that overlap."""
    _, truth = load_volume(name)
    planes = slices(truth)
    linked = link(planes, LinkSettings())
    starts = np.cumsum([0, *(int(plane.max()) for plane in planes)])
    alone = np.stack([np.where(p, p + n, 0) for p, n in zip(planes, starts, strict=False)])
    assert ap50(truth, alone) < 0.05
    assert ap50(truth, linked) > least


@pytest.mark.slow
def test_nano_on_an_embryo(tmp_path: Path) -> None:
    """Nuclei of a kind that nano has not been trained on."""
    image, truth = load_volume("qcanet_embryo3d")
    embeddings = Embeddings(open_image(image, axes="zyx"), load_model("nano", device="cpu"))
    linked = segment_stack(embeddings, tmp_path / "linked.zarr").data[:]
    alone = SegmentSettings(link=LinkSettings(is_linked=False))
    in_planes = segment_stack(embeddings, tmp_path / "planes.zarr", settings=alone).data[:]
    assert np.array_equal(linked > 0, in_planes > 0)
    assert ap50(truth, in_planes) < 0.05
    assert ap50(truth, linked) > 0.4
