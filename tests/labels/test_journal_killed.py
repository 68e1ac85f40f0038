"""A process changes labels on disk or in memory, and is killed while it does."""

from __future__ import annotations

import multiprocessing
import random
import runpy
import sys
import time
from collections.abc import Sequence
from itertools import zip_longest
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_sam.labels import create_labels
from napari_sam.labels.block_mode import block_mode
from napari_sam.labels.journal import ObjectJournal
from napari_sam.labels.levels import level_factors
from napari_sam.labels.recovery import find_recovery
from napari_sam.labels.save import open_saved
from napari_sam.labels.store import ObjectStore

from .changes import content

SCRIPT = Path(__file__).with_name("committing.py")
COMMITTING = runpy.run_path(str(SCRIPT))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes are forked")


def start(path: Path, log: Path, n_changes: int) -> BaseProcess:
    """Start to change labels in a process of its own, which has imported everything."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["napari_sam.labels.on_disk"])
    options = {"PATH": str(path), "LOG": str(log), "N_CHANGES": n_changes}
    process = processes.Process(target=runpy.run_path, args=(str(SCRIPT), options))
    process.start()
    return process


class Model:
    """What labels and table must be after so many changes."""

    def __init__(self, name: str) -> None:
        self.labels = COMMITTING["first_labels"](name)
        self.store = ObjectStore()
        self.n_changes = 0

    def advance(self, n_changes: int) -> None:
        for n in range(self.n_changes, n_changes):
            change = COMMITTING["nth_change"](n, self.labels, self.store.table)
            self.store.apply(change, self.labels)
        self.n_changes = n_changes

    def check(self, path: Path) -> None:
        """Open labels, and compare them, and their coarser levels."""
        levels, objects = self.open(path)
        self.advance(COMMITTING["count"](objects.journal.path))
        assert content(objects.table) == content(self.store.table)
        expected = self.labels
        for fine, coarse in zip_longest(levels, levels[1:]):
            np.testing.assert_array_equal(fine[...], expected)
            if coarse is not None:
                expected = block_mode(expected, level_factors(fine.shape, coarse.shape))

    def open(self, path: Path) -> tuple[Sequence[Any], ObjectStore]:
        """Return the levels and the records of labels that a process has left."""
        if path.suffix == ".zarr":
            saved = open_saved(path)
            return saved.pyramid.levels, saved.objects
        if path.name == "mine":
            levels, on_disk = COMMITTING["open_others"](path)
            on_disk.release()
            return levels, on_disk.objects
        found = find_recovery("cells", COMMITTING["SHAPE"], path)
        labels = COMMITTING["first_labels"](path.name)
        if found is None:
            return [labels], ObjectStore(journal=ObjectJournal.begin(path / "none"))
        objects = found.apply(labels, is_over=path.name == "over")
        found.release()
        return [labels], objects


def noted(log: Path) -> int:
    """Return how many changes were made for sure."""
    return int(log.read_text().rpartition("\n")[0].splitlines()[-1])


def make_labels(path: Path) -> None:
    """Make labels on disk, empty ones of ours, or those of somebody else."""
    if path.suffix == ".zarr":
        create_labels(path, COMMITTING["SHAPE"], chunks=(1, 64, 64))
    elif path.name == "mine":
        labels = COMMITTING["first_labels"](path.name)
        for name, level in (("0", labels), ("1", block_mode(labels, (1, 3, 3)))):
            array = zarr.create_array(
                path / name, shape=level.shape, chunks=(1, 64, 64), dtype=level.dtype
            )
            array[...] = level


@pytest.mark.parametrize("name", ["a.zarr", "mine", "recovery", "over"])
@pytest.mark.parametrize(
    ("n_changes", "n_kills"), [(60, 5), pytest.param(500, 30, marks=pytest.mark.slow)]
)
def test_after_a_kill_labels_and_journal_agree_and_at_most_one_change_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_changes: int, n_kills: int, name: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path, log, chance = tmp_path / name, tmp_path / "log", random.Random(n_kills)
    make_labels(path)
    log.write_text("0\n")
    model = Model(name)
    for n_wanted in sorted(chance.sample(range(1, n_changes - 5), n_kills)):
        length = log.stat().st_size
        process = start(path, log, n_changes)
        while log.stat().st_size == length or noted(log) < n_wanted:  # it is not there yet
            time.sleep(0.0005)
        time.sleep(chance.uniform(0, 0.003 if name in ("recovery", "over") else 0.03))
        process.kill()
        process.join()
        process.close()
        model.check(path)
        assert noted(log) <= model.n_changes <= noted(log) + 1
    process = start(path, log, n_changes)
    process.join(300)
    assert process.exitcode == 0
    process.close()
    model.check(path)
    assert model.n_changes == n_changes
