"""Synthetic images: exact labels that show in the image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_sam.train.synthetic import KINDS
from napari_sam.train.synthetic.noise import smooth_noise, spline_weights
from napari_sam.train.synthetic.shapes import connected, draw_blobs

SHAPE = (160, 192)


@pytest.mark.parametrize("name", KINDS)
def test_labels_are_connected_and_numbered(name: str) -> None:
    for seed in range(6):
        image, labels = KINDS[name](np.random.default_rng(seed), SHAPE)
        assert image.shape == labels.shape == SHAPE
        assert (image.dtype, labels.dtype) == (np.float32, np.int32)
        assert np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
        assert labels.min() >= -1
        ids = np.unique(labels[labels > 0])
        assert np.array_equal(ids, np.arange(1, len(ids) + 1))
        for i, box in enumerate(ndimage.find_objects(np.maximum(labels, 0)), start=1):
            assert ndimage.label(labels[box] == i)[1] == 1


@pytest.mark.parametrize("name", sorted(set(KINDS) - {"empty"}))
def test_objects_are_found_in_most_images(name: str) -> None:
    counts = [KINDS[name](np.random.default_rng(s), SHAPE)[1].max() for s in range(10)]
    assert np.median(counts) >= 3


def test_the_empty_kind_has_no_objects() -> None:
    assert not any(KINDS["empty"](np.random.default_rng(s), SHAPE)[1].any() for s in range(5))


def test_nuclei_are_brighter_than_their_surroundings() -> None:
    image, labels = KINDS["nuclei"](np.random.default_rng(2), SHAPE)
    assert image[labels > 0].mean() > image[labels == 0].mean() + 0.1


@pytest.mark.parametrize("name", KINDS)
def test_a_seed_gives_the_same_image_again(name: str) -> None:
    one, again = (KINDS[name](np.random.default_rng(7), SHAPE) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))


def test_splines_sum_to_one() -> None:
    weights = spline_weights(50, 7.3, 0.4)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)


def test_smooth_noise_is_as_coarse_as_asked() -> None:
    rng = np.random.default_rng(0)
    fine, coarse = (smooth_noise(rng, (400, 400), spacing) for spacing in (3, 40))
    for field in (fine, coarse):
        assert abs(field.std() - 1) < 0.4
    slope = [np.abs(np.diff(field, axis=0)).mean() for field in (fine, coarse)]
    assert slope[0] > 6 * slope[1]


def test_blobs_that_touch_share_a_border() -> None:
    centers, radii = np.array([[40.0, 40.0], [40.0, 60.0]]), np.array([15.0, 15.0])
    labels, depth = draw_blobs(np.random.default_rng(0), (80, 100), centers, radii, 0.0, 0.0)
    assert set(np.unique(labels)) == {0, 1, 2}
    assert labels[40, 48] == labels[40, 40]
    assert labels[40, 52] == labels[40, 60] != labels[40, 40]
    assert depth[40, 40] == pytest.approx(1)
    assert not depth[labels == 0].any()


def test_pieces_of_one_object_become_two() -> None:
    labels = np.array([[1, 0, 1, -1], [2, 2, 0, -1]])
    pieces = connected(labels)
    assert len(np.unique(pieces[pieces > 0])) == 3
    assert (pieces[:, 3] == -1).all()
