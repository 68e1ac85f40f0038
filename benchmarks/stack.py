"""All objects of a stack, by one worker and by two.

Run from the repository::

    OMP_NUM_THREADS=1 python -m benchmarks.stack

With nano and its seeds, on two planes of 2048² pixels with cells, on disk. The workers are
processes of dask.distributed with one thread each, which have opened the image and loaded the model
before. In seconds that pass, of finding objects, and of all until the OME-Zarr is finished. And,
as other work on the machine blurs that, in seconds of CPU: of a worker, on average, and of the
process with scheduler and client, which waits for the most part.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from distributed import Client, LocalCluster

import napari_sam as ns
from napari_sam.image.cells import cell_field
from napari_sam.segment import iter_segment_stack

SIDE, N_PLANES = 2_048, 2
WARM = (0, 0, 600, 600)

COLUMNS = ("finding, s", "all stages, s", "a worker, CPU s", "scheduler and client, CPU s")


def write_stack(path: Path) -> None:
    """Write planes with different cells."""
    fields = (cell_field((SIDE, SIDE), seed=seed) for seed in range(N_PLANES))
    np.save(path, np.stack([np.asarray(ns.open_image(f).levels[0].array[:]) for f in fields]))


def measure(n_workers: int, path: Path) -> tuple[float, ...]:
    """Return the `COLUMNS`."""
    image = ns.open_image(path, axes="zyx")
    embeddings = ns.Embeddings(image, ns.load_model("nano", device="cpu"))
    with (
        tempfile.TemporaryDirectory() as out,
        LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        ns.segment_stack(embeddings, Path(out) / "warm.zarr", region=WARM, client=client)
        processes = [psutil.Process(pid) for pid in client.run(os.getpid).values()]
        processes.append(psutil.Process())
        started, before = time.perf_counter(), [cpu_seconds(one) for one in processes]
        found = started
        for progress in iter_segment_stack(embeddings, Path(out) / "all.zarr", client=client):
            if progress.stage == "find":
                found = time.perf_counter()
        done = time.perf_counter()
        *workers, rest = (cpu_seconds(one) - b for one, b in zip(processes, before, strict=True))
        return found - started, done - started, statistics.mean(workers), rest


def cpu_seconds(process: psutil.Process) -> float:
    """Return the time that a process has computed, the system's part too."""
    times = process.cpu_times()
    return float(times.user + times.system)


def main(repeats: int = 1) -> None:
    """Print medians and ratios."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "stack.npy"
        write_stack(path)
        rounds = [[measure(n_workers, path) for n_workers in (1, 2)] for _ in range(repeats)]
    for number, what in enumerate(COLUMNS):
        one, two = (
            statistics.median(t[number] for t in times) for times in zip(*rounds, strict=True)
        )
        print(f"{what}: {one:.1f} with one worker, {two:.1f} with two, {one / two:.2f} ×")


if __name__ == "__main__":
    main()
