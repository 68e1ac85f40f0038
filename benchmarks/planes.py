"""What a step over many planes takes: an object that is deleted on 400 of them, and taken back.

Run from the repository::

    python -m benchmarks.planes

Printed are milliseconds of CPU time, medians of 5, without the list of objects and with it.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
from napari.components import ViewerModel

import napari_sam
from napari_sam.widgets.listing import Listing

N_PLANES, N_RUNS = 400, 5


def timed(work: Callable[[], object]) -> float:
    """Do something; return the milliseconds of CPU time that it took."""
    start = time.process_time()
    work()
    return 1e3 * (time.process_time() - start)


def measure(*, is_listed: bool) -> dict[str, float]:
    """Return what deleting, undoing and redoing take."""
    viewer = ViewerModel()
    session = napari_sam.session(viewer)
    session.image = viewer.add_image(np.zeros((N_PLANES, 256, 256), np.float32))
    labels = np.zeros((N_PLANES, 256, 256), np.uint16)
    labels[:, 50:90, 60:100] = 3
    session.labels = viewer.add_labels(labels)
    listing = Listing(session) if is_listed else None
    places = {(z,): (70.0, 80.0) for z in range(N_PLANES)}

    def step(command: Callable[[], object]) -> Callable[[], object]:
        return lambda: (command(), listing and listing.objects)

    steps = {
        "delete": step(lambda: session.delete(3, near=places)),
        "undo": step(session.undo),
        "redo": step(session.redo),
    }
    runs = []
    for _ in range(N_RUNS + 1):
        runs.append({name: timed(command) for name, command in steps.items()})
        session.undo()
    return {name: statistics.median(run[name] for run in runs[1:]) for name in steps}


def main() -> None:
    """Print a line without the list, and one with it."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        for is_listed in (False, True):
            figures = measure(is_listed=is_listed).items()
            told = ", ".join(f"{name} {ms:.0f}" for name, ms in figures)
            print(f"{'with' if is_listed else 'without'} the list: {told}", flush=True)


if __name__ == "__main__":
    main()
