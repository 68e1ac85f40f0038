"""Planes as a whole: what cannot be looked at so is refused, and what is seen is 8-bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, open_image
from napari_sam.masks import suppress
from napari_sam.model import load_model
from napari_sam.segment import SegmentSettings, exact, generate_masks, read_record, segment_stack
from napari_sam.segment.find import find_objects

EXACT = SegmentSettings.from_dict({"find": {"exact": True, "points_per_side": 6}})


@pytest.fixture
def coins() -> Embeddings:
    return Embeddings(open_image(data.coins()[:90, :120]), load_model("nano", device="cpu"))


def test_planes_that_are_too_large(
    coins: Embeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "MAX_PIXELS", 10_000)
    with pytest.raises(ValueError, match=r"a plane of 90 × 120 pixels has more than 10000: find"):
        segment_stack(coins, tmp_path / "a.zarr", settings=EXACT)
    assert not list(tmp_path.iterdir())


def test_a_store_is_not_asked(coins: Embeddings, tmp_path: Path) -> None:
    """It holds tiles."""
    stored = Embeddings(coins.image, coins.model, store=tmp_path / "tiles")
    labels = segment_stack(stored, tmp_path / "a.zarr", settings=EXACT)
    assert np.array_equal(
        labels.data, segment_stack(coins, tmp_path / "b.zarr", settings=EXACT).data
    )
    assert np.any(labels.data)
    assert stored.store is not None and not stored.store.tiles_present(0.5).any()
    record = read_record(tmp_path / "a.zarr")
    assert record is not None and record["made_with"]["stored"] is None


def test_thresholds_come_before_overlap(coins: Embeddings) -> None:
    """As officially: a mask that is dropped for its scores or its area drops no other."""
    settings = EXACT.find.resolved(coins.model, coins.base_step)
    lower = replace(settings, pred_iou=0.0, stability=0.0)
    table = exact.exact_candidates(coins, (), lower)
    stable = replace(lower, stability=float(np.median(table.stability)))
    found = find_objects(coins, coins.window_at(0, 0), stable)
    expected = generate_masks(
        coins.model,
        exact.whole_plane(coins.image, ()),
        points_per_side=6,
        pred_iou_thresh=0,
        stability_score_thresh=stable.stability,
    )
    assert 0 < len(expected) < len(table)
    assert [mask.predicted_iou for mask in found] == [mask["predicted_iou"] for mask in expected]
    small = find_objects(coins, coins.window_at(0, 0), replace(lower, max_area=200))
    areas = table.select(table.areas <= 200)
    assert len(small) == len(areas.select(suppress(areas, 0.7)))


def test_one_tile_shows_a_plane(coins: Embeddings) -> None:
    image = open_image(np.zeros((1100, 1300), np.uint8))
    for embeddings in (coins, Embeddings(image, coins.model)):
        assert embeddings.grid(exact.whole_step(embeddings)).tiles == (1, 1)


def test_eight_bits_are_taken_as_they_are() -> None:
    gray = np.arange(240, dtype=np.uint8).reshape(2, 10, 12)
    volume = open_image(gray, axes="zyx", intensity=Intensity((7,), (9,)))
    assert np.array_equal(exact.whole_plane(volume, (1,)), gray[1])
    rgb = np.arange(240, dtype=np.uint8).reshape(8, 10, 3)
    assert np.array_equal(exact.whole_plane(open_image(rgb, axes="yxc"), ()), rgb)
    two = exact.whole_plane(open_image(rgb, axes="yxc", channels=[2, 0]), ())
    assert np.array_equal(two, np.dstack([rgb[..., 2], rgb[..., 0], np.zeros((8, 10))]))
    deep = open_image(
        np.array([[0, 500], [1000, 2000]], np.uint16), intensity=Intensity((0,), (1000,))
    )
    assert exact.whole_plane(deep, ()).tolist() == [[0, 128], [255, 255]]
