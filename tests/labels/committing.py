"""A process that changes labels; run by `runpy`, to be killed at any moment.

Takes the globals PATH, LOG and N_CHANGES. The n-th change depends only on n and
on what the labels hold after the one before.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import zarr

from napari_sam.labels.change import Change
from napari_sam.labels.journal_entry import iter_entries
from napari_sam.labels.levels import Levels
from napari_sam.labels.object_at import object_at
from napari_sam.labels.objects import ObjectRecord
from napari_sam.labels.on_disk import OnDisk, open_on_disk
from napari_sam.labels.recovery import find_recovery, new_recovery
from napari_sam.labels.replace import plan_removal
from napari_sam.labels.save import open_saved
from napari_sam.labels.store import ObjectStore
from napari_sam.labels.write import plan_mask
from napari_sam.masks import Mask
from napari_sam.prompts import Prompts

SHAPE = (2, 300, 300)


def nth_change(n: int, labels, table) -> Change:
    """Return a commit over several chunks, now and then on both planes; or a deletion."""
    rng = np.random.default_rng(n)
    records = list(table)
    if n % 5 == 4 and records:
        record = records[int(rng.integers(len(records)))]
        mask = object_at(labels, record.label, plane=record.plane, box=record.box)
        edit = plan_removal(labels, mask, record.label, plane=record.plane)
        return Change(drop=(record,), edits=(edit,))
    y, x = rng.integers(-10, 280, 2).tolist()
    mask = Mask.from_array(rng.random((90, 70)) < 0.9, y, x)
    planes = [(0,), (1,)] if n % 5 == 3 else [(n % 2,)]
    how = {"prompts": Prompts([[y, x]])}
    return Change(
        put=tuple(ObjectRecord.of(mask, n + 1, plane, **how) for plane in planes),
        edits=tuple(
            plan_mask(labels, mask, n + 1, plane=plane, overlap="replace") for plane in planes
        ),
    )


def count(journal: Path) -> int:
    """Return how many changes a journal tells of."""
    entries = iter_entries(journal) if journal.exists() else ()
    return sum(not entry.is_confirmation for _, entry in entries)


def change_all(labels, objects: ObjectStore, log: str, n_changes: int) -> None:
    """Make the changes that are missing; note how many are made after each."""
    n_done = count(objects.journal.path)
    with open(log, "a") as notes:
        print(n_done, file=notes, flush=True)
        for n in range(n_done, n_changes):
            objects.apply(nth_change(n, labels, objects.table), labels)
            print(n + 1, file=notes, flush=True)
    os._exit(0)


def first_labels(name: str) -> np.ndarray:
    """Return what labels hold before the first change; those of others are not empty."""
    labels = np.zeros(SHAPE, np.uint16)
    if name in ("over", "mine"):
        labels[:, 20:200:40, 10:250] = 60_000
    return labels


def open_others(path: str | Path) -> tuple[list[zarr.Array], OnDisk]:
    """Open labels on disk that somebody else has made, in levels of other factors than ours."""
    os.environ["XDG_STATE_HOME"] = str(Path(path).with_name("state"))
    levels = [zarr.open_array(Path(path) / name, mode="r+") for name in "01"]
    return levels, open_on_disk(levels)


def main(path: str, log: str, n_changes: int) -> None:
    """Change labels on disk; or in memory, with their journal in a folder."""
    if path.endswith(".zarr"):
        saved = open_saved(path)
        change_all(saved.pyramid, saved.objects, log, n_changes)
    if path.endswith("mine"):
        levels, found = open_others(path)
        change_all(Levels(levels), found.objects, log, n_changes)
    name = Path(path).name
    labels, is_over = first_labels(name), name == "over"
    if found := find_recovery("cells", SHAPE, path):
        change_all(labels, found.apply(labels, is_over=is_over), log, n_changes)
    recovery = new_recovery("cells", SHAPE, path)
    change_all(labels, recovery.begin("mine" if is_over else None), log, n_changes)


if "PATH" in globals():
    main(globals()["PATH"], globals()["LOG"], globals()["N_CHANGES"])
