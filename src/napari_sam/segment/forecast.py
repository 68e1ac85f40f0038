"""What a run of automatic segmentation will take, measured on a tile."""

from __future__ import annotations

import shutil
import time
import zlib
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_sam.embedding.forecast import say_duration, say_size, stored_bytes
from napari_sam.embedding.key import StoreKey
from napari_sam.embedding.store import EmbeddingStore
from napari_sam.embedding.store_metadata import check_outside_stores, has_store
from napari_sam.image.window import Window
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.paint import paint
from napari_sam.segment.find import find_objects
from napari_sam.segment.run import Box, Run
from napari_sam.segment.run_folder import Part
from napari_sam.segment.threads import default_finders, one_core

MOST_TRIED, TRYING_S = 9, 5.0
"""Tiles that are measured, for objects are not spread evenly, if that takes no longer; or two."""

PYRAMID = 4 / 3
"""Pixels of all levels, for each one of the finest."""


@dataclass(frozen=True)
class Forecast:
    """Tiles, time and disk of a run; ``str`` says it in a sentence.

    Attributes
    ----------
    n_tiles : int
        Of all planes, in the region.
    n_done : int
        Those of them that the run, begun before, has searched.
    n_stored : int
        Those of the others that need not be encoded.
    seconds : float
        To encode and search the others.
    label_bytes, work_bytes, store_bytes : int
        Disk that the labels take, the working folder until they are complete, and tiles that come
        into the store.
    free_bytes : int
        Disk that is free now.
    """

    n_tiles: int
    n_done: int
    n_stored: int
    seconds: float
    label_bytes: int
    work_bytes: int
    store_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        fits = self.label_bytes + self.work_bytes + self.store_bytes <= self.free_bytes
        done = f", {self.n_done} of them done" if self.n_done else ""
        others = "the others" if self.n_done else "them"
        stored = f", {self.n_stored} of {others} in the store" if self.n_stored else ""
        into_store = f", {say_size(self.store_bytes)} in the store" if self.store_bytes else ""
        time = f"about {say_duration(self.seconds)}"
        if self.n_done == self.n_tiles:
            time = "objects are found, and are still to be joined and written"
        return (
            f"{self.n_tiles} tile{'' if self.n_tiles == 1 else 's'}{done}{stored}: {time}; "
            f"on disk about "
            f"{say_size(self.label_bytes)}{into_store}, and {say_size(self.work_bytes)} until it "
            f"is done ({say_size(self.free_bytes)} free{'' if fits else ': not enough'})."
        )


def forecast(
    run: Run, n_workers: int | None = None, store: Path | None = None, *, goes_on: bool = False
) -> Forecast:
    """Tell what a run takes, from some of its tiles; nothing is written.

    Parameters
    ----------
    run : Run
        Without a store: what is encoded here is not kept.
    n_workers : int, optional
        That share the work. Default: it is done here.
    store : path, optional
        Of the embeddings that the run is to use and fill; it need not exist.
    goes_on : bool
        Whether what is in the working folder counts.

    Raises
    ------
    ValueError
        If the store was made for something else.
    """
    parts = list(run.iter_tiles())
    left = [part for part in parts if not (goes_on and run.folder.has("find", part))]
    n_at_once = default_finders(run.embeddings.model) if n_workers is None else max(n_workers, 1)
    n_encoding = 1 if n_workers is None else n_at_once
    with one_core() if n_at_once > 1 else nullcontext():
        tried = _try_some(run, left or parts)
    window = tried[-1].window
    encode_s, find_s, n_bytes, n_label_bytes = np.mean([each.costs for each in tried], axis=0)
    n_stored, tile_bytes = (0, 0) if store is None else _stored(run, left, store, window)
    n_missing = len(left) - n_stored
    encode_s *= n_missing
    at_once = max(1, min(n_at_once, len(left)))
    seconds = max(encode_s / n_encoding, (encode_s + len(left) * find_s) / at_once)
    disk = next(folder for folder in run.folder.path.absolute().parents if folder.exists())
    return Forecast(
        len(parts),
        len(parts) - len(left),
        n_stored,
        float(seconds),
        int(n_label_bytes * len(parts) * PYRAMID),
        int(n_bytes * len(left)),
        n_missing * tile_bytes,
        shutil.disk_usage(disk).free,
    )


@dataclass(frozen=True)
class Tried:
    """A tile that was searched.

    Attributes
    ----------
    window : Window
        Of the tile.
    costs : tuple of float
        Seconds to encode it and to find its objects, bytes of these and of their labels.
    """

    window: Window
    costs: tuple[float, float, float, float]


def _try_some(run: Run, parts: list[Part]) -> list[Tried]:
    """Search some tiles, evenly spread; of several the first, which takes longer, is left out."""
    spread = np.linspace(0, len(parts) - 1, min(len(parts), MOST_TRIED)).round().astype(int)
    tried: list[Tried] = []
    started = time.perf_counter()
    for i in [*spread[len(spread) // 2 :], *spread[: len(spread) // 2]]:
        *plane, row, column = parts[i]
        window, core = run.grid.window(row, column, tuple(plane)), run.grid.core(row, column)
        found, encode_s, find_s = _measure(run, window, core)
        labels = zlib.compress(paint(found, np.arange(len(found)), core).tobytes(), 1)
        tried.append(Tried(window, (encode_s, find_s, found.nbytes, len(labels))))
        if len(tried) > 1 and time.perf_counter() - started > TRYING_S:
            break
    return tried[1:] or tried


def _measure(run: Run, window: Window, core: Box) -> tuple[MaskTable, float, float]:
    """Return the objects of a tile, and the seconds to encode it and to find them."""
    started = time.perf_counter()
    if not run.settings.find.exact:  # which sees no windows
        run.embeddings.features(window)
    encoded = time.perf_counter()
    found = find_objects(run.embeddings, window, run.settings.find, within=core)
    return found, encoded - started, time.perf_counter() - encoded


def _stored(run: Run, parts: list[Part], path: Path, window: Window) -> tuple[int, int]:
    """Return how many of some tiles of a run a store has, and how large one is."""
    embeddings, step = run.embeddings, run.grid.step
    features = embeddings.features(window)
    if not has_store(path):
        check_outside_stores(path)
        return 0, stored_bytes(features, "float16")
    store = EmbeddingStore(path, StoreKey.of(embeddings.image, embeddings.model, embeddings.halo))
    present = dict(zip(run.planes, store.present(run.planes, step), strict=True))
    n_stored = sum(present[tuple(plane)][row, column] for *plane, row, column in parts)
    return int(n_stored), stored_bytes(features, store.dtype)
