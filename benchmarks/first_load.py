"""What it takes to load a vit_b and to encode a window, the first time and later.

Run from the repository, with the packages of the tests installed::

    OMP_NUM_THREADS=1 python -m benchmarks.first_load

Weights are random, in a file of their own. Each row is a fresh process: the first load finds out
whether bfloat16 is harmless, and with OpenVINO converts the encoder; later ones find that done.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from benchmarks.encoder import resident

import napari_sam as ns
from napari_sam.model.openvino_encoder import is_installed
from napari_sam.model.sam import VIT_SIZES, build_sam


def load_and_encode(checkpoint: str, device: str) -> tuple[float, float, float]:
    """Return CPU and wall seconds of loading, and GB of the process at its peak."""
    cpu, wall = time.process_time(), time.perf_counter()
    model = ns.load_model(checkpoint=checkpoint, device=device)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    model.encode(torch.rand(1, 1, 1024, 1024))
    return cpu, wall, resident("VmHWM")


def main() -> None:
    """Print the table, or what one process measures."""
    if len(sys.argv) > 1:
        print(*load_and_encode(*sys.argv[1:]))
        return
    print("| vit_b | load, CPU s | load, wall s | peak, GB |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "vit_b.pth"
        torch.save(build_sam("vit_b", VIT_SIZES["vit_b"]).state_dict(), checkpoint)
        environment = os.environ | {"NAPARI_SAM_MODELS": folder}
        for device in ["cpu", *["openvino"] * is_installed()]:
            for when in ("first", "later"):
                command = [sys.executable, "-m", "benchmarks.first_load", str(checkpoint), device]
                run = subprocess.run(
                    command, check=True, capture_output=True, text=True, env=environment
                )
                cpu, wall, peak = map(float, run.stdout.split())
                print(f"| {device}, {when} | {cpu:.1f} | {wall:.1f} | {peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
