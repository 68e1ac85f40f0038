"""A window on a field of cells, for benchmarks with a real mouse."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 2048
"""Pixels of the field along each axis."""


def open_window(image: Any = None, *, with_dock: bool = True) -> Any:
    """Return a viewer that shows a field of cells, with the dock open and all made ready."""
    import napari
    from tools.hand import wait

    from napari_sam.image.cells import cell_field

    viewer = napari.Viewer()
    viewer.window.resize(1366, 768)
    image = np.asarray(cell_field((SIDE, SIDE))[0]) if image is None else image
    viewer.add_image(image, contrast_limits=(0, 255))
    look_at(viewer, crowd()[0])
    wait(1)
    if with_dock:
        viewer.window.add_plugin_dock_widget("napari-sam", "Segment")
        wait(5)
    return viewer


def look_at(viewer: Any, place: tuple[float, float]) -> None:
    """Show a place, one pixel of the image on one of the screen."""
    viewer.scene.camera.center, viewer.scene.camera.zoom = (0.0, *place), 1.0


@cache
def crowd() -> tuple[tuple[float, float], NDArray[np.float64]]:
    """Return the middle of the part of the field with most cells, and the centers (N, 2) there."""
    from scipy.ndimage import center_of_mass

    from napari_sam.image.cells import cell_labels

    truth = np.asarray(cell_labels((SIDE, SIDE))[0])
    centers = np.array(center_of_mass(truth > 0, truth, np.unique(truth)[1:]))
    corners = [(y, x) for y in range(0, SIDE - 480, 80) for x in range(0, SIDE - 640, 80)]

    def inside(corner: tuple[int, int]) -> NDArray[np.bool_]:
        return ((centers > corner) & (centers < np.add(corner, (480, 640)))).all(axis=1)

    best = max(corners, key=lambda corner: np.count_nonzero(inside(corner)))
    return (best[0] + 240, best[1] + 320), centers[inside(best)]


def cells_on_screen(n: int) -> list[tuple[float, float]]:
    """Return the centers of some cells of the part that is shown."""
    _, centers = crowd()
    return [tuple(center) for center in np.random.default_rng(0).permutation(centers)[:n]]


class Draws:
    """Counts how often the canvas of the one viewer there is has been drawn."""

    def __init__(self) -> None:
        from qtpy.QtWidgets import QApplication

        backend = next(
            widget
            for widget in QApplication.allWidgets()
            if type(widget).__name__.startswith("CanvasBackend")
        )
        self.n = 0
        backend._vispy_canvas.events.draw.connect(self._on_draw)

    def _on_draw(self, event: Any) -> None:
        self.n += 1

    def wait(self) -> None:
        """Let the window live until it has been drawn once more, to the end."""
        from qtpy.QtWidgets import QApplication
        from tools.hand import wait_until

        before = self.n
        wait_until(lambda: self.n > before)
        QApplication.processEvents()


def count_outlines() -> list[int]:
    """Return a list of one number: how often an outline has been painted over the canvas."""
    from qtpy.QtWidgets import QApplication

    from napari_sam.widgets.outline_overlay import OutlineOverlay

    overlay = next(w for w in QApplication.allWidgets() if isinstance(w, OutlineOverlay))
    counted, paint = [0], overlay.paintEvent

    def count_and_paint(event: Any) -> None:
        paint(event)
        counted[0] += 1

    overlay.paintEvent = count_and_paint
    return counted
