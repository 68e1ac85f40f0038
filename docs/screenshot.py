"""Photograph the plugin at work: a real window, driven by real mouse and key events.

Run it on a machine with a display, or with ``xvfb-run -a -s "-screen 0 1366x768x24"``::

    python -m docs.screenshot [folder]

It opens the coins, hovers over one, clicks, corrects and keeps them, and writes a picture of each
state to the folder (default: ``docs/images``). The last one is of the models, none of them fetched.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import napari
from qtpy.QtCore import Qt
from tools.hand import Hand, wait, wait_until

import napari_sam

COINS = [(54, 44), (56, 100), (51, 155), (124, 45), (126, 102), (119, 269), (196, 102)]
"""(row, column) of some coins."""


def main(folder: Path) -> None:
    """Take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.open_sample("napari-sam", "coins")
    viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    wait(0.5)
    viewer.reset_view()
    wait(0.5)
    session, hand = napari_sam.session(viewer), Hand(viewer)

    def picture(name: str) -> None:
        wait(0.5)
        viewer.screenshot(str(folder / f"{name}.png"), canvas_only=False, flash=False)

    hand.move(COINS[0])
    wait_until(lambda: session.hovered)
    picture("hover")
    for coin in COINS[:-2]:
        hand.click(coin)
        wait_until(lambda: not session.draft.is_waiting)
        hand.key(Qt.Key.Key_Return)
        wait_until(lambda: session.draft.is_empty)
    picture("kept")
    hand.click(COINS[-2])
    wait_until(lambda: not session.draft.is_waiting)
    hand.move(COINS[-1])
    wait_until(lambda: session.hovered)
    picture("segment")
    viewer.close()
    show_models(folder)


def show_models(folder: Path) -> None:
    """Take the picture of the models, none of them fetched."""
    os.environ["NAPARI_SAM_MODELS"] = str(folder / "no-models")
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.open_sample("napari-sam", "cell")
    viewer.window.add_plugin_dock_widget("napari-sam", "Models")
    wait(1)
    viewer.reset_view()
    wait(0.5)
    viewer.screenshot(str(folder / "models.png"), canvas_only=False, flash=False)
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
