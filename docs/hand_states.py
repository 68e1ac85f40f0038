"""Photograph each state of the dock Segment: what the hand does, and what the eye sees.

Run it on a machine with a display, or with ``xvfb-run -a -s "-screen 0 1366x768x24"``::

    python -m docs.hand_states [folder]

The pictures go to the folder (default: ``docs/images/hand``), those of the light theme with
``-light`` behind the name.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from math import cos, pi, sin
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtCore import Qt
from tools.hand import ALT, SHIFT, Hand, Place, wait, wait_until

import napari_sam
from napari_sam.widgets.segment_session import SegmentSession

COINS: list[Place] = [(54, 44), (56, 100), (51, 155), (50, 215), (124, 45), (126, 102), (119, 269)]
"""(row, column) of some coins."""

IN_LIGHT = {"candidates", "reopened", "three-d"}
"""What is photographed in the light theme too."""

LEFT_DOCKS = 332
"""Width of napari's own docks, which are cut off."""


class Window:
    """A window with the coins and the dock, a hand, and a camera.

    Parameters
    ----------
    viewer : napari.Viewer
        With the coins open.
    folder : Path
        For the pictures.
    """

    def __init__(self, viewer: napari.Viewer, folder: Path) -> None:
        self.viewer = viewer
        self.hand = Hand(viewer)
        self.session: SegmentSession = napari_sam.session(viewer)
        self._folder = folder

    def answered(self) -> None:
        """Wait for the mask."""
        wait_until(lambda: self.session.mask is not None)

    def keep(self) -> None:
        """Wait for the mask and keep it."""
        self.answered()
        self.hand.key(Qt.Key.Key_Return)
        wait_until(lambda: self.session.draft.is_empty)

    def photograph(self, name: str) -> None:
        """Save canvas and dock in few colors, which is hardly seen."""
        is_light = self.viewer.theme == "light"
        if is_light and name not in IN_LIGHT:
            return
        wait(0.5)
        whole = Image.fromarray(self.viewer.screenshot(canvas_only=False, flash=False))
        part = whole.convert("RGB").crop((LEFT_DOCKS, 22, *whole.size))
        palette = part.quantize(128, Image.Quantize.MAXCOVERAGE)
        palette.save(self._folder / f"{name}{'-light' * is_light}.png", optimize=True)


@contextmanager
def window(folder: Path, theme: str) -> Iterator[Window]:
    """Open the coins, and the dock."""
    viewer = napari.Viewer()
    viewer.theme = theme
    viewer.window.resize(1366, 768)
    viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    if theme == "dark":
        wait(0.5)
        Window(viewer, folder).photograph("empty")
    viewer.open_sample("napari-sam", "coins")
    wait(1)
    viewer.reset_view()
    wait(0.5)
    try:
        yield Window(viewer, folder)
    finally:
        viewer.close()


def show_clicks(it: Window) -> None:
    """Show the hover outline, candidates by the wheel, and Shift."""
    it.hand.move(COINS[0])
    wait_until(lambda: it.session.hovered)
    it.photograph("hover")
    it.hand.click(COINS[0])
    it.answered()
    it.hand.wheel(COINS[0], 1, ALT)
    it.photograph("candidates")
    it.hand.move((54, 58))
    with it.hand.holding(Qt.Key.Key_Shift):
        wait_until(lambda: it.session.hovered and not it.session.hovered[2])
        it.photograph("negative")
    it.keep()
    it.session.preferred_rank = None


def show_drawing(it: Window) -> None:
    """Show box, scribble and lasso, while the button is down."""
    (y, x), radius = COINS[1], 24
    it.hand.key(Qt.Key.Key_2)
    with it.hand.dragging([(y - 24, x - 25), (y, x), (y + 20, x + 18), (y + 22, x + 22)]):
        wait_until(lambda: it.session.hovered)
        it.photograph("box")
    it.keep()
    it.hand.key(Qt.Key.Key_3)
    (y, x) = COINS[2]
    with it.hand.dragging([(y - 14, x - 14), (y - 4, x - 10), (y + 3, x), (y + 12, x + 12)]):
        it.photograph("scribble")
    it.answered()
    with it.hand.dragging([(y - 8, x + 28), (y, x + 32), (y + 9, x + 30)], SHIFT):
        it.photograph("scribble-negative")
    it.keep()
    it.hand.key(Qt.Key.Key_4)
    (y, x), turns = COINS[3], [0.1 * pi * step for step in range(18)]
    with it.hand.dragging([(y - radius * cos(turn), x + radius * sin(turn)) for turn in turns]):
        it.photograph("lasso")
    it.keep()
    it.hand.key(Qt.Key.Key_1)


def show_kept(it: Window) -> None:
    """Show a kept object opened again, turbo, and the message of 3-D."""
    it.hand.double_click(COINS[0])
    it.photograph("reopened")
    it.hand.key(Qt.Key.Key_Escape)
    it.hand.key(Qt.Key.Key_T)
    n_objects = len(it.session.objects)
    it.hand.click(COINS[4])
    wait_until(lambda: len(it.session.objects) > n_objects)
    it.hand.move(COINS[5])
    wait_until(lambda: it.session.hovered)
    it.photograph("turbo")
    it.hand.key(Qt.Key.Key_T)
    it.viewer.dims.ndisplay = 3
    it.photograph("three-d")
    it.viewer.dims.ndisplay = 2


def show_recovery(folder: Path) -> None:
    """Show the banner after a crash, and what is recovered."""
    subprocess.run([sys.executable, "-m", "docs.hand_states", "crash", str(folder)], check=False)
    with window(folder, "dark") as it:
        it.hand.move(COINS[-1])
        wait_until(lambda: it.session.recoverable)
        it.photograph("recovery")
        it.session.recover()
        it.photograph("recovered")


def crash(folder: Path) -> None:
    """Keep three objects, and die."""
    with window(folder, "light") as it:
        for coin in COINS[:3]:
            it.hand.click(coin)
            it.keep()
        wait(1)
        os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path) -> None:
    """Take the pictures."""
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()  # nothing to recover from other work
    folder.mkdir(parents=True, exist_ok=True)
    for theme in ("dark", "light"):
        with window(folder, theme) as it:
            show_clicks(it)
            show_drawing(it)
            show_kept(it)
    show_recovery(folder)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["crash", folder]:
            crash(Path(folder))
        case [folder]:
            main(Path(folder))
        case _:
            main(Path(__file__).parent / "images" / "hand")
