"""Tiles that are searched at once: as many as there are cores, each with one of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from napari_sam.model import load_model
from napari_sam.model.interrupt import give_way, interruptible, unwanted
from napari_sam.segment import find, forecast, stack
from napari_sam.segment.objects import read_objects
from napari_sam.segment.stack import segment_stack
from napari_sam.segment.tasks import iter_tasks
from napari_sam.segment.threads import MAX_THREADS, default_finders, n_cores, one_core

from . import blobs


@pytest.fixture
def three_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_cores")
def test_as_many_tiles_as_cores_where_encoding_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    nano = load_model("nano", device="cpu")
    assert default_finders(nano) == 3
    torch.set_num_threads(2 * MAX_THREADS)
    assert default_finders(nano) == MAX_THREADS
    monkeypatch.setattr(nano, "encodes_quickly", False)
    assert default_finders(nano) == 1


@pytest.mark.usefixtures("three_cores")
def test_one_core_also_in_threads_that_begin_then_and_all_again_afterwards() -> None:
    with one_core(), ThreadPoolExecutor(1) as pool:
        assert (torch.get_num_threads(), pool.submit(torch.get_num_threads).result()) == (1, 1)
    assert torch.get_num_threads() == 3
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 3


@pytest.mark.usefixtures("three_cores")
def test_of_several_that_want_one_core_the_last_gives_them_back() -> None:
    first, second = one_core(), one_core()
    with ThreadPoolExecutor(1) as pool:
        first.__enter__()
        pool.submit(second.__enter__).result()
        assert n_cores() == 3
        first.__exit__(None, None, None)
        pool.submit(second.__exit__, None, None, None).result()
        assert pool.submit(torch.get_num_threads).result() == 3
    assert torch.get_num_threads() == n_cores() == 3


@pytest.mark.usefixtures("three_cores")
def test_tiles_that_are_searched_at_once_give_the_same_labels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, cores = threading.Barrier(3, timeout=30), set[int]()

    def find_together(*window: Any) -> Any:
        cores.add(torch.get_num_threads())
        together.wait()
        return blobs.find_blobs(*window)

    discs = [(40, 52, 6), (20, 20, 9), (100, 60, 40), (40, 160, 3), (130, 140, 20), (128, 10, 8)]
    embeddings = blobs.embed(blobs.paint_discs((150, 180), discs))
    monkeypatch.setitem(find.FINDERS, "seeds", blobs.find_blobs)
    one = segment_stack(embeddings, tmp_path / "one.zarr", n_threads=1)
    monkeypatch.setitem(find.FINDERS, "seeds", find_together)
    n_rows, n_columns = embeddings.grid().tiles
    assert n_rows * n_columns % 3 == 0  # or else the last ones would wait for others in vain
    several = segment_stack(embeddings, tmp_path / "several.zarr", n_threads=3)
    assert cores == {1}
    assert torch.get_num_threads() == 3
    np.testing.assert_array_equal(several.data[:], one.data[:])
    found, expected = (read_objects(tmp_path / f"{name}.zarr") for name in ("several", "one"))
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column)


def test_threads_know_that_their_work_is_no_longer_wanted() -> None:
    asked = []

    def ask(_: Any, part: tuple[int, ...]) -> None:
        asked.append((part, unwanted()()))

    parts = [(0,), (1,)]
    with interruptible(lambda: True):
        done = list(iter_tasks(ask, SimpleNamespace(), parts, n_threads=2))  # type: ignore[arg-type]
    assert sorted(done) == parts
    assert sorted(asked) == [((0,), True), ((1,), True)]


def test_what_has_begun_is_given_up_when_the_pass_is_left() -> None:
    began = threading.Event()

    def wait_to_be_left(_: Any, part: tuple[int, ...]) -> None:
        if part == (0,):
            began.wait(30)
            return
        began.set()
        while True:
            give_way()

    tasks = iter_tasks(wait_to_be_left, SimpleNamespace(), iter([(0,), (1,)]), n_threads=2)  # type: ignore[arg-type]
    assert next(tasks) == (0,)
    tasks.close()  # or this never ends


@pytest.mark.parametrize(
    ("n_tiles", "encode_s", "find_s", "seconds"),
    [(12, 1.0, 2.0, 12.0), (12, 0.0, 3.0, 12.0), (12, 1.0, 8.0, 36.0), (1, 1.0, 8.0, 9.0)],
    ids=["encoded one after the other", "searched at once", "both", "a single tile"],
)
def test_a_forecast_counts_what_is_done_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    n_tiles: int,
    encode_s: float,
    find_s: float,
    seconds: float,
) -> None:
    monkeypatch.setitem(find.FINDERS, "seeds", blobs.find_blobs)
    embeddings = blobs.embed(blobs.paint_discs((150, 180), [(40, 52, 6)]))
    region = None if n_tiles > 1 else [0, 0, 20, 20]
    run = stack.prepare_run(embeddings, tmp_path / "labels.zarr", None, region, None, None)
    assert len(list(run.iter_tiles())) == n_tiles
    measure = forecast._measure
    monkeypatch.setattr(forecast, "default_finders", lambda model: 3)
    monkeypatch.setattr(forecast, "_measure", lambda *tile: (measure(*tile)[0], encode_s, find_s))
    assert forecast.forecast(run).seconds == seconds
