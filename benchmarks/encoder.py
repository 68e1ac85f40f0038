"""From a window to its embedding: our image encoders and those of the reference packages in turn.

Run from the repository, with the packages of the tests installed::

    python -m benchmarks.encoder                  # both encoders, with 1 and with 2 threads
    python -m benchmarks.encoder vit_b --threads 1 --repeats 7

Weights are random; agreement is therefore measured on the built-in model too, whose weights are
real. Peak memory is that of a fresh process which builds one vit_b and encodes one window. On a
machine with CUDA, rates on the GPU follow.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tests.model import reference_standins
from tests.model.comparison import load, spread
from tests.model.references import build_reference
from torch import nn

import napari_sam as ns
from napari_sam.model import openvino_encoder
from napari_sam.model.precision import agreement, autocast, has_bfloat16_units, set_precision
from napari_sam.model.sam import TINY_VIT_5M, VIT_SIZES, Sam, build_mobile_sam, build_sam

SIZES = {**VIT_SIZES, "vit_t": TINY_VIT_5M}
GFLOP = {"vit_b": 972, "vit_h": 5961}
"""Arithmetic of one window, counted with additions."""


def both(name: str) -> tuple[Any, Sam]:
    """Build the reference's network and ours with the same random weights."""
    package = "segment_anything_hq" if name == "vit_t" else "segment_anything"
    with reference_standins.installed():
        reference = build_reference(importlib.import_module(package).modeling, SIZES[name], 1024)
    spread(reference)
    build = build_mobile_sam if name == "vit_t" else build_sam
    ours = load(build(name, SIZES[name]), reference)
    return reference.requires_grad_(False), ours.requires_grad_(False)


def embed(encoder: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Embed with the reference's encoder or ours."""
    with autocast(encoder, images.device):
        result = encoder(images)
    return result if isinstance(result, torch.Tensor) else result[0]


def encoders(name: str) -> dict[str, nn.Module]:
    """Return the variants to compare by name, the reference first."""
    reference, ours = both(name)
    variants = {"reference, float32": reference.image_encoder, "float32": ours.image_encoder}
    if has_bfloat16_units(torch.device("cpu")):
        rounded = copy.deepcopy(ours)
        print(f"{name}, random weights: agreement of masks in bfloat16 {agreement(rounded):.4f}")
        set_precision(rounded, "bfloat16")
        variants["bfloat16"] = rounded.image_encoder
    if openvino_encoder.is_installed():
        with tempfile.TemporaryDirectory() as folder:
            form = Path(folder) / "form"
            openvino_encoder.convert(ours.image_encoder, ours.image_size, form)
            for precision in ("float32", "bfloat16"):
                encoder = openvino_encoder.OpenVINOEncoder(form, precision)  # type: ignore[arg-type]
                variants[f"OpenVINO, {precision}"] = encoder
    return variants


@torch.inference_mode()
def measure(name: str, threads: list[int], repeats: int) -> None:
    """Print a table of medians of CPU and wall seconds, and ratios to the reference."""
    variants = encoders(name)
    images = torch.randn(1, 3, 1024, 1024)
    expected = embed(variants["reference, float32"], images)
    for n_threads in threads:
        torch.set_num_threads(n_threads)
        times: dict[str, list[tuple[float, float]]] = {variant: [] for variant in variants}
        for _ in range(repeats + 1):
            for variant, encoder in variants.items():
                cpu, wall = time.process_time(), time.perf_counter()
                embed(encoder, images)
                spent = time.process_time() - cpu, time.perf_counter() - wall
                times[variant].append(spent)
        print(f"\n{name}, {n_threads} thread(s), median of {repeats}\n")
        print("| | CPU s | ratio | wall s | ratio | error of the embedding |")
        print("|---|---|---|---|---|---|")
        medians = {
            variant: [statistics.median(clock) for clock in zip(*spent[1:], strict=True)]
            for variant, spent in times.items()  # the first is cold
        }
        reference = medians["reference, float32"]
        for variant, (cpu, wall) in medians.items():
            error = (embed(variants[variant], images) - expected).norm() / expected.norm()
            ratios = reference[0] / cpu, reference[1] / wall
            row = f"{cpu:.2f} | {ratios[0]:.2f} | {wall:.2f} | {ratios[1]:.2f} | {error:.0e}"
            print(f"| {variant} | {row} |", flush=True)


def peak_of(who: str) -> tuple[float, float]:
    """Build a vit_b, encode one window; GB of the process before encoding, and at its peak."""
    if who == "reference":
        with reference_standins.installed():
            package = importlib.import_module("segment_anything")
        encoder = package.sam_model_registry["vit_b"]().image_encoder.eval()
    else:
        model = build_sam("vit_b", VIT_SIZES["vit_b"]).eval()
        set_precision(model, who)  # type: ignore[arg-type]
        encoder = model.image_encoder
    images = torch.zeros(1, 3, 1024, 1024)
    before = resident("VmRSS")
    with torch.inference_mode():
        embed(encoder, images)
    return before, resident("VmHWM")


def resident(kind: str) -> float:
    """Memory of this process, in GB: VmRSS now, VmHWM at its peak (Linux).

    Unlike these, what `getrusage` tells includes the peak of the parent.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith(kind)) * 1024 / 1e9


def measure_memory() -> None:
    """Print the memory of fresh processes that encode one window."""
    print("\nvit_b, one window, GB\n\n| | before | peak | added |\n|---|---|---|---|")
    for who in ("reference", "float32", "bfloat16"):
        command = [sys.executable, "-m", "benchmarks.encoder", "--peak-of", who]
        run = subprocess.run(command, check=True, capture_output=True, text=True)
        before, peak = map(float, run.stdout.split())
        print(f"| {who} | {before:.2f} | {peak:.2f} | {peak - before:.2f} |")


def per_second(call: Callable[[], Any], repeats: int = 10) -> float:
    """Return how often a GPU does something in a second, once it is warm."""
    for _ in range(3):
        call()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()  # type: ignore[no-untyped-call]
    for _ in range(repeats):
        call()
    end.record()  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    return 1e3 * repeats / start.elapsed_time(end)  # type: ignore[no-untyped-call]


@torch.inference_mode()
def measure_gpu(name: str, batch: int) -> None:
    """Print images per second on CUDA, and their share of what products of matrices reach."""
    a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    limit = 2 * 8192**3 * per_second(lambda: a @ b) / 1e12
    print(f"\n{name}, batch {batch}, {torch.cuda.get_device_name()}: {limit:.0f} TFLOP/s in bf16\n")
    print("| | images/s | ratio | share of the bf16 rate |\n|---|---|---|---|")
    reference, ours = both(name)
    images = torch.randn(batch, 3, 1024, 1024, device="cuda")
    exact = reference.image_encoder.cuda()
    ours.cuda()

    def half_reference() -> Any:
        with torch.autocast("cuda", torch.bfloat16):
            return exact(images)

    rates: dict[str, float] = {}

    def row(variant: str, call: Callable[[], Any]) -> None:
        rates[variant] = batch * per_second(call)
        ratio = rates[variant] / rates["reference, float32"]
        share = rates[variant] * GFLOP[name] / 1e3 / limit
        print(f"| {variant} | {rates[variant]:.1f} | {ratio:.1f} | {share:.0%} |", flush=True)

    row("reference, float32", lambda: exact(images))
    row("reference, bfloat16", half_reference)
    row("float32", lambda: embed(ours.image_encoder, images))
    set_precision(ours, "bfloat16")
    row("bfloat16", lambda: embed(ours.image_encoder, images))
    compiled = torch.compile(ours.image_encoder)

    def compiled_half() -> Any:
        with autocast(ours.image_encoder, images.device):
            return compiled(images)

    row("bfloat16, compiled", compiled_half)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=["vit_b", "vit_t"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peak-of", choices=["reference", "float32", "bfloat16"])
    chosen = parser.parse_args()
    if chosen.peak_of:
        print(*peak_of(chosen.peak_of))
        return
    nano = ns.load_model("nano", device="cpu", precision="float32")
    print(f"nano, real weights: agreement of masks in bfloat16 {agreement(nano):.4f}")
    for name in chosen.names:
        measure(name, chosen.threads, chosen.repeats)
    if sys.platform == "linux":
        measure_memory()
    if torch.cuda.is_available():
        for name in GFLOP:
            for batch in (1, 8):
                measure_gpu(name, batch)


if __name__ == "__main__":
    main()
