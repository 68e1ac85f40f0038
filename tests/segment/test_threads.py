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
from napari_sam.model.interrupt import interruptible, unwanted
from napari_sam.segment import find
from napari_sam.segment.objects import read_objects
from napari_sam.segment.stack import segment_stack
from napari_sam.segment.tasks import iter_tasks
from napari_sam.segment.threads import MAX_THREADS, default_finders, one_core

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
