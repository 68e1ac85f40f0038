"""What a step takes that changes much: an object on 400 planes is deleted, 1011 are kept at once.

Run from the repository::

    python -m benchmarks.planes

Printed are milliseconds of CPU time without a window, medians of 5; and of the first of several,
for which memory has to be fetched. *Look* is what the list of objects takes, when somebody looks at
it, to take the last of these steps over.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np
from benchmarks.cell_window import SIDE
from benchmarks.gaps import table_of
from napari.components import ViewerModel

import napari_sam
from napari_sam.image.cells import cell_labels
from napari_sam.widgets.session import scene

N_PLANES, N_RUNS = 400, 5

Commands = dict[str, Callable[[], object]]


def timed(work: Callable[[], object]) -> float:
    """Do something; return the milliseconds of CPU time that it took."""
    start = time.process_time()
    work()
    return 1e3 * (time.process_time() - start)


def many_planes() -> tuple[ViewerModel, Commands]:
    """Return a viewer with labels, and commands that delete an object on all planes, and back."""
    viewer = ViewerModel()
    session = napari_sam.session(viewer)
    session.image = viewer.add_image(np.zeros((N_PLANES, 256, 256), np.float32))
    labels = np.zeros((N_PLANES, 256, 256), np.uint16)
    labels[:, 50:90, 60:100] = 3
    session.labels = viewer.add_labels(labels)
    places = {(z,): (70.0, 80.0) for z in range(N_PLANES)}
    session.delete(3, near={(0,): places[0,]})  # so that image and labels are looked through
    session.undo()
    delete = {"delete": lambda: session.delete(3, near=places)}
    return viewer, delete | {"undo": session.undo, "redo": session.redo}


def many_objects() -> tuple[ViewerModel, Commands]:
    """Return a viewer, and commands that keep many objects, and back."""
    table = table_of(np.asarray(cell_labels((SIDE, SIDE))[0]))
    viewer = ViewerModel()
    session = napari_sam.session(viewer)
    session.image = viewer.add_image(np.zeros((SIDE, SIDE), np.uint8))
    session.commit_all(table[:1], source="found")
    session.undo()
    keep = {"keep": lambda: session.commit_all(table, source="found")}
    return viewer, keep | {"undo": session.undo, "redo": session.redo}


def measure(viewer: ViewerModel, commands: Commands) -> list[dict[str, float]]:
    """Return what the commands take, one run after the other, and to look at the list then."""
    session, review = napari_sam.session(viewer), scene(viewer).review
    runs = []
    for _ in range(N_RUNS + 1):
        runs.append({name: timed(command) for name, command in commands.items()})
        _ = review.objects
        session.undo()
        runs[-1]["look"] = timed(lambda: review.objects)
    return runs


def main() -> None:
    """Print a line for each kind of step."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        for kind in (many_planes, many_objects):
            first, *others = measure(*kind())
            told = (
                f"{name} {statistics.median(run[name] for run in others):.0f} ({first[name]:.0f})"
                for name in first
            )
            print(f"{kind.__name__.replace('_', ' ')}: {', '.join(told)}", flush=True)


if __name__ == "__main__":
    main()
