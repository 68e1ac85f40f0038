"""The shipped weights on images that they were not trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from skimage import data
from skimage.filters import sobel
from skimage.measure import label, regionprops
from skimage.segmentation import watershed

import napari_sam as ns
from napari_sam.segment import SegmentSettings, segment_stack


@pytest.fixture(scope="module")
def coins() -> np.ndarray:
    return data.coins()


@pytest.fixture(scope="module")
def truth(coins: np.ndarray) -> list[np.ndarray]:
    """Return the coins as scikit-image's gallery finds them: by watershed of the gradient."""
    markers = np.select([coins < 30, coins > 150], [1, 2])
    filled = ndimage.binary_fill_holes(watershed(sobel(coins), markers) == 2)
    parts = label(filled)
    return [parts == region.label for region in regionprops(parts) if region.area > 300]


def iou_of(found: ns.Candidates, coin: np.ndarray) -> float:
    return found.best.iou(ns.Mask.from_array(coin))


def test_a_click_or_a_box_finds_each_coin(coins: np.ndarray, truth: list[np.ndarray]) -> None:
    embeddings = ns.Embeddings(ns.open_image(coins), ns.load_model(device="cpu"))
    assert len(truth) == 24
    by_click, by_box = [], []
    for coin in truth:
        rows, columns = np.nonzero(coin)
        center = [rows.mean(), columns.mean()]
        box = rows.min(), columns.min(), rows.max(), columns.max()
        by_click.append(iou_of(ns.segment_object(embeddings, ns.Prompts([center])), coin))
        by_box.append(iou_of(ns.segment_object(embeddings, ns.Prompts(box=box)), coin))
    assert np.mean(by_click) > 0.82  # 0.886 with the first weights
    assert np.mean(by_box) > 0.9  # 0.946


def test_what_to_do_if_an_object_is_too_large_is_told(tmp_path: Path) -> None:
    y, x = np.ogrid[:400, :420]
    disc = np.hypot(y - 200, x - 210) < 192
    image = ns.open_image(np.where(disc, 200, 30).astype(np.uint8))
    embeddings = ns.Embeddings(image, ns.load_model(device="cpu"))

    def found(name: str, **find: object) -> np.ndarray:
        settings = SegmentSettings.from_dict({"find": find})
        return np.asarray(segment_stack(embeddings, tmp_path / name, settings=settings).data)

    with pytest.warns(UserWarning, match="too large for the model at step=1: try step=4"):
        assert not found("fast.zarr").any()
    with pytest.warns(UserWarning, match="too large for the model: try step=4 in place of exact"):
        assert not found("exact.zarr", exact=True, points_per_side=4).any()
    labels = found("step.zarr", step=4)
    assert ((labels > 0) & disc).sum() > 0.9 * ((labels > 0) | disc).sum()
