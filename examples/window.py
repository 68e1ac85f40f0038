"""Open napari with the Segment dock on the coins and the labels that the demo wrote.

Run by ``examples/demo.py``, from the repository: ``python -m examples.window LABELS``. With
``--screenshot FILE`` a hand clicks one more coin, keeps it, points at another, and the window is
photographed and closed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import napari

import napari_sam
from napari_sam.labels import open_labels

NEXT_COIN, COIN_AFTER = (195, 101), (193, 212)


def photograph(viewer: napari.Viewer, path: Path) -> None:
    """Click and keep one coin with mouse and keyboard, hover over another, save the window."""
    from qtpy.QtCore import Qt
    from tools.hand import Hand, wait, wait_until

    viewer.window.resize(1366, 768)
    wait(0.5)
    viewer.reset_view()
    wait(0.5)
    session, hand = napari_sam.session(viewer), Hand(viewer)
    hand.click(NEXT_COIN)
    wait_until(lambda: session.candidates)
    hand.key(Qt.Key.Key_Return)
    wait_until(lambda: session.draft.is_empty)
    hand.move(COIN_AFTER)
    wait_until(lambda: session.hovered)
    wait(0.5)
    viewer.screenshot(str(path), canvas_only=False, flash=False)
    viewer.close()


def main() -> None:
    """Open the window."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path, help="OME-Zarr labels of the coins")
    parser.add_argument("--screenshot", type=Path, help="photograph the window into this file")
    arguments = parser.parse_args()

    viewer = napari.Viewer()
    viewer.open_sample("napari-sam", "coins")
    layer = viewer.add_labels(open_labels(arguments.labels).data, name="coins labels")
    viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
    napari_sam.session(viewer).labels = layer
    if arguments.screenshot:
        photograph(viewer, arguments.screenshot)
    else:
        napari.run()


if __name__ == "__main__":
    main()
