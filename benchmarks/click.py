"""From a click to its mask on screen: a real window on a small and on a huge image.

Run from the repository, on a display or in a virtual one::

    xvfb-run -a -s "-screen 0 1366x768x24" .venv/bin/python -m benchmarks.click

Both images are the same lazily generated field of cells, 2048² and 100 000² pixels, in windows of
their own, opened in turn by fresh processes. *First* is the first click in a dock that has had a
few seconds to open its model and to measure the intensities: it reads and encodes a window, decodes
the prompt and draws the mask. *Elsewhere* is a click in a place that is not encoded yet, *again*
one in a place that is.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

SIDES = (2_048, 100_000)
KINDS = ("first", "elsewhere", "again")


def iter_cells(truth: Any) -> Iterator[tuple[float, float]]:
    """Yield the centers of cells far from each other."""
    rng = np.random.default_rng(0)
    while True:
        y, x = rng.integers(400, truth.shape[0] - 528, 2)
        square = np.asarray(truth[y : y + 128, x : x + 128])
        if square.any():
            largest = np.bincount(square[square > 0]).argmax()
            row, column = np.argwhere(square == largest).mean(0)
            yield y + row, x + column


def measure(side: int, n_places: int = 4, n_again: int = 5) -> dict[str, list[float]]:
    """Open a window on a field of `side` and click; seconds from mouse event to drawn mask."""
    import napari
    from qtpy.QtWidgets import QApplication
    from tools.hand import Hand, wait, wait_until

    import napari_sam
    from napari_sam.image.cells import cell_field, cell_labels
    from napari_sam.widgets.session import scene

    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.add_image(cell_field((side, side)), multiscale=True, contrast_limits=(0, 255))
    viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    session, hand = napari_sam.session(viewer), Hand(viewer)
    truth = cell_labels((side, side))[0]
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}

    def click(kind: str, place: tuple[float, float]) -> None:
        viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, *place), 1.0
        wait(1.0)
        start = time.perf_counter()
        hand.press(place)
        preview = scene(viewer).object
        wait_until(lambda: session.mask and preview.layer is not None and preview.layer.data.any())
        QApplication.processEvents()
        viewer.screenshot(canvas_only=True, flash=False)  # the mask has been drawn
        times[kind].append(time.perf_counter() - start)
        session.clear()

    places = list(islice(iter_cells(truth), n_places))
    wait(4.0)
    for i, place in enumerate(places):
        click("first" if i == 0 else "elsewhere", place)
    for _ in range(n_again):
        click("again", places[0])
    viewer.close()
    return times


def main(repeats: int = 5) -> None:
    """Measure both sides in turn, and print medians and their ratio."""
    times = {side: {kind: list[float]() for kind in KINDS} for side in SIDES}
    for _ in range(repeats):
        for side in SIDES:
            command = [sys.executable, "-m", "benchmarks.click", str(side)]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            for kind, values in json.loads(run.stdout.splitlines()[-1]).items():
                times[side][kind] += values
    small, large = SIDES
    print(f"{'':10} {small:>7}² {large:>7}²   ratio   (median s, {repeats} windows each)")
    for kind in KINDS:
        a, b = (statistics.median(times[side][kind]) for side in SIDES)
        print(f"{kind:10} {a:8.3f} {b:8.3f} {b / a:7.2f}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
    else:
        main()
