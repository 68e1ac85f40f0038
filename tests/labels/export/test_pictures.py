"""Overviews show each object in its place; histograms count them."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from napari_sam.image import open_image
from napari_sam.labels import create_labels
from napari_sam.labels.export import label_image, overview, write_histograms, write_overview
from napari_sam.labels.export.histograms import _draw, object_sizes
from napari_sam.labels.export.label_image import LabelImage
from napari_sam.labels.export.overview import draw_outlines, read_coarse

from .scenes import SHAPE, image, plane, stack


def test_outlines_lie_inside_the_objects() -> None:
    labels = plane()
    drawn = draw_outlines(np.zeros((*SHAPE, 3), np.uint8), labels)
    is_drawn = drawn.any(axis=-1)
    assert set(np.unique(labels[is_drawn])) == {1, 2, 7, 70_000}
    assert not is_drawn[7, 7]
    colors = {tuple(drawn[y, x]) for y, x in ((5, 5), (25, 25), (30, 44), (22, 2))}
    assert len(colors) == 4
    twice = draw_outlines(np.zeros((80, 100, 3), np.uint8), labels)
    np.testing.assert_array_equal(twice[1::2, ::2], drawn)


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([0.5, 1, 2, 4, 16]))
def test_a_coarse_plane_samples_every_step(height: int, width: int, step: float) -> None:
    labels = np.arange(height * width).reshape(height, width)
    with patch.object(label_image, "BLOCK_SIDE", 13):
        coarse = read_coarse(LabelImage.of(labels), (), step)
    n = max(1, int(step))
    assert coarse.shape == (-(-height // n), -(-width // n))
    rows, columns = np.divmod(coarse, width)
    np.testing.assert_array_equal(rows // n, np.indices(coarse.shape)[0])
    np.testing.assert_array_equal(columns // n, np.indices(coarse.shape)[1])


def test_a_large_image_is_shown_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "MAX_SIDE", 32)
    pyramid = create_labels(tmp_path / "labels.zarr", (3, 100, 150), chunks=(1, 32, 32))
    pyramid.data[1, 20:60, 20:60] = 3
    pyramid.update()
    pixels = open_image(np.zeros((3, 100, 150), np.uint8), axes="zyx")
    coarse = read_coarse(LabelImage.of(pyramid), (1,), 8)
    write_overview(pyramid, tmp_path / "coarse.png", image=pixels)  # the plane in the middle
    write_overview(pyramid, tmp_path / "empty.png", image=pixels, plane=0)
    with Picture.open(tmp_path / "coarse.png") as picture:
        shown = np.asarray(picture)
    assert shown.shape == (*coarse.shape, 3) == (13, 19, 3)
    assert shown[3:7, 3].any(axis=-1).all()
    with Picture.open(tmp_path / "empty.png") as picture:
        assert not np.asarray(picture).any()


def test_the_image_is_seen_below(tmp_path: Path) -> None:
    path = write_overview(plane(), tmp_path / "o.png", image=open_image(image(), axes="yx"))
    with Picture.open(path) as picture:
        shown = np.asarray(picture)
    assert shown.shape == (80, 100, 3)
    background = shown[66:, :80, 0].astype(int)
    assert (np.diff(background, axis=1) >= 0).all()
    assert background[0, -1] > 100
    color = np.stack([image() % 256] * 3, axis=-1).astype(np.uint8)
    write_overview(plane(), path, image=open_image(color, axes="yxc"), overwrite=True)
    write_overview(plane(), tmp_path / "black.png")


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1)])
def test_a_line_of_pixels(tmp_path: Path, shape: tuple[int, int]) -> None:
    path = write_overview(np.ones(shape, np.uint8), tmp_path / "o.png")
    with Picture.open(path) as picture:
        assert picture.size == (2 * shape[1], 2 * shape[0])


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the labels"):
        write_overview(stack(), tmp_path / "o.png", plane=9)
    with pytest.raises(ValueError, match="and the image"):
        write_overview(stack(), tmp_path / "o.png", image=open_image(image(), axes="yx"))
    assert not list(tmp_path.iterdir())


def test_sizes() -> None:
    volumes = object_sizes(LabelImage.of(stack(), scale=(2, 0.5, 0.5)))
    names, counts = np.unique(stack(), return_counts=True)
    assert sorted(volumes) == sorted(counts[names > 0] * 0.5)
    areas = object_sizes(LabelImage.of(stack(), axes="tyx", scale=(9, 0.5, 0.5)))
    assert len(areas) == 7
    assert areas.sum() == (stack() > 0).sum() / 4


@pytest.mark.parametrize("labels", [plane(), stack(), np.zeros((5, 5), int), np.ones((5, 5), int)])
def test_histograms(tmp_path: Path, labels: np.ndarray) -> None:
    scores = {
        "label": [1, 2, 3, 4],
        "predicted_iou": [0.9, np.nan, 0.01, 0.01],
        "stability": [0.9, -0.1, 0.01, 0.01],
    }
    path = write_histograms(labels, tmp_path / "h.png", scores=scores)
    with Picture.open(path) as picture:
        assert picture.size == (3 * 600, 450)
    with pytest.raises(FileExistsError):
        write_histograms(labels, path)
    write_histograms(labels, path, overwrite=True)


def test_objects_are_counted_in_whole_numbers() -> None:
    for values in (np.array([1082.4, 300, 9000]), np.zeros(0)):
        (axes,) = _draw({"Area": values}).axes
        assert axes.get_ylim()[0] == 0
        assert all(tick == int(tick) for tick in axes.get_yticks())
        assert axes.get_title() == ("3 objects, median 1,082" if len(values) else "0 objects")
