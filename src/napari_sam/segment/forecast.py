"""What a run of automatic segmentation will take, measured on a tile."""

from __future__ import annotations

import itertools
import shutil
import time
import zlib
from dataclasses import dataclass

import numpy as np

from napari_sam.embedding.forecast import say_duration, say_size
from napari_sam.masks.paint import paint
from napari_sam.segment.find import find_objects
from napari_sam.segment.run import Run

PYRAMID = 4 / 3
"""Pixels of all levels, for each one of the finest."""


@dataclass(frozen=True)
class Forecast:
    """Tiles, time and disk of a run; ``str`` says it in a sentence.

    Attributes
    ----------
    n_tiles : int
        Of all planes, in the region.
    seconds : float
        To encode and search them.
    label_bytes, work_bytes : int
        Disk that the labels take, and the working folder until they are complete.
    free_bytes : int
        Disk that is free now.
    """

    n_tiles: int
    seconds: float
    label_bytes: int
    work_bytes: int
    free_bytes: int

    def __str__(self) -> str:
        fits = self.label_bytes + self.work_bytes <= self.free_bytes
        return (
            f"{self.n_tiles} tile{'' if self.n_tiles == 1 else 's'}: about "
            f"{say_duration(self.seconds)}; on disk about "
            f"{say_size(self.label_bytes)}, and {say_size(self.work_bytes)} until it is done "
            f"({say_size(self.free_bytes)} free{'' if fits else ': not enough'})."
        )


def forecast(run: Run, n_workers: int = 1) -> Forecast:
    """Tell what a run takes, from two tiles in the middle; nothing is written.

    Parameters
    ----------
    run : Run
        Without a store: what is encoded here is not kept.
    n_workers : int
        That share the work.
    """
    parts = list(itertools.product(run.planes, run.tiles()))
    # The first one that a model looks at takes longer.
    for plane, (row, column) in parts[len(parts) // 2 :][:2]:
        started = time.perf_counter()
        window, core = run.grid.window(row, column, plane), run.grid.core(row, column)
        found = find_objects(run.embeddings, window, run.settings.find, within=core)
        seconds = time.perf_counter() - started
    disk = next(folder for folder in run.folder.path.absolute().parents if folder.exists())
    labels = paint(found, np.arange(len(found)), core).tobytes()
    return Forecast(
        len(parts),
        seconds * len(parts) / max(n_workers, 1),
        int(len(zlib.compress(labels, 1)) * len(parts) * PYRAMID),
        found.nbytes * len(parts),
        shutil.disk_usage(disk).free,
    )
