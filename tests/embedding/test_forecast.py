"""A long run says what it takes before it starts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_sam.embedding.forecast import Forecast, forecast
from napari_sam.embedding.packing import StoredType
from napari_sam.embedding.store import EmbeddingStore
from napari_sam.model.features import Features

from . import filling_store

KEY = replace(
    filling_store.KEY, plane_shape=(4,), level_shapes=((100, 150),), image_size=64, halo=8
)
FEATURES = Features((torch.ones(1, 8, 4, 4), torch.ones(1, 2, 8, 8)))


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8"])
def test_the_forecast_is_what_the_run_takes(tmp_path: Path, dtype: StoredType) -> None:
    store = EmbeddingStore(tmp_path / "store", KEY, dtype=dtype)
    store.put(store.grid(1).window(0, 0, (1,)), FEATURES)

    def size_on_disk() -> int:
        return sum(file.stat().st_size for file in store.path.rglob("c.*"))

    before = size_on_disk()
    missing = list(store.iter_missing([1, (2,)], 1))
    how = {"features": FEATURES, "dtype": dtype, "seconds_per_tile": 0.5}
    ahead = forecast(12, len(missing), store.path, **how)
    assert (ahead.n_tiles, ahead.n_missing, ahead.seconds) == (12, 11, 5.5)
    for window in missing:
        store.put(window, FEATURES)
    assert size_on_disk() - before == ahead.nbytes
    after = forecast(12, store.count_missing([1, 2], 1), store.path, **how)
    assert after.nbytes == 0 and str(after) == "All tiles are stored."


def test_the_store_need_not_exist(tmp_path: Path) -> None:
    how = {"features": FEATURES, "dtype": "float16", "seconds_per_tile": 1}
    assert forecast(1, 1, tmp_path / "not" / "there", **how).free_bytes > 0


def test_the_forecast_is_a_sentence() -> None:
    ahead = Forecast(1000, 720, 1_512_000_000, 345.6, 75_000_000_000)
    assert ahead.fits
    assert str(ahead) == (
        "720 of 1000 tiles to compute: about 5.76 min, 1.51 GB on disk (75 GB free)."
    )
    large = replace(ahead, nbytes=3 * 10**12, seconds=4e5)
    assert not large.fits
    assert str(large).endswith("about 4.63 days, 3 TB on disk (75 GB free: not enough).")
    assert "about 0.5 s, 2.1 MB on disk" in str(replace(ahead, seconds=0.5, nbytes=2_100_000))
    assert "5.12 kB on disk" in str(replace(ahead, nbytes=5_120))
