"""A step of training nano: one process with two threads, and two processes with one each.

Run from the repository::

    python -m benchmarks.training FOLDER

FOLDER holds sources as ``napari-sam train`` takes them. Printed are seconds that pass for a step of
6 crops with 5 objects each, after 5 steps.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from napari_sam.train.planes import read_folder
from napari_sam.train.schedule import Stage
from napari_sam.train.trainer import Trainer

FIRST, LAST = 5, 30

LAUNCHER = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


class Timed(Trainer):
    """Tells how long its steps take."""

    def update(self, *args: object) -> dict[str, float]:
        """Take a step."""
        if self.step == FIRST:
            self.start = time.perf_counter()
        figures = super().update(*args)
        if self.step == LAST and self.rank == 0:
            seconds = (time.perf_counter() - self.start) / (LAST - FIRST)
            print(f"{self.n_processes} process(es): {seconds:.2f} s a step", flush=True)
        return figures


def worker(folder: str, n_threads: str) -> None:
    """Train some steps, in a process of its own."""
    torch.set_num_threads(int(n_threads))
    with tempfile.TemporaryDirectory() as run:
        # who has a thread for each core needs no other process for the crops
        trainer = Timed(
            read_folder(Path(folder)),
            Path(run),
            (Stage(LAST, 256, 6, 5),),
            n_workers=int(n_threads) - 1,
        )
        trainer.run(save_every=10**6)


def main(folder: str) -> None:
    """Print a line for each way."""
    for how, n_threads in (([], "2"), ([*LAUNCHER, "2"], "1")):
        command = [sys.executable, *how, __file__, folder, n_threads]
        subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": n_threads}, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:]) if len(sys.argv) == 2 else worker(*sys.argv[1:])
