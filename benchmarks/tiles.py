"""Finding objects in one tile after the other, with torch's threads, and in several at once.

Run from the repository::

    python -m benchmarks.tiles seeds 2048
    python -m benchmarks.tiles grid 1024

With nano, on a field of cells in memory; in seconds that pass and of CPU, each in turn, twice.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import napari_sam as ns
from napari_sam.image.cells import cell_field
from napari_sam.segment import iter_segment_stack
from napari_sam.segment.settings import FindSettings, SegmentSettings


def measure(embeddings: ns.Embeddings, settings: SegmentSettings, n_threads: int | None) -> None:
    """Print what finding takes."""
    with tempfile.TemporaryDirectory() as folder:
        started = found = time.perf_counter(), time.process_time()
        out = Path(folder) / "labels.zarr"
        embeddings.memory.clear()
        for progress in iter_segment_stack(embeddings, out, settings=settings, n_threads=n_threads):
            if progress.stage == "find":
                found = time.perf_counter(), time.process_time()
    passed, cpu = (b - a for a, b in zip(started, found, strict=True))
    way = "one tile" if n_threads == 1 else "several tiles"
    print(f"{way}: {passed:.1f} s, {cpu:.1f} s of CPU", flush=True)


def main(mode: str, side: str) -> None:
    """Measure both ways in turn."""
    field = ns.open_image(cell_field((int(side), int(side)), seed=0)).levels[0].array[:]
    image = ns.open_image(np.asarray(field))
    embeddings = ns.Embeddings(image, ns.load_model("nano", device="cpu"))
    settings = SegmentSettings(find=FindSettings(mode=mode))
    for n_threads in (1, None, 1, None):
        measure(embeddings, settings, n_threads)


if __name__ == "__main__":
    main(*sys.argv[1:])
