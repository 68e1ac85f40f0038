"""What nobody waits for gives way to what somebody waits for, and nobody is left without."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.embedding import Embeddings
from napari_sam.embedding.selection import Selection
from napari_sam.embedding.source import FeatureSource
from napari_sam.embedding.store import EmbeddingStore
from napari_sam.embedding.tiles import StoredTiles
from napari_sam.embedding.turns import previewing
from napari_sam.image import Intensity, Window, open_image
from napari_sam.model.interrupt import Interrupted, interruptible

from .slow_model import SIZE, make

HERE, THERE = Window(0, 0, SIZE), Window(100, 100, SIZE)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def test_who_waits_goes_first(pool: ThreadPoolExecutor) -> None:
    embeddings = make()
    model = embeddings.model
    with model.held_up():
        ahead = pool.submit(embeddings.prefetch, HERE)
        model.wait_until_begun(1)
        click = pool.submit(embeddings.features, THERE)
        with pytest.raises(Interrupted):
            ahead.result(20)
        model.wait_until_begun(2)
        again = pool.submit(embeddings.prefetch, HERE)
        assert not click.done()
    assert click.result(20) is embeddings.features(THERE)
    assert again.result(20)
    assert embeddings.is_encoded(HERE)
    assert (len(model.begun), len(model.given_up)) == (3, 1)


def test_what_somebody_waits_for_is_not_given_up(pool: ThreadPoolExecutor) -> None:
    embeddings = make()
    model, unwanted, asked = embeddings.model, threading.Event(), threading.Event()

    def is_unwanted() -> bool:
        asked.set()
        return unwanted.is_set()

    with model.held_up():
        ahead = pool.submit(embeddings.prefetch, HERE, is_unwanted=is_unwanted)
        model.wait_until_begun(1)
        click = pool.submit(embeddings.features, HERE)
        while asked.is_set():  # until somebody waits, which is when nobody asks any more
            asked.clear()
            asked.wait(0.2)
        unwanted.set()
        other = pool.submit(embeddings.features, THERE)
    assert click.result(20) is embeddings.features(HERE)
    other.result(20)
    assert ahead.result(20)
    assert len(model.begun) == 2 and not model.given_up


def ask(embeddings: Embeddings, window: Window, gone: threading.Event) -> Any:
    with interruptible(gone.is_set):
        return embeddings.features(window)


def test_what_nobody_wants_any_more_is_given_up_at_once(pool: ThreadPoolExecutor) -> None:
    embeddings = make()
    model, gone, also_gone = embeddings.model, threading.Event(), threading.Event()
    with model.held_up():
        first = pool.submit(ask, embeddings, HERE, gone)
        model.wait_until_begun(1)
        in_line = pool.submit(ask, embeddings, THERE, also_gone)
        also_gone.set()
        gone.set()
        for one in (first, in_line):
            with pytest.raises(Interrupted):
                one.result(20)
        n_begun = len(model.begun)
        ahead = pool.submit(embeddings.prefetch, THERE)
        model.wait_until_begun(n_begun + 1)  # nothing is left behind that it would wait for
    assert ahead.result(20)
    assert not embeddings.is_encoded(HERE)


def test_a_click_goes_before_a_preview_of_another_window(pool: ThreadPoolExecutor) -> None:
    embeddings = make()
    model = embeddings.model

    def preview(window: Window) -> Any:
        with previewing():
            return embeddings.features(window)

    with model.held_up():
        hovered = pool.submit(preview, HERE)
        model.wait_until_begun(1)
        ahead = pool.submit(embeddings.prefetch, Window(50, 50, SIZE))
        click = pool.submit(embeddings.features, THERE)
        model.wait_until_begun(2)
    assert len(model.given_up) == 1
    assert click.result(20) is embeddings.features(THERE)
    assert hovered.result(20) is embeddings.features(HERE)  # it has been encoded after that
    assert ahead.result(20)
    means = [float(embeddings.features(window).maps[0].mean()) for window in (HERE, THERE)]
    assert model.begun[:3] == pytest.approx([*means, means[0]])


def test_what_one_still_wants_goes_on_when_another_is_gone(pool: ThreadPoolExecutor) -> None:
    embeddings = make()
    model, gone = embeddings.model, threading.Event()
    with model.held_up():
        pool.submit(ask, embeddings, HERE, gone)
        model.wait_until_begun(1)
        other = pool.submit(embeddings.features, HERE)
        pending = embeddings._source._pending[HERE]
        while len(pending.waiting) < 2:
            time.sleep(0.001)
        gone.set()
        time.sleep(0.05)
    assert other.result(20) is embeddings.features(HERE)
    assert len(model.begun) == 1


def test_who_comes_while_it_is_given_up_encodes_it_anew(pool: ThreadPoolExecutor) -> None:
    embeddings = make()
    model, clicked = embeddings.model, []

    def is_unwanted() -> bool:
        if not clicked:
            clicked.append(pool.submit(embeddings.features, HERE))
        return True

    with pytest.raises(Interrupted):
        embeddings.prefetch(HERE, is_unwanted=is_unwanted)
    assert clicked[0].result(20) is embeddings.features(HERE)
    assert len(model.begun) == 2


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=40))
def test_whoever_asks_gets_the_features(order: list[tuple[int, bool]]) -> None:
    embeddings = make()

    def ask(y: int, is_click: bool) -> Any:
        window = Window(y, y, SIZE)
        if is_click:
            return embeddings.features(window)
        with suppress(Interrupted):
            embeddings.prefetch(window)
        return None

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda one: ask(*one), order))
    for (y, is_click), features in zip(order, found, strict=True):
        if is_click:
            assert features is embeddings.features(Window(y, y, SIZE))


def test_prefetching_tells_whether_it_had_to_encode(tmp_path: Path) -> None:
    embeddings = make(store=tmp_path / "store.zarr")
    tile = embeddings.window_at(0, 0)
    assert embeddings.tile_bytes is None
    assert embeddings.prefetch(tile, in_memory=False)
    assert embeddings.tile_bytes == 1024
    assert tile in embeddings.store and tile not in embeddings.memory
    assert not embeddings.prefetch(tile, in_memory=False)
    assert not embeddings.prefetch(tile)
    assert tile in embeddings.memory
    assert len(embeddings.model.begun) == 1
    without = make()
    without.prefetch(tile, in_memory=False)
    assert tile in without.memory, "there is nowhere else"


def test_a_disk_that_is_full_is_told_and_the_features_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = make(store=tmp_path / "store.zarr")
    tile = embeddings.window_at(0, 0)

    monkeypatch.setattr(StoredTiles, "write", full)
    with pytest.raises(OSError, match="full"):
        embeddings.prefetch(tile)
    assert tile in embeddings.memory
    assert embeddings.store is not None, "a click would go on without it"


def test_a_store_that_another_thread_gives_up_fails_nobody(tmp_path: Path) -> None:
    embeddings = make(store=tmp_path / "store.zarr")
    here, store = embeddings.window_at(0, 0), embeddings.store

    class GivenUp(FeatureSource):
        """Loses its store as soon as somebody has looked whether there is one."""

        n_looks = 0

        @property
        def store(self) -> EmbeddingStore | None:
            self.n_looks += 1
            return store if self.n_looks % 2 else None

        @store.setter
        def store(self, store: EmbeddingStore | None) -> None:
            pass

    source = GivenUp(embeddings.image, embeddings.model, embeddings.memory, store)
    embeddings._source = source
    for ask in (
        partial(embeddings.features, here),
        partial(embeddings.prefetch, here, in_memory=False),
        partial(embeddings.is_encoded, here),
        embeddings.encoded_tiles,
    ):
        for n_looks in (0, 1):
            source.n_looks = n_looks
            embeddings.memory.clear()
            ask()


def test_filling_a_store_that_a_click_gave_up_is_an_error(tmp_path: Path) -> None:
    embeddings = make(store=tmp_path / "store.zarr")
    run = embeddings.iter_compute()
    next(run)
    with ThreadPoolExecutor(1) as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoredTiles, "write", full)
        with pytest.warns(UserWarning, match="is full"):
            pool.submit(embeddings.features, embeddings.window_at(299, 399)).result(20)
    assert embeddings.store is None
    with pytest.raises(OSError, match="takes no more tiles"):
        next(run)


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_tiles_in_memory_are_counted_without_going_through_all() -> None:
    embeddings = make((3, 300, 400))
    for place in ((0, 0), (150, 200), (299, 399)):
        for plane in (0, 2):
            embeddings.features(embeddings.window_at(*place, plane=plane))
    embeddings.features(embeddings.window_around((100, 100, 110, 110), step=1, plane=0))  # no tile
    embeddings.features(embeddings.window_at(0, 0, step=2, plane=2))
    for chosen in ((), (2,), ([1, 2], 2), (None, [1, 2]), (2, 1, (0, 0, 160, 210))):
        selection = Selection(embeddings, *chosen)
        expected = sum(map(embeddings.is_encoded, selection))
        assert selection.count_encoded() == expected
    endless = np.broadcast_to(np.float32(0), (1000, 1_000_000, 1_000_000))
    image = open_image(endless, axes="zyx", intensity=Intensity((0,), (1,)))
    assert Selection(Embeddings(image, embeddings.model)).count_encoded() == 0


def test_which_tiles_are_encoded(tmp_path: Path) -> None:
    embeddings = make((2, 300, 400))
    assert embeddings.encoded_tiles(1).dtype == np.uint8
    assert embeddings.encoded_tiles(1).shape == embeddings.grid().tiles
    embeddings.features(embeddings.window_at(0, 0, plane=1))
    embeddings.features(embeddings.window_at(299, 399, plane=1, step=2))
    embeddings.features(Window(3, 5, SIZE, 1.0, (1,)))  # no tile
    expected = np.zeros(embeddings.grid().tiles)
    assert (embeddings.encoded_tiles(0) == expected).all()
    expected[0, 0] = 1
    assert (embeddings.encoded_tiles(1) == expected).all()
    expected = np.zeros(embeddings.grid(2).tiles)
    expected[-1, -1] = 1
    assert (embeddings.encoded_tiles(1, 2) == expected).all()
    stored = make((2, 300, 400), store=tmp_path / "store.zarr")
    stored.features(stored.window_at(0, 0, plane=1))
    assert stored.encoded_tiles(1)[0, 0] == 2
    with pytest.raises(ValueError, match="no plane 2"):
        stored.encoded_tiles(2)
