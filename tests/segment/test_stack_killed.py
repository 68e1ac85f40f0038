"""A process that segments a stack is killed again and again, and nothing is different after all."""

from __future__ import annotations

import multiprocessing
import random
import runpy
import sys
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_sam.segment import find
from napari_sam.segment.stack import segment_stack

from . import blobs

SCRIPT = Path(__file__).with_name("segmenting_stack.py")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")


def start(image: Path, out: Path, log: Path) -> BaseProcess:
    """Start to segment in a process of its own, which has imported everything."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["napari_sam.segment.stack"])
    options = {"IMAGE": str(image), "OUT": str(out), "LOG": str(log)}
    process = processes.Process(target=runpy.run_path, args=(str(SCRIPT), options))
    process.start()
    return process


@pytest.mark.parametrize("n_kills", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_a_killed_run_goes_on_where_it_was(
    tmp_path: Path, n_kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(find.FINDERS, "seeds", blobs.find_blobs)
    rng, moments = np.random.default_rng(0), random.Random(n_kills)
    sizes = [*rng.uniform(2, 12, 30), 50, 60]
    discs = [(y, x, r) for (y, x), r in zip(rng.uniform(0, 200, (32, 2)), sizes, strict=True)]
    planes = [blobs.paint_discs((200, 220), [(y, x, r * k) for y, x, r in discs]) for k in (1, 0.9)]
    image, out, log = (tmp_path / name for name in ("image.zarr", "labels.zarr", "log"))
    zarr.create_array(image, data=np.stack(planes), chunks=(1, 64, 64))

    log.touch()
    for _ in range(n_kills):
        length = log.stat().st_size
        process = start(image, out, log)
        while log.stat().st_size == length and process.is_alive():  # it is not at work yet
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 1.5))
        process.kill()
        process.join()
        process.close()
    process = start(image, out, log)
    process.join(120)
    assert process.exitcode == 0

    (tmp_path / "undisturbed").mkdir()
    undisturbed = segment_stack(blobs.embed(image), tmp_path / "undisturbed" / "labels.zarr")
    assert undisturbed.data[:].max() > 20
    assert blobs.content(out) == blobs.content(tmp_path / "undisturbed" / "labels.zarr")
    assert not out.with_name("labels.zarr.work").exists()
    n_tiles = 2 * int(np.prod(blobs.embed(image).grid().tiles))
    done = Counter(log.read_text().split())
    assert n_tiles - n_kills <= done["find"] <= n_tiles, "no tile is looked at again"
