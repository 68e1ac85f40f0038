"""Every object comes once and whole, however the blocks cut it."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.image import open_image
from napari_sam.labels.export import label_image, objects
from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.export.objects import find_in_plane, iter_objects

from .scenes import SHAPE, image, planes, stack


@given(planes, st.integers(1, 5), st.integers(1, 20))
def test_objects_are_whole(labels: np.ndarray, side: int, band: int) -> None:
    with (
        patch.object(label_image, "BLOCK_SIDE", side),
        patch.object(objects, "BAND_PIXELS", band),
    ):
        found = list(iter_objects(LabelImage.of(labels)))
    assert sorted(one.label for one in found) == [v for v in np.unique(labels) if v]
    for one in found:
        expected = labels == one.label
        np.testing.assert_array_equal(one.mask.to_array(labels.shape), expected)
        rows, columns = np.nonzero(expected)
        assert one.mask.box == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)


@given(planes, st.integers(1, 5))
def test_boxes_and_areas(labels: np.ndarray, side: int) -> None:
    with patch.object(label_image, "BLOCK_SIDE", side):
        found = find_in_plane(LabelImage.of(labels), ())
    names, areas = np.unique(labels[labels > 0], return_counts=True)
    assert found.labels.tolist() == names.tolist()
    assert found.areas.tolist() == areas.tolist()
    assert (found.boxes.shape, found.boxes.dtype) == ((len(names), 4), np.int64)


def test_a_sparse_stack_in_zarr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_image, "BLOCK_SIDE", 16)
    labels = stack()
    array = zarr.create_array(
        {}, shape=labels.shape, chunks=(1, 16, 16), dtype="u4", fill_value=0,
        config={"write_empty_chunks": False},
    )  # fmt: skip
    array[...] = labels
    found = list(iter_objects(LabelImage.of(array)))
    names = [(one.plane, one.label) for one in found]
    assert sorted(names) == [((1,), n) for n in (1, 2, 7, 70_000)] + [
        ((2,), n) for n in (2, 7, 70_000)
    ]
    for one in found:
        np.testing.assert_array_equal(one.mask.to_array(SHAPE), labels[one.plane] == one.label)


@pytest.mark.parametrize("side", [8, 2048])
def test_the_image_comes_along(monkeypatch: pytest.MonkeyPatch, side: int) -> None:
    monkeypatch.setattr(label_image, "BLOCK_SIDE", side)
    pixels = image(n_planes=4)
    for one in iter_objects(LabelImage.of(stack()), open_image(pixels, axes="zyx")):
        y0, x0, y1, x1 = one.mask.box
        assert one.pixels is not None
        np.testing.assert_array_equal(one.pixels, pixels[one.plane][None, y0:y1, x0:x1])


def test_channels_of_the_image() -> None:
    color = np.stack([image(), image() + 1, image() + 2], axis=-1).astype(np.uint16)
    labels = stack()[1]
    for one in iter_objects(LabelImage.of(labels), open_image(color, axes="yxc")):
        y0, x0, y1, x1 = one.mask.box
        assert one.pixels is not None
        np.testing.assert_array_equal(np.moveaxis(one.pixels, 0, -1), color[y0:y1, x0:x1])


def test_an_image_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(4, 40, 50\), and the image \(40, 50\)"):
        next(iter_objects(LabelImage.of(stack()), open_image(image(), axes="yx")))


def test_labels_below_zero_are_no_objects() -> None:
    assert [one.label for one in iter_objects(LabelImage.of(np.array([[-3, 0, 4]])))] == [4]
