"""All objects of a plane, by one worker and by two.

Run from the repository::

    OMP_NUM_THREADS=1 python -m benchmarks.stack

With nano and its seeds, on a field of cells of 2048² pixels on disk. The workers are
processes of dask.distributed with one thread each, which have opened the image and loaded the model
before. In seconds that pass: of finding objects, and of all until the OME-Zarr is finished.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.large import SMALL, open_field, write_field
from distributed import Client, LocalCluster

import napari_sam as ns
from napari_sam.segment import iter_segment_stack


def measure(n_workers: int, folder: Path) -> tuple[float, float]:
    """Return the seconds of finding, and of all stages."""
    embeddings = ns.Embeddings(open_field(SMALL, folder), ns.load_model("nano", device="cpu"))
    with (
        tempfile.TemporaryDirectory() as out,
        LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        warm = (0, 0, 600, 600)
        ns.segment_stack(embeddings, Path(out) / "warm.zarr", region=warm, client=client)
        started = found = time.perf_counter()
        for progress in iter_segment_stack(embeddings, Path(out) / "all.zarr", client=client):
            if progress.stage == "find":
                found = time.perf_counter()
        return found - started, time.perf_counter() - started


def main(repeats: int = 1) -> None:
    """Print medians and ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_field(SMALL, folder)
        rounds = [[measure(n_workers, folder) for n_workers in (1, 2)] for _ in range(repeats)]
    for number, stage in enumerate(("find", "all stages")):
        one, two = (
            statistics.median(t[number] for t in times) for times in zip(*rounds, strict=True)
        )
        print(f"{stage}: {one:.1f} s with one worker, {two:.1f} s with two, {one / two:.2f} ×")


if __name__ == "__main__":
    main()
