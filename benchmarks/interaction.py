"""How a window follows the hand: hover, click, commit, and how long it stands still.

Run from the repository, on a display or in a virtual one::

    xvfb-run -a -s "-screen 0 1366x768x24" .venv/bin/python -m benchmarks.interaction

Real windows with real mouse events, each part in fresh processes:

- *hover*: outlines that were drawn per second while the mouse moves without a stop over an encoded
  window; with nano, and with a SAM of random weights (MobileSAM's encoder, the decoder of all);
  and with each of them while the window does not wait for answers (`Lane.give_way`).
- *click*: from the press of the button (or of the key) until the pixels have been drawn, and how
  much of that is more than drawing the canvas once and napari's own answer to a press, which draws
  it too. Of CPU time of all threads as well: what other programs take, is not in that.
- *gaps*: the longest time between two ticks of a timer in the event loop, next to a napari without
  the plugin that gets layers of the same kinds and changes them in the usual way. The package is
  compiled before, as pip compiles what it installs.
- *commit*: what it takes to write an object into labels of 100 × 2048², of 1 × 2048² and of 2048²
  (uint32), and to write it through the whole volume (`np.where`).

On a busy machine CPU times and ratios tell more than seconds that pass.
"""

from __future__ import annotations

import compileall
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.cell_window import (
    SIDE,
    Draws,
    cells_on_screen,
    count_outlines,
    open_window,
)
from benchmarks.gaps import gaps

import napari_sam

MODELS = ("nano", "SAM, random weights")
AT_ONCE = ", without giving way"
COMMITS = ("numpy", "zarr")
STACKS = {"a plane": (SIDE, SIDE), "1 plane": (1, SIDE, SIDE), "100 planes": (100, SIDE, SIDE)}


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Do something; return the milliseconds that passed, and those of CPU."""
    start = time.perf_counter(), time.process_time()
    work()
    stop = time.perf_counter(), time.process_time()
    return 1e3 * (stop[0] - start[0]), 1e3 * (stop[1] - start[1])


# Hover


def hover(model: str, seconds: float = 8.0) -> dict[str, float]:
    """Move the mouse over cells without a stop; return outlines per second and what they take."""
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication
    from tools.hand import Hand, wait_until

    from napari_sam.widgets import lanes
    from napari_sam.widgets.ahead import ahead

    if model.endswith(AT_ONCE):
        lanes.IN_STEP_S, model = 0.0, model.removesuffix(AT_ONCE)
    viewer = open_window()
    session, hand, painted = napari_sam.session(viewer), Hand(viewer), count_outlines()
    if model != MODELS[0]:
        session.model = random_sam()
    places = cells_on_screen(40)
    for place in places[:3]:
        hand.move(place)
    wait_until(lambda: session.hovered and (state := ahead(viewer).state) and state.reason, 300)
    drawn_at: set[int] = set()

    def note() -> None:
        if session.hovered:
            drawn_at.add(painted[0])

    session.hover_changed.connect(note)
    start, cpu, main = time.perf_counter(), time.process_time(), time.thread_time()
    for place in iter_path(places):
        QTest.mouseMove(hand._canvas, hand.at(place))
        end = time.perf_counter() + 0.01
        while time.perf_counter() < end:
            QApplication.processEvents()
            time.sleep(0.001)
        if time.perf_counter() - start > seconds:
            break
    wall, n = time.perf_counter() - start, len(drawn_at)
    cpu, main = time.process_time() - cpu, time.thread_time() - main
    viewer.close()
    return {
        "per second": n / wall,
        "CPU ms": 1e3 * cpu / n,
        "main ms": 1e3 * main / n,
        "cores": cpu / wall,
    }


def iter_path(places: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """Yield positions on the way from place to place, some 15 pixels apart, without end."""
    for start, stop in zip(cycle(places), islice(cycle(places), 1, None), strict=False):
        n_steps = 1 + int(np.hypot(*np.subtract(stop, start)) / 15)
        yield from (tuple(at) for at in np.linspace(start, stop, n_steps, endpoint=False))


def random_sam() -> Any:
    """Return a SAM with MobileSAM's encoder, the decoder of all SAMs, and random weights.

    Its masks would be noise all over the window; so they are computed, and then discs are given.
    """
    import torch

    from napari_sam.model.sam import build_mobile_sam

    model = build_mobile_sam("mobile_sam, random weights").eval()
    decode = model.decode

    def discs(features: Any, points: Any = None, *args: Any, **options: Any) -> Any:
        logits, scores = decode(features, points, *args, **options)
        at = torch.arange(logits.shape[-1]) * (model.image_size / logits.shape[-1])
        x, y = points[0, -1]
        logits[:] = 20 - torch.hypot(at[:, None] - y, at[None] - x)
        return logits, scores

    model.decode = discs
    return model


# Click and commit on screen


def click(n: int = 24) -> dict[str, list[float]]:
    """Click cells and keep them; return milliseconds beyond the draw, and of CPU."""
    from qtpy.QtCore import Qt
    from qtpy.QtTest import QTest
    from tools.hand import Hand, wait, wait_until

    from napari_sam.widgets.session import scene

    viewer = open_window()
    session, hand, draws = napari_sam.session(viewer), Hand(viewer), Draws()
    shown = scene(viewer).object
    times: dict[str, list[float]] = {}

    def note(what: str, work: Callable[[], object]) -> None:
        wall, cpu = timed(work)
        times.setdefault(f"{what}, ms", []).append(wall)
        times.setdefault(f"{what}, CPU ms", []).append(cpu)

    def redraw() -> None:
        shown.layer.opacity = 0.9 if shown.layer.opacity == 1 else 1.0
        draws.wait()

    def press(place: tuple[float, float]) -> None:
        hand.press(place)
        wait_until(lambda: session.mask)
        draws.wait()

    def keep() -> None:
        QTest.keyClick(hand._canvas, Qt.Key.Key_Return)
        wait_until(lambda: session.draft.is_empty)
        draws.wait()

    def press_only(place: tuple[float, float]) -> None:
        hand.press(place)

    for i, place in enumerate(cells_on_screen(n + 2)):
        hand.move(place)
        wait(0.3)
        if i < 2:  # the first ones make layers
            press(place)
            keep()
            continue
        note("click to mask", lambda place=place: press(place))
        wait(0.2)
        note("Enter to labels", keep)
        wait(0.2)
        note("one draw", redraw)
    viewer.layers.selection.active = session.image
    session.image.mode = "transform"  # a tool of napari: the plugin leaves the mouse alone
    for place in cells_on_screen(n):
        note("press without us", lambda place=place: press_only(place))
        wait(0.05)
    viewer.close()
    return times


# Commit


def commit(backing: str, n: int = 60) -> dict[str, list[float]]:
    """Return the CPU milliseconds of commits into a stack of one plane and of 100, in turn."""
    import zarr
    from napari.components import ViewerModel

    from napari_sam.image.cells import cell_field

    plane = np.asarray(cell_field((SIDE, SIDE))[0])
    sessions, viewers = {}, []  # a session does not keep its viewer
    for name, shape in STACKS.items():
        viewer = ViewerModel()
        viewer.add_image(np.broadcast_to(plane, shape))
        if backing == "numpy":
            array: Any = np.zeros(shape, np.uint32)
        else:
            chunks = (1, 512, 512)[-len(shape) :]
            array = zarr.create_array(
                tempfile.mkdtemp(), shape=shape, chunks=chunks, dtype="uint32", overwrite=True
            )
        session = napari_sam.session(viewer)
        session.adopt_image()
        session.labels = viewer.add_labels(array)
        sessions[name] = session
        viewers.append(viewer)
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for i, cell in enumerate(cells_on_screen(n + 2)):
        for name, session in sessions.items():
            session.click(*cell, plane=tuple(n // 2 for n in STACKS[name][:-2]))
            start = time.thread_time()
            session.commit()
            if i > 1:
                times[name].append(1e3 * (time.thread_time() - start))
    if backing == "numpy":
        volume, mask = np.zeros((100, SIDE, SIDE), np.uint32), np.zeros((100, SIDE, SIDE), bool)
        volume[:], mask[50, :40, :40] = 1, True
        times["whole volume"] = [timed(lambda: np.where(mask, np.uint32(7), volume))[1]]
    return times


# The table


def run(part: str, argument: str = "") -> Any:
    """Do one part in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.interaction", part, argument]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path.cwd())
    return json.loads(done.stdout.splitlines()[-1])


def main(repeats: int = 5) -> None:
    """Run all parts, and print a table for each."""
    print(f"{'hover':39} {'per second':>10} {'CPU ms':>7} {'main ms':>8} {'cores':>6}")
    for model in (name + way for name in MODELS for way in ("", AT_ONCE)):
        found = run("hover", model)
        print(
            f"{model:39} {found['per second']:10.1f} {found['CPU ms']:7.1f} "
            f"{found['main ms']:8.1f} {found['cores']:6.2f}"
        )
    print("\nclick (medians)")
    for name, values in run("click").items():
        print(f"{name:28} {statistics.median(values):8.1f}")
    compileall.compile_dir(Path(napari_sam.__file__).parent, quiet=1)
    print("\ngaps (ms; medians of the longest)")
    print(f"{'':26}{'own':>8}{'wall':>8}{'main':>8}  | napari alone", end="")
    print(f"{'| beyond: own':>27}{'main':>8}")
    several: dict[str, list[Any]] = {"ours": [], "napari": []}
    for who in [*several] * repeats:  # in turn, as machines are fast and slow by the hour
        several[who].append(run("gaps", who))
    for phase in several["ours"][0]:
        ours, napari = (
            np.median([found[phase] for found in several[who] if phase in found], axis=0)
            if phase in several[who][0]
            else np.full(3, np.nan)
            for who in ("ours", "napari")
        )
        print(f"{phase:26}" + "{:8.0f}{:8.0f}{:8.0f}".format(*ours), end="  |")
        print("{:8.0f}{:8.0f}{:8.0f}".format(*napari), end="  |")
        print(f"{ours[0] - napari[0]:8.0f}{ours[2] - napari[2]:8.0f}")
    print("\ncommit (CPU ms, medians)")
    for backing in COMMITS:
        found = {name: statistics.median(values) for name, values in run("commit", backing).items()}
        print(f"{backing:8}", {name: round(value, 1) for name, value in found.items()}, end=" ")
        for other in ("1 plane", "a plane"):
            print(f"100 planes ÷ {other}: {found['100 planes'] / found[other]:.2f}", end="  ")
        print()


PARTS: dict[str, Callable[..., Any]] = {
    "hover": hover,
    "click": lambda _: click(),
    "gaps": gaps,
    "commit": commit,
}

if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(PARTS[sys.argv[1]](sys.argv[2])))
    else:
        main()
