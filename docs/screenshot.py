"""Photograph the plugin at work: a real window, driven by real mouse and key events.

Run it on a machine with a display, or with ``xvfb-run -a -s "-screen 0 1366x768x24"``::

    python -m docs.screenshot [folder]

It writes a picture of each dock to the folder (default: ``docs/images``): coins kept one by one;
all coins found at once, and a slider moved; going through what was kept; a large field partly
encoded; and the models, none of them fetched. The states of the dock Segment are in
``docs/hand_states.py``.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QAbstractButton, QDoubleSpinBox, QProgressBar, QPushButton
from tools.hand import LEFT, Hand, wait, wait_until

import napari_sam

COINS = [(54, 44), (56, 100), (51, 155), (124, 45), (126, 102), (119, 269), (196, 102)]
"""(row, column) of some coins."""


def main(folder: Path) -> None:
    """Take the pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    show_segment(folder)
    show_automatic(folder)
    show_objects(folder)
    show_embeddings(folder)
    show_models(folder)


def show_segment(folder: Path) -> None:
    """Take the picture of objects kept, one being made, and the outline under the cursor."""
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.open_sample("napari-sam", "coins")
    viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    wait(0.5)
    viewer.reset_view()
    wait(0.5)
    session, hand = napari_sam.session(viewer), Hand(viewer)
    for coin in COINS[:-2]:
        hand.click(coin)
        wait_until(lambda: session.mask is not None)
        hand.key(Qt.Key.Key_Return)
        wait_until(lambda: session.draft.is_empty)
    hand.click(COINS[-2])
    wait_until(lambda: session.mask is not None)
    hand.move(COINS[-1])
    wait_until(lambda: session.hovered)
    wait(0.5)
    photograph(viewer, folder / "segment.png")
    viewer.close()


def photograph(viewer: napari.Viewer, path: Path) -> None:
    """Save the window in 256 colors, rare ones too: it halves the file and is hardly seen."""
    picture = viewer.screenshot(canvas_only=False, flash=False)
    palette = Image.fromarray(picture).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    palette.save(path, optimize=True)


def show_automatic(folder: Path) -> None:
    """Take the picture of all coins found at once, of which a slider has dropped some."""
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.open_sample("napari-sam", "coins")
    _, dock = viewer.window.add_plugin_dock_widget("napari-sam", "Automatic")
    wait(1)
    viewer.reset_view()
    buttons = {button.text(): button for button in dock.findChildren(QPushButton)}
    QTest.mouseClick(buttons["Preview"], LEFT)
    wait_until(buttons["Keep these"].isEnabled)
    predicted_iou = dock.findChildren(QDoubleSpinBox)[0]
    predicted_iou.setFocus()
    predicted_iou.selectAll()
    QTest.keyClicks(predicted_iou, "0.83")
    QTest.keyClick(predicted_iou, Qt.Key.Key_Return)
    wait(1.5)
    photograph(viewer, folder / "automatic.png")
    viewer.close()


def show_objects(folder: Path) -> None:
    """Take the picture of all coins kept, and the first of them looked at and accepted."""
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.open_sample("napari-sam", "coins")
    session, hand = napari_sam.session(viewer), Hand(viewer)
    session.image = viewer.layers[0]
    session.commit_all(session.find((0, 0, 303, 384)))
    viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    viewer.window.add_plugin_dock_widget("napari-sam", "Objects")
    wait(1)
    hand.click((150, 5))
    hand.key(Qt.Key.Key_Escape)
    for key in "NYY":
        hand.key(getattr(Qt.Key, f"Key_{key}"))
        wait(0.5)
    wait(1)
    photograph(viewer, folder / "objects.png")
    viewer.close()


def show_embeddings(folder: Path) -> None:
    """Take the picture of the map of tiles over a large field, partly encoded."""
    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    viewer.open_sample("napari-sam", "cells_20000")
    viewer.layers["cells"].contrast_limits = (40, 255)  # without noise, for a smaller file
    _, dock = viewer.window.add_plugin_dock_widget("napari-sam", "Embeddings")
    wait(1)
    viewer.scene.camera.center, viewer.scene.camera.zoom = (9_000, 9_500), 0.14
    titled = {button.text(): button for button in dock.findChildren(QAbstractButton)}
    titled["Map"].click()
    QTest.mouseClick(titled["Visible"], LEFT)
    bar = dock.findChild(QProgressBar)
    wait_until(lambda: 0.4 * bar.maximum() < bar.value() < bar.maximum(), 600)
    photograph(viewer, folder / "embeddings.png")
    viewer.close()


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
    photograph(viewer, folder / "models.png")
    viewer.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
