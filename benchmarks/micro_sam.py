"""Side by side with micro-sam on an image of 8192² pixels: opening a cache, a kill, memory.

Run from the repository, with a Python that has micro-sam::

    OMP_NUM_THREADS=1 python -m benchmarks.micro_sam path/to/other/python

That Python is one of a virtual environment with ``pip install torch micro_sam`` and
``pip install --no-deps segment_anything_hq``. Both sides encode a zarr of cells with a vit_t of the
same random weights in float32 on the CPU, in 11 × 11 tiles of 1024² that share a halo of 128, and
keep the embeddings in a folder. Every row is a fresh process:

- *resume*: killed with SIGKILL after some tiles, and started again until all tiles are there; how
  many were encoded, and the peak memory. From the last start on, embeddings are drawn at random
  instead, since neither the time to open a cache nor its size depends on them.
- *open*: the model is loaded; the image is opened, with the cache; the embedding of a tile is read.
  In turn; files are in the memory of the system. What is read is counted by it, so Linux only.

micro-sam is as published, with two stand-ins for what pip does not bring. torchvision's operators
for nms, which are compiled for CUDA there, are declared and never called. ``mobile_sam``, from
which micro-sam takes vit_t, is the same TinyViT from segment_anything_hq, with the other parts of
segment_anything.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import torch
import zarr

SIDE, TILE, HALO = 8_192, 768, 128
N_TILES = 11**2

KILLED_AFTER = (4, 8, 12)
"""Tiles that a run encodes before it is killed."""

MIDDLE = SIDE // 2

Figures = dict[str, dict[str, float]]


class Ours:
    """What is done with this project."""

    def __init__(self, folder: Path) -> None:
        import napari_sam as ns

        self.model = ns.load_model(
            checkpoint=folder / "vit_t.pt", device="cpu", precision="float32"
        )
        self.folder, self.ns = folder, ns

    @property
    def network(self) -> Any:
        """With an image encoder, which is called once for each tile."""
        return self.model

    def open(self) -> Any:
        """Open the image with its store."""
        image = self.ns.open_image(self.folder / "image.zarr")
        return self.ns.Embeddings(image, self.model, halo=HALO, store=self.folder / "ours")

    def compute(self) -> int:
        """Fill the store, and return how many tiles it has."""
        embeddings = self.open()
        for _ in embeddings.iter_compute():
            pass
        return int(embeddings.store.tiles_present(1).sum())

    def read_tile(self, embeddings: Any) -> Any:
        """Return the embedding of a tile."""
        return embeddings.features(embeddings.window_at(MIDDLE, MIDDLE)).maps[0]


class Theirs:
    """The same with micro-sam."""

    def __init__(self, folder: Path) -> None:
        stand_in()
        from micro_sam import util

        checkpoint = folder / "vit_t.pt"
        self.predictor = util.get_sam_model("vit_t", checkpoint_path=checkpoint, device="cpu")
        self.folder, self.util = folder, util

    @property
    def network(self) -> Any:
        """With an image encoder, which is called once for each tile."""
        return self.predictor.model

    def open(self) -> Any:
        """Open the image with the folder of its embeddings, which computes what is not there."""
        return self.util.precompute_image_embeddings(
            self.predictor,
            zarr.open_array(self.folder / "image.zarr", mode="r"),
            save_path=self.folder / "theirs",
            tile_shape=(TILE, TILE),
            halo=(HALO, HALO),
            verbose=False,
        )

    def compute(self) -> int:
        """Fill the folder, and return how many tiles it has."""
        return len(list(self.open()["features"].array_keys()))

    def read_tile(self, embeddings: Any) -> Any:
        """Return the embedding of a tile."""
        number = MIDDLE // TILE * 12
        return self.util.set_precomputed(self.predictor, embeddings, tile_id=number).features


SIDES: dict[str, Callable[[Path], Ours | Theirs]] = {"ours": Ours, "theirs": Theirs}


def stand_in() -> None:
    """Let micro-sam import what pip has not brought."""
    library = torch.library
    for name in ("nms", "qnms"):
        signature = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(f"torchvision::{name}", signature)
    from segment_anything import SamPredictor, sam_model_registry
    from segment_anything_hq.modeling import TinyViT

    class Encoder(TinyViT):  # type: ignore[misc]
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            embedding: torch.Tensor = super().forward(images)[0]  # not the early features of HQ
            return embedding

    def build() -> Any:
        sam = sam_model_registry["vit_b"]()  # prompt encoder and decoder are the same
        sam.image_encoder = Encoder(
            img_size=1024,
            embed_dims=[64, 128, 160, 320],
            depths=[2, 2, 6, 2],
            num_heads=[2, 4, 5, 10],
            window_sizes=[7, 7, 14, 7],
            drop_path_rate=0.0,
        )
        return sam.eval()

    module: Any = ModuleType("mobile_sam")
    module.SamPredictor, module.sam_model_registry = SamPredictor, {"vit_t": build}
    sys.modules["mobile_sam"] = module


def write_weights(_: str, folder: Path) -> None:
    """Save random weights, in the other environment."""
    stand_in()
    torch.manual_seed(0)
    torch.save(
        sys.modules["mobile_sam"].sam_model_registry["vit_t"]().state_dict(), folder / "vit_t.pt"
    )


def write_image(folder: Path) -> None:
    """Save a field of cells."""
    from napari_sam.image.cells import cell_field

    field = cell_field((SIDE, SIDE))[0]
    array = zarr.create_array(
        folder / "image.zarr", shape=field.shape, chunks=(1024, 1024), dtype=field.dtype
    )
    for first in range(0, SIDE, 1024):
        array[first : first + 1024] = field[first : first + 1024]


@contextmanager
def measured(figures: Figures, what: str) -> Iterator[None]:
    """Note seconds, and what is read."""
    process = psutil.Process()

    def now() -> tuple[float, float, float]:
        read = process.io_counters().read_chars / 1e6
        return time.perf_counter(), time.process_time(), read

    before = now()
    yield
    figures[what] = dict(
        zip(
            ("wall s", "CPU s", "MB read"),
            (b - a for a, b in zip(before, now(), strict=True)),
            strict=True,
        )
    )


def peak() -> float:
    """Return the most memory that this process has had, in GB (Linux)."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 / 1e9


def measure_open(side: str, folder: Path) -> None:
    """Print what it takes to open a finished cache."""
    figures: Figures = {}
    with measured(figures, "load the model"):
        one = SIDES[side](folder)
    with measured(figures, "open the cache"):
        embeddings = one.open()
    with measured(figures, "first embedding"):
        found = one.read_tile(embeddings)
    if tuple(found.shape) != (1, 256, 64, 64):
        raise RuntimeError(f"A tile was expected, found {tuple(found.shape)}.")
    figures["memory"] = {"peak GB": peak()}
    print(json.dumps(figures))


class Drawn(torch.nn.Module):
    """Stands for an image encoder where only the size of an embedding matters."""

    def __init__(self, side: str) -> None:
        super().__init__()
        self.side, self.img_size = side, 1024

    def forward(self, images: torch.Tensor) -> Any:
        """Return random numbers, and the early features that ours has and a plain SAM ignores."""
        embedding = torch.randn(len(images), 256, 64, 64)
        return (embedding, images[:, :0]) if self.side == "ours" else embedding


def compute(side: str, folder: Path, encoder: str) -> None:
    """Fill the cache, and print the peak of memory in GB after every tile."""
    one = SIDES[side](folder)
    if encoder == "drawn":
        one.network.image_encoder = Drawn(side)
    one.network.image_encoder.register_forward_hook(lambda *_: print("tile", peak(), flush=True))
    n_tiles = one.compute()
    if n_tiles != N_TILES:
        raise RuntimeError(f"{N_TILES} tiles were expected, found {n_tiles}.")
    print("all", peak())


def start(python: str, *arguments: object) -> subprocess.Popen[str]:
    """Call one of the functions above in a fresh process."""
    command = [python, "-W", "ignore", "-m", "benchmarks.micro_sam", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(run: subprocess.Popen[str]) -> str:
    """Return the last line that a process has printed."""
    last = run.communicate()[0].strip().splitlines()[-1:]
    if run.returncode:
        raise RuntimeError(*last)
    return "".join(last)


def compute_until(python: str, side: str, folder: Path, n: int | None) -> tuple[int, float]:
    """Let a process fill the cache, and kill it after n tiles: how many it encoded, peak memory.

    Raises
    ------
    RuntimeError
        If it fails by itself.
    """
    run = start(python, "compute", side, folder, "drawn" if n is None else "real")
    n_encoded, highest, line = 0, 0.0, ""
    for line in run.stdout or ():
        what, *rest = line.split()
        n_encoded += what == "tile"
        if what in ("tile", "all"):
            highest = float(*rest)
        if n_encoded == n:
            run.kill()
    if run.wait() > 0:
        raise RuntimeError(line.strip())
    return n_encoded, highest


def measure_resume(python: str, side: str, folder: Path) -> None:
    """Fill the cache in runs that are killed and a last one, and print what was done twice."""
    total, peaks = 0, []
    for n in (*KILLED_AFTER, None):
        try:
            n_encoded, highest = compute_until(python, side, folder, n)
        except RuntimeError as error:
            print(f"{side}: killed after {total} tiles, refuses to go on: {error}", flush=True)
            shutil.rmtree(folder / side)
            total = 0
            n_encoded, highest = compute_until(python, side, folder, n)
        total += n_encoded
        peaks.append(highest)
    print(f"{side}: {N_TILES} tiles there, {total} encoded; peak {max(peaks):.2f} GB", flush=True)


def print_open(pythons: dict[str, str], folder: Path, repeats: int) -> None:
    """Print medians of what opening takes, and ratios."""
    rounds = [
        {
            side: json.loads(finish(start(python, "measure_open", side, folder)))
            for side, python in pythons.items()
        }
        for _ in range(repeats)
    ]
    for what, entries in rounds[0]["ours"].items():
        for unit in entries:
            ours, theirs = (
                statistics.median(one[side][what][unit] for one in rounds)
                for side in ("ours", "theirs")
            )
            print(f"{what:16}{unit:20}{ours:9.3f}{theirs:9.3f}   ratio {theirs / ours:.1f}")


def main(python: str, repeats: int = 5) -> None:
    """Measure both sides."""
    pythons = {"ours": sys.executable, "theirs": python}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        finish(start(python, "write_weights", "theirs", folder))
        write_image(folder)
        for side in pythons:
            measure_resume(pythons[side], side, folder)
        print_open(pythons, folder, repeats)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if len(sys.argv) > 2:
        measure, one_side, where, *rest = sys.argv[1:]
        globals()[measure](one_side, Path(where), *rest)
    else:
        main(sys.argv[1])
