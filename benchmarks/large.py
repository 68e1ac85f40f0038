"""A huge image next to a small one: the first mask, memory, the store, and two workers.

Run from the repository::

    OMP_NUM_THREADS=1 python -m benchmarks.large

With nano, without a window, each measurement in a fresh process, small and large in turn:

- *first mask*: from opening the image to the mask of one click, of fields of cells with 2048² and
  100 000² pixels, which are computed as they are read, or which lie on disk as zarr (of the large
  one, only the chunks that are read are filled). The model is loaded and has run before. In
  seconds that pass, and of CPU, which other work on the machine blurs less; the latter also without
  measuring the intensities, for which a field of 2048² has fewer chunks to compute.
- *clicks*: memory of a process that clicks at 200 places all over the large image.
- *open*: bytes that are read to open the image on disk with a store of it, and to get the mask of a
  click from there. Counted by the system, so Linux only.
- *workers*: a plane is embedded by one worker process and by two, which have loaded the model, of
  nano and of a vit_t with random weights. Next to it what the machine allows: one process and two
  that encode, each with a model of its own, and do nothing else. And the CPU time of workers, and
  of all other processes (scheduler, client, nannies), which have to share the same cores.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import zarr
from distributed import Client, LocalCluster
from zarr.abc.store import ByteRequest
from zarr.core.buffer import Buffer, BufferPrototype

import napari_sam as ns
from napari_sam.embedding.distributed import describe_work, store_tiles
from napari_sam.image.cells import CellStore, cell_field, cell_labels
from napari_sam.model.sam import build_mobile_sam

SMALL, LARGE = 2_048, 100_000

N_CLICKS = 200

Point = tuple[float, float]


def iter_places(side: int, seed: int = 0) -> Iterator[Point]:
    """Yield the centers of cells, anywhere in a field of `side`."""
    truth, rng = cell_labels((side, side))[0], np.random.default_rng(seed)
    while True:
        y, x = rng.integers(300, side - 428, 2)
        square = np.asarray(truth[y : y + 128, x : x + 128])
        if square.any():
            largest = np.bincount(square[square > 0]).argmax()
            row, column = np.argwhere(square == largest).mean(0)
            yield y + row, x + column


def open_field(side: int, folder: Path | None) -> Any:
    """Return the computed field, or that on disk."""
    if folder is None:
        return ns.open_image(cell_field((side, side)))
    return ns.open_image(folder / f"{side}.zarr")


class CopyingStore(CellStore):
    """A computed field of cells that writes to a folder whatever is read of it."""

    def __init__(self, side: int, folder: Path) -> None:
        super().__init__((side, side))
        self.folder = folder

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return a value, and keep a copy of it."""
        value = await super().get(key, prototype, byte_range)
        if value is not None:
            path = self.folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value.to_bytes())
        return value


def write_field(side: int, folder: Path) -> None:
    """Write what a click needs of a field, all of the small one, and a store with the features."""
    field = zarr.open_group(CopyingStore(side, folder / f"{side}.zarr"), mode="r")
    image, model = ns.open_image(field), ns.load_model("nano", device="cpu")
    click(ns.Embeddings(image, model, store=folder / f"{side}.store"), next(iter_places(side)))
    if side == SMALL:
        image.levels[0].array[:]


def click(embeddings: Any, place: Point) -> None:
    """Segment the cell at a place."""
    mask = ns.segment_object(embeddings, ns.Prompts([place]), multimask=False).best
    if not mask.array.any():
        raise RuntimeError(f"There is no mask at {place}.")


def warm_model() -> Any:
    """Load nano, and let it see a click."""
    model = ns.load_model("nano", device="cpu")
    field = ns.open_image(cell_field((1024, 1024), seed=1))
    click(ns.Embeddings(field, model), (500.0, 500.0))
    return model


def measure_first(side: int, folder: Path | None) -> dict[str, float]:
    """Return the seconds from opening an image to its first mask, and what they consist of."""
    model, place = warm_model(), next(iter_places(side))
    started, cpu_started = time.perf_counter(), time.process_time()
    image = open_field(side, folder)
    _ = image.intensity
    cpu_measured = time.process_time()
    click(ns.Embeddings(image, model), place)
    cpu_done = time.process_time()
    return {
        "wall": time.perf_counter() - started,
        "CPU": cpu_done - cpu_started,
        "CPU, intensities known": cpu_done - cpu_measured,
    }


def measure_clicks(side: int) -> tuple[float, float]:
    """Return peak memory of many clicks in GB, and how much of it the second half added."""
    embeddings = ns.Embeddings(open_field(side, None), ns.load_model("nano", device="cpu"))
    process, peaks = psutil.Process(), [0, 0]
    for number, place in zip(range(N_CLICKS), iter_places(side), strict=False):
        click(embeddings, place)
        half = number * 2 // N_CLICKS
        peaks[half] = max(peaks[half], process.memory_info().rss)
    return max(peaks) / 1e9, (peaks[1] - peaks[0]) / 1e9


def measure_open(side: int, folder: Path) -> tuple[float, float]:
    """Return MB read to open an image with its store, and until the mask of a click."""
    model, place = warm_model(), next(iter_places(side))
    store = folder / f"{side}.store"
    process = psutil.Process()

    def read() -> float:
        return process.io_counters().read_chars / 1e6

    before = read()
    embeddings = ns.Embeddings(open_field(side, folder), model, store=store)
    opened = read()
    if not embeddings.is_encoded(embeddings.window_at(*place)):
        raise RuntimeError("The tile was stored and is not there.")
    click(embeddings, place)
    return opened - before, read() - before


def load(folder: Path, name: str) -> Any:
    """Load nano, or the vit_t with random weights that lies in a folder."""
    if name == "nano":
        return ns.load_model("nano", device="cpu")
    return ns.load_model(checkpoint=folder / f"{name}.pt", device="cpu")


def measure_workers(n_workers: int, folder: Path, name: Path) -> dict[str, float]:
    """Return the seconds a tile in which workers embed a plane."""
    with tempfile.TemporaryDirectory() as stores:
        image, model = open_field(SMALL, folder), load(folder, str(name))
        embeddings = ns.Embeddings(image, model, store=Path(stores) / "store")
        with (
            LocalCluster(
                n_workers=n_workers, threads_per_worker=1, dashboard_address=":0"
            ) as cluster,
            Client(cluster) as client,
        ):
            warm = embeddings.grid(1).window(0, 0)
            client.run(store_tiles, describe_work(embeddings), [warm])
            pids = set(client.run(os.getpid).values())
            this = psutil.Process()
            everybody = [this, *this.children(recursive=True)]

            def clocks() -> tuple[float, float, float]:
                workers = rest = 0.0
                for process in everybody:
                    user, system, *_ = process.cpu_times()
                    if process.pid in pids:
                        workers += user + system
                    else:
                        rest += user + system
                return time.perf_counter(), workers, rest

            before = clocks()
            n_tiles = sum(1 for _ in embeddings.iter_compute(steps=[0.5], client=client))
            spent = [(b - a) / n_tiles for a, b in zip(before, clocks(), strict=True)]
    return dict(zip(("wall", "CPU of workers", "CPU of the rest"), spent, strict=True))


def encode_alone(folder: Path, name: str, n_tiles: int, ready: Any, times: Any) -> None:
    """Encode windows when others are ready too, and tell how long each took."""
    model = load(folder, name)
    windows = torch.rand(1, 1, model.image_size, model.image_size)
    model.encode(windows)
    ready.wait()
    started, cpu_started = time.perf_counter(), time.process_time()
    for _ in range(n_tiles):
        model.encode(windows)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu_started
    times.put((wall / n_tiles, cpu / n_tiles))


def measure_alone(n_processes: int, folder: Path, name: Path) -> dict[str, float]:
    """Return the seconds a tile in which processes that know nothing of each other encode."""
    context = multiprocessing.get_context("spawn")
    ready, times = context.Barrier(n_processes), context.Queue()
    arguments = folder, str(name), 8 if str(name) == "vit_t" else 40, ready, times
    processes = [context.Process(target=encode_alone, args=arguments) for _ in range(n_processes)]
    for process in processes:
        process.start()
    spent = [times.get() for _ in processes]
    for process in processes:
        process.join()
    return {
        "wall": max(wall for wall, _ in spent) / n_processes,
        "CPU": statistics.mean(cpu for _, cpu in spent),
    }


def measure_apart(name: str, *arguments: object) -> Any:
    """Call one of the functions above in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.large", name, *map(str, arguments)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(run.stdout.splitlines()[-1])


def print_first(kind: str, where: object, repeats: int) -> None:
    """Print the first mask of the small and the large image, medians and their ratio."""
    rounds = [
        [measure_apart("measure_first", side, where) for side in (SMALL, LARGE)]
        for _ in range(repeats)
    ]
    for clock in rounds[0][0]:
        small, large = (
            statistics.median(times[clock] for times in column)
            for column in zip(*rounds, strict=True)
        )
        label = f"first mask, {kind}, {clock}"
        print(f"{label:46}{small:6.2f} s {large:6.2f} s   ratio {large / small:.2f}", flush=True)


def print_workers(folder: Path, name: str, repeats: int) -> None:
    """Print how much faster two workers are than one, and two processes that only encode."""
    for measure in ("measure_workers", "measure_alone"):
        rounds = [[measure_apart(measure, n, folder, name) for n in (1, 2)] for _ in range(repeats)]
        for clock in rounds[0][0]:
            one, two = (
                statistics.median(times[clock] for times in column)
                for column in zip(*rounds, strict=True)
            )
            label = f"{name}, {measure}, {clock}, s a tile"
            print(f"{label:46}{one:6.3f}   {two:6.3f}     ratio {one / two:.2f}", flush=True)


def main(repeats: int = 5) -> None:
    """Measure, and print figures and ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side in (SMALL, LARGE):
            write_field(side, folder)
        print_first("computed", "", repeats)
        print_first("on disk", folder, repeats)
        for side in (SMALL, LARGE):
            opened, clicked = measure_apart("measure_open", side, folder)
            print(f"open {side}² with a store: {opened:.1f} MB read, with a click {clicked:.1f} MB")
        peak, growth = measure_apart("measure_clicks", LARGE)
        print(f"{N_CLICKS} clicks: peak {peak:.2f} GB, {growth:+.3f} GB over the second half")
        torch.save(build_mobile_sam("vit_t").state_dict(), folder / "vit_t.pt")
        for model in ("nano", "vit_t"):
            print_workers(folder, model, 3)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if len(sys.argv) > 2:
        measure, first, *rest = sys.argv[1:]
        folders = [Path(one) if one else None for one in rest]
        print(json.dumps(globals()[measure](int(first), *folders)))
    else:
        main()
