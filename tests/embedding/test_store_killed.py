"""Several processes fill one store, and are killed while they do."""

from __future__ import annotations

import multiprocessing
import random
import runpy
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from napari_sam.embedding.store import EmbeddingStore

SCRIPT = Path(__file__).with_name("filling_store.py")
FILLING = runpy.run_path(str(SCRIPT))
KEY, PLANES, STEP = FILLING["KEY"], FILLING["PLANES"], FILLING["STEP"]

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")


def start(path: Path, log: Path, backward: bool = False) -> BaseProcess:
    """Start to fill a store in a process of its own, which has imported everything."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["napari_sam.embedding.store"])
    options = {"PATH": str(path), "LOG": str(log), "BACKWARD": backward}
    process = processes.Process(target=runpy.run_path, args=(str(SCRIPT), options))
    process.start()
    return process


def finish(process: BaseProcess) -> None:
    process.join(60)
    assert process.exitcode == 0
    process.close()


def content(path: Path) -> dict[str, bytes]:
    return {
        str(file.relative_to(path)): file.read_bytes()
        for file in path.rglob("*")
        if file.is_file() and ".partial" not in str(file)
    }


def undisturbed(path: Path) -> dict[str, bytes]:
    store = EmbeddingStore(path, KEY)
    for window in store.iter_missing(PLANES, STEP):
        store.put(window, FILLING["encode"](window))
    return content(path)


def encoded(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if line != "start"]


def is_whole(store: EmbeddingStore) -> bool:
    return all(store.tiles_present(STEP, plane).all() for plane in PLANES)


def kill_at_random(path: Path, log: Path, n_kills: int, seed: int) -> None:
    """Start and kill `n_kills` processes, some while they make the store, most at a tile."""
    moments = random.Random(seed)
    log.touch()
    for _ in range(n_kills):
        length = log.stat().st_size
        process = start(path, log)
        while log.stat().st_size == length:  # it is not at work yet
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.04))
        process.kill()
        process.join()
        process.close()
        EmbeddingStore(path, KEY)


@pytest.mark.parametrize("n_kills", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, n_kills: int) -> None:
    path, log = tmp_path / "store.zarr", tmp_path / "log"
    kill_at_random(path, log, n_kills, seed=n_kills)
    finish(start(path, log))
    store = EmbeddingStore(path, KEY)
    assert is_whole(store)
    n_tiles = len(PLANES) * int(np.prod(store.grid(STEP).tiles))
    assert n_tiles <= len(encoded(log)) <= n_tiles + n_kills, "only tiles in flight are lost"
    assert content(path) == undisturbed(tmp_path / "undisturbed.zarr")


def test_two_processes_share_a_store_from_its_first_moment(tmp_path: Path) -> None:
    path, logs = tmp_path / "store.zarr", [tmp_path / "log 0", tmp_path / "log 1"]
    for process in [start(path, logs[0]), start(path, logs[1], backward=True)]:
        finish(process)
    first, second = (encoded(log) for log in logs)
    tiles = set(first) | set(second)
    assert len(tiles) == len(PLANES) * int(np.prod(EmbeddingStore(path, KEY).grid(STEP).tiles))
    assert content(path) == undisturbed(tmp_path / "undisturbed.zarr")
