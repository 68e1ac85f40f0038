"""Segment real images by a few clicks: first with the API, then in a napari window.

Run by ``make demo``. Writes OME-Zarr labels, overlays and, where there is no display, a screenshot
of the window into ``demo-output``. Nothing is downloaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from skimage.io import imsave
from skimage.segmentation import mark_boundaries

import napari_sam as ns
from napari_sam.image.cells import cell_field
from napari_sam.labels import LabelsPyramid, create_labels
from napari_sam.model import Model

ROOT = Path(__file__).parent.parent
OUTPUT = ROOT / "demo-output"

COINS = [(56, 100), (50, 155), (51, 215), (52, 276), (43, 334), (124, 44), (123, 205), (118, 270)]
CELL = [(375, 428)]


@contextmanager
def step(what: str) -> Iterator[list[str]]:
    """Print one line with the time that a step took; the block may append to the line."""
    started, notes = time.perf_counter(), list[str]()
    yield notes
    print(
        f"{time.perf_counter() - started:7.2f} s  {what}{': ' if notes else ''}{', '.join(notes)}"
    )


def shown(path: Path) -> str:
    """Return a path as a user of the repository reads it."""
    return str(path.relative_to(ROOT))


def overlay(plane: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """Save the plane with the outlines of its labels."""
    low, high = np.percentile(plane, (1, 99.8))
    gray = np.clip((plane - low) / (high - low), 0, 1)
    outlined = mark_boundaries(np.dstack([gray] * 3), labels, color=(1, 0.85, 0), mode="thick")
    imsave(path, (outlined * 255).astype(np.uint8), check_contrast=False)


def segment_points(
    name: str, data: Any, points: Sequence[tuple[float, float]], model: Model
) -> tuple[Path, LabelsPyramid]:
    """Click each point once, keep the best mask, and return the labels and where they are."""
    image = ns.open_image(data)
    embeddings = ns.Embeddings(image, model)
    path = OUTPUT / f"{name}.labels.ome.zarr"
    labels = create_labels(path, image.shape_yx)
    for number, point in enumerate(points, start=1):
        found = ns.segment_object(embeddings, ns.Prompts(points=[point]))
        labels.update(ns.write_mask(labels.data, found.best, number).region)
    return path, labels


def small_image(
    name: str, image: np.ndarray, points: Sequence[tuple[float, float]], model: Model
) -> Path:
    """Segment a bundled image and save what was found; return where the labels are."""
    with step(f"{name}, {image.shape[0]} × {image.shape[1]}: {len(points)} clicks") as notes:
        path, labels = segment_points(name, image, points, model)
        written = labels.data[:]
        overlay(image, written, OUTPUT / f"{name}.png")
        n_objects = len(np.unique(written)) - 1
        notes += [f"{n_objects} objects", shown(path)]
    return path


def large_field(model: Model, side: int = 20_000, n_clicks: int = 5) -> None:
    """Segment a few cells far from each other in an image of which most is never read."""
    with step(f"opened a field of cells, {side} × {side}") as notes:
        levels = cell_field((side, side))
        notes.append(f"{len(levels)} levels, nothing stored")
    rng = np.random.default_rng(0)
    places = rng.integers(2_000, side - 2_000, (n_clicks, 2))
    points = [brightest_near(levels[0], *place) for place in places]
    with step(f"field: {n_clicks} clicks far apart") as notes:
        path, labels = segment_points("field", levels, points, model)
        n_chunks = labels.data.nchunks
        notes += [
            f"{labels.data.nchunks_initialized} of {n_chunks} chunks of labels written",
            shown(path),
        ]
    y, x = (int(c) for c in points[0])
    cut = np.s_[y - 256 : y + 256, x - 256 : x + 256]
    overlay(levels[0][cut], labels.data[cut], OUTPUT / "field.png")


def brightest_near(array: Any, y: int, x: int, side: int = 60) -> tuple[float, float]:
    """Return the brightest pixel of a small square: a place where a person would click."""
    square = array[y : y + side, x : x + side]
    row, column = np.unravel_index(np.argmax(square), square.shape)
    return float(y + row), float(x + column)


def open_window(labels: Path) -> None:
    """Open napari on the coins; without a display, in a virtual one that is photographed."""
    command = [sys.executable, "-m", "examples.window", str(labels)]
    if sys.platform != "linux" or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys():
        print("           opening napari: click a coin, press Enter to keep it")
        subprocess.run(command, check=True, cwd=ROOT)
        return
    screenshot = OUTPUT / "window.png"
    with step("no display here: the real window, clicked under Xvfb") as notes:
        virtual = ["xvfb-run", "-a", "-s", "-screen 0 1366x768x24"]
        subprocess.run([*virtual, *command, "--screenshot", str(screenshot)], check=True, cwd=ROOT)
        notes.append(shown(screenshot))


def main() -> None:
    """Run all steps."""
    shutil.rmtree(OUTPUT, ignore_errors=True)
    OUTPUT.mkdir()
    with step("loaded the built-in model") as notes:
        model = ns.load_model("nano")
        notes.append(f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters")
    coins = small_image("coins", skimage.data.coins(), COINS, model)
    small_image("cell", skimage.data.cell(), CELL, model)
    large_field(model)
    open_window(coins)


if __name__ == "__main__":
    main()
