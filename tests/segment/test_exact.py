"""Planes as a whole: what cannot be looked at so is refused, and what is seen is 8-bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_sam.embedding import Embeddings
from napari_sam.image import Intensity, open_image
from napari_sam.model import load_model
from napari_sam.segment import SegmentSettings, exact, segment_stack

EXACT = SegmentSettings.from_dict({"find": {"exact": True, "points_per_side": 2}})


@pytest.fixture
def coins() -> Embeddings:
    random = np.random.default_rng(0).integers(0, 255, (90, 120), np.uint8)
    return Embeddings(open_image(random), load_model("nano", device="cpu"))


def test_planes_that_are_too_large(
    coins: Embeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "MAX_PIXELS", 10_000)
    with pytest.raises(ValueError, match=r"a plane of 90 × 120 pixels has more than 10000: leave"):
        segment_stack(coins, tmp_path / "a.zarr", settings=EXACT)
    assert not list(tmp_path.iterdir())


def test_a_store_holds_tiles(coins: Embeddings, tmp_path: Path) -> None:
    stored = Embeddings(coins.image, coins.model, store=tmp_path / "tiles")
    with pytest.raises(ValueError, match="a store holds tiles: leave one of the two away"):
        segment_stack(stored, tmp_path / "a.zarr", settings=EXACT)


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
