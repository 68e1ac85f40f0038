"""Linking on labeled volumes: drawn ones; and real ones where they are, in NAPARI_SAM_DATA."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from skimage.measure import label

from napari_sam.embedding import Embeddings
from napari_sam.image import open_image
from napari_sam.model import load_model
from napari_sam.segment.link import link_planes
from napari_sam.segment.settings import LinkSettings, SegmentSettings
from napari_sam.segment.stack import segment_stack
from napari_sam.segment.stacks import count_pairs
from napari_sam.train.files import find_sources, iter_labeled
from napari_sam.train.scores import instance_scores

CANDIDATES = [Path(os.environ.get("NAPARI_SAM_DATA", "no such folder"))] + [
    parent / "shared" / "data" for parent in Path(__file__).parents
]

Labels = NDArray[np.integer]


def find_volumes() -> dict[str, Path]:
    """Return the sources of the folder dev whose images are volumes, by their names."""
    folder = next((one / "dev" for one in CANDIDATES if (one / "dev").is_dir()), None)
    sources = find_sources(folder) if folder else []
    firsts = ((source, next(iter_labeled(source)).image) for source in sources)
    return {
        source.stem: source for source, image in firsts if image.ndim == 3 and image.shape[-1] != 3
    }


VOLUMES = find_volumes()
LEAST = {
    "flyem_fibsem3d": 0.95,
    "plantseg_ovule_cells3d": 0.7,
    "qcanet_embryo3d": 0.99,
    "stardist_synthetic3d": 0.75,
}
"""AP50 of perfect planes that are linked; what is missing are tips that overlap."""


def load_volume(name: str) -> tuple[Labels, Labels]:
    """Return image and true labels (z, y, x)."""
    if name not in VOLUMES:
        pytest.skip("the labeled volumes are not here; name their folder in NAPARI_SAM_DATA")
    labeled = next(iter_labeled(VOLUMES[name]))
    return labeled.image, labeled.labels[0]


def ap50(truth: Labels, found: Labels) -> float:
    return instance_scores(truth, found).ap50


def slices(truth: Labels) -> list[NDArray[np.int64]]:
    """Return the planes of a volume, each with numbers of its own that tell nothing."""
    random, planes = np.random.default_rng(0), []
    for plane in truth:
        there = np.unique(plane[plane > 0])
        numbers = np.zeros(int(plane.max()) + 1, np.int64)
        numbers[there] = 1 + random.permutation(len(there))
        planes.append(numbers[plane])
    return planes


def link(planes: Sequence[Labels], settings: LinkSettings) -> Labels:
    areas = [np.bincount(plane.ravel()) for plane in planes]
    shared = [np.zeros((0, 5), int)]
    for i, one in enumerate(planes):
        for j in range(i + 1, min(i + 2 + settings.max_gap, len(planes))):
            shared.append(count_pairs(i, j, one, planes[j]))
    numbers = link_planes(range(len(planes)), areas, np.concatenate(shared), settings)
    return np.stack([which[plane] for which, plane in zip(numbers, planes, strict=True)])


def draw(shape: tuple[int, int, int], kind: str, seed: int) -> Labels:
    """Return balls that may touch, or tubes that run through at an angle, with the same seed alike.

    The next section of a tube lies half a radius further: 69 % of it is over the last one.
    """
    random, truth = np.random.default_rng(seed), np.zeros(shape, np.int64)
    z, y, x = np.ogrid[tuple(map(slice, shape))]
    for number in range(1, 25):
        radius = random.uniform(3, 7)
        cz, cy, cx = random.uniform(0, shape)
        angle = random.uniform(0, 2 * np.pi)
        lean = np.array([np.sin(angle), np.cos(angle)]) * radius / 2 * (kind == "tubes")
        depth = (z - cz) * (kind == "balls")
        aside = (y - cy - lean[0] * (z - cz)) ** 2 + (x - cx - lean[1] * (z - cz)) ** 2
        inside = depth**2 + aside <= radius**2
        if not truth[inside].any():
            truth[inside] = number
    return truth


@pytest.mark.parametrize("kind", ["balls", "tubes"])
@pytest.mark.parametrize("seed", range(3))
def test_drawn_planes(kind: str, seed: int) -> None:
    truth = draw((20, 96, 96), kind, seed)
    assert len(np.unique(truth)) > 4
    assert ap50(truth, link(slices(truth), LinkSettings())) > 0.9


def test_a_plane_that_is_missing() -> None:
    truth = draw((20, 96, 96), "balls", 0)
    planes = slices(truth)
    planes[9] = np.zeros_like(planes[9])
    truth[9] = 0
    without = ap50(truth, link(planes, LinkSettings(max_gap=0)))
    assert ap50(truth, link(planes, LinkSettings())) > without


@pytest.mark.parametrize("name", sorted(VOLUMES) or sorted(LEAST))
def test_perfect_planes(name: str) -> None:
    _, truth = load_volume(name)
    planes = slices(truth)
    starts = np.cumsum([0, *(int(plane.max()) for plane in planes)])
    alone = np.stack([np.where(p, p + n, 0) for p, n in zip(planes, starts, strict=False)])
    assert ap50(truth, alone) < 0.05
    assert ap50(truth, link(planes, LinkSettings())) > LEAST.get(name, 0.5)


@pytest.mark.parametrize("name", sorted(VOLUMES) or sorted(LEAST))
def test_parts_of_planes(name: str) -> None:
    """Each part of an object that lies in pieces in a plane is for itself; the rest is linked."""
    _, truth = load_volume(name)
    planes = [label(plane, background=0, connectivity=2) for plane in truth]
    in_planes = np.stack(planes) + 10_000 * np.arange(len(planes))[:, None, None]
    assert ap50(truth, link(planes, LinkSettings())) > ap50(truth, np.where(truth, in_planes, 0))


def foam() -> Labels:
    """Return what divides and joins all the time."""
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(12, 128, 128)), (1.5, 4, 4))
    return (noise > np.quantile(noise, 0.65)).astype(np.int64)


@pytest.mark.parametrize("name", ["foam", *(sorted(VOLUMES) or sorted(LEAST))])
def test_at_splits_and_merges_the_best_overlap_goes_on(name: str) -> None:
    """No two parts that are not one would rather be so than what each of them is linked to."""
    truth = foam() if name == "foam" else load_volume(name)[1]
    planes = [label(plane, background=0, connectivity=2) for plane in truth]
    settings = LinkSettings(max_gap=0)
    linked = link(planes, settings)
    n_splits = n_merges = 0
    for z in range(len(planes) - 1):
        here, there = planes[z], planes[z + 1]
        numbers = [numbers_of(planes[k], linked[k]) for k in (z, z + 1)]
        assert all(len(set(each.values())) == len(each) for each in numbers)
        areas = [np.bincount(plane.ravel()) for plane in (here, there)]
        ious, goes_on, comes_from = {}, {}, {}
        for _, _, a, b, both in count_pairs(z, z + 1, here, there).tolist():
            if both > settings.overlap * min(areas[0][a], areas[1][b]):
                ious[a, b] = both / (areas[0][a] + areas[1][b] - both)
                if numbers[0][a] == numbers[1][b]:
                    goes_on[a] = comes_from[b] = ious[a, b]
        for (a, b), iou in ious.items():
            assert max(goes_on.get(a, 0), comes_from.get(b, 0)) >= iou
        n_splits += len(ious) - len({a for a, _ in ious})
        n_merges += len(ious) - len({b for _, b in ious})
    is_round = name == "qcanet_embryo3d"  # round nuclei neither divide nor join
    assert is_round or (n_splits > 0 and n_merges > 0)


def numbers_of(parts: Labels, linked: Labels) -> dict[int, int]:
    """Return the number in the stack of each part of a plane."""
    where = np.unique(parts, return_index=True)
    return {
        part: int(linked.flat[index])
        for part, index in zip(*map(np.ndarray.tolist, where), strict=True)
        if part
    }


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
