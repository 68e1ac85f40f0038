"""What it costs to store features and to read them again, next to encoding them.

Run from the repository::

    OMP_NUM_THREADS=2 python -m benchmarks.store

Every tile of an image is encoded, put into a new store and got from it again, with nano and with
the smallest SAM (random weights: time and size do not depend on them). *Listing* finds out which
tiles of a plane there are, in a store that holds 65 536.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import napari_sam as ns
from napari_sam.embedding.key import StoreKey
from napari_sam.embedding.packing import STORED_TYPES, StoredType
from napari_sam.embedding.store import EmbeddingStore
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.sam import build_mobile_sam

Stopwatch = dict[str, list[float]]

N_TILES = 4


@contextmanager
def timed(times: Stopwatch, what: str) -> Iterator[None]:
    """Note the time that passes, and that of the CPU, which other work blurs less."""
    start, cpu_start = time.perf_counter(), time.process_time()
    yield
    times.setdefault(what, []).append(time.perf_counter() - start)
    times.setdefault(f"{what}, CPU", []).append(time.process_time() - cpu_start)


def measure(model: Model, folder: Path, dtype: StoredType) -> Stopwatch:
    """Encode, put and get a few tiles in turn; seconds for each, and megabytes per tile."""
    pixels = np.random.default_rng(0).integers(0, 256, (2000, 3000), np.uint8)
    embeddings = ns.Embeddings(ns.open_image(pixels), model)
    store_key = StoreKey.of(embeddings.image, model, embeddings.halo)
    store = EmbeddingStore(folder / f"{model.name} {dtype}", store_key, dtype=dtype)
    times: Stopwatch = {}
    windows = list(store.iter_missing([()], 1))[:N_TILES]
    for window in windows:
        samples = torch.from_numpy(embeddings.image.read(window))[None]
        with timed(times, "encode"):
            features = model.encode(samples)
        with timed(times, "put"):
            store.put(window, features)
        with timed(times, "get"):
            found = store.get(window)
        if found is None or window not in store:
            raise RuntimeError(f"{window} was stored and is not there.")
    nbytes = sum(chunk.stat().st_size for chunk in store.path.rglob("c.*"))
    times["MB"] = [nbytes / 1e6 / len(windows)]
    return times


def measure_listing(folder: Path) -> tuple[float, float]:
    """Return the seconds for the overlay of one plane, and for opening the store."""
    key = StoreKey.of(ns.open_image(np.zeros((9, 9), np.uint8)), ns.load_model("nano"), 0)
    key = replace(key, image_size=16, plane_shape=(16,), level_shapes=((1024, 1024),))
    store = EmbeddingStore(folder / "many", key)
    features = Features((torch.ones(1, 1, 1, 1),))
    store.put(store.grid(1).window(0, 0, (0,)), features)
    (chunk,) = store.path.rglob("c.*")
    for plane, row, column in np.ndindex(16, 64, 64):
        chunk.with_name(f"c.{plane}.{row}.{column}.0.0.0").write_bytes(chunk.read_bytes())

    def seconds(ask: Callable[[], object]) -> float:
        times: Stopwatch = {}
        for _ in range(5):
            with timed(times, "ask"):
                ask()
        return statistics.median(times["ask"])

    if not store.tiles_present(1, 7).all():
        raise RuntimeError("Tiles are stored and are not listed.")
    return (
        seconds(lambda: store.tiles_present(1, 7)),
        seconds(lambda: EmbeddingStore(store.path, key)),
    )


def main() -> None:
    """Print medians, and what put and get add to encoding."""
    print(
        f"{'':27} encode       put           get         MB per tile   (seconds; share of encoding)"
    )
    with tempfile.TemporaryDirectory() as folder:
        for model in (ns.load_model("nano"), build_mobile_sam("mobile").eval()):
            for dtype in STORED_TYPES:
                times = measure(model, Path(folder), dtype)
                medians = {what: statistics.median(values) for what, values in times.items()}
                for clock in ("", ", CPU"):
                    encode, put, get = (medians[what + clock] for what in ("encode", "put", "get"))
                    print(
                        f"{model.name:7}{dtype:9}{clock[2:] or 'wall':9}{encode:9.3f}"
                        f"{put:9.4f} {put / encode:5.1%}{get:9.4f} {get / encode:5.1%}"
                        f"{medians['MB']:8.2f}",
                        flush=True,
                    )
        listing, opening = measure_listing(Path(folder))
    print(f"listing {listing:.3f} s, opening {opening:.4f} s")


if __name__ == "__main__":
    main()
