"""A napari window with the plugin's docks, a hand in it, and a camera before it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import napari
from PIL import Image
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QDialog, QWidget
from tools.hand import Hand, Place, wait, wait_until

import napari_sam
from napari_sam.widgets.segment_session import SegmentSession

COINS: list[Place] = [(54, 44), (56, 100), (51, 155), (50, 215), (124, 45), (126, 102), (119, 269)]
"""(row, column) of some coins of the sample image."""

SIZE = 1366, 768
"""What the window is to fit: the screen of a small laptop."""

WHOLE = frozenset({"segment", "objects", "automatic", "embeddings", "models"})
"""Names of the pictures that there are of the whole window too, dark and at scale 1."""

N_COLORS, N_COLORS_WHOLE = 64, 128
"""Of a picture: it is a third smaller than with all of them, which is hardly seen."""

MAXCOVERAGE = Image.Quantize.MAXCOVERAGE


@dataclass(frozen=True)
class Camera:
    """Takes pictures of windows.

    Parameters
    ----------
    folder : Path
        For the pictures of whole windows; those of canvas and docks go to ``states`` in it.
    theme : {"dark", "light"}
        Of the windows.
    scale : float
        Pixels of the screen per pixel of Qt, as ``QT_SCALE_FACTOR`` says.
    only : set of str
        Names of the pictures to take; empty: all.
    """

    folder: Path
    theme: str = "dark"
    scale: float = 1
    only: frozenset[str] = frozenset()

    def photograph(self, viewer: napari.Viewer, hand: Hand, name: str) -> None:
        """Save what a window shows from the corner of its canvas on: that and docks of the plugin.

        Raises
        ------
        RuntimeError
            If the window has grown beyond the screen of a small laptop.
        """
        if not self._wants(name):
            return
        wait(0.5)
        whole = Image.fromarray(viewer.screenshot(canvas_only=False, flash=False)).convert("RGB")
        if any(side > self.scale * most for side, most in zip(whole.size, SIZE, strict=True)):
            raise RuntimeError(f"'{name}' does not fit {SIZE}, it takes {whole.size}.")
        left, top = (round(self.scale * side) for side in hand.corner)
        _save(whole.crop((left, top, *whole.size)), self._path(name))
        if name in WHOLE and (self.theme, self.scale) == ("dark", 1):
            _save(whole, self.folder / f"{name}.png", N_COLORS_WHOLE)

    def photograph_dialog(self, dialog: QDialog, name: str) -> None:
        """Save a dialog alone."""
        if self._wants(name):
            path = self._path(name)
            dialog.grab().save(str(path))
            _save(Image.open(path).convert("RGB"), path)

    def _wants(self, name: str) -> bool:
        return not self.only or name in self.only

    def _path(self, name: str) -> Path:
        theme = "" if self.theme == "dark" else f"-{self.theme}"
        times = "" if self.scale == 1 else f"-{self.scale:g}x"
        return self.folder / "states" / f"{name}{theme}{times}.png"


def _save(picture: Image.Image, path: Path, n_colors: int = N_COLORS) -> None:
    """Save a picture in few colors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    palette = picture.quantize(n_colors, MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
    palette.save(path, optimize=True)


class Window:
    """A viewer at work.

    Parameters
    ----------
    viewer : napari.Viewer
        On screen.
    camera : Camera
        For its pictures.
    """

    def __init__(self, viewer: napari.Viewer, camera: Camera) -> None:
        self.viewer = viewer
        self.hand = Hand(viewer)
        self.session: SegmentSession = napari_sam.session(viewer)
        self.photograph = partial(camera.photograph, viewer, self.hand)
        self.photograph_dialog = camera.photograph_dialog

    def open_dock(self, name: str) -> QWidget:
        """Open one of the plugin's docks; return what is in it."""
        _, widget = self.viewer.window.add_plugin_dock_widget("napari-sam", name)
        wait(0.5)
        return widget

    def open_sample(self, name: str) -> None:
        """Open one of the plugin's images, and show all of it."""
        self.viewer.open_sample("napari-sam", name)
        self.show_all()

    def show_all(self) -> None:
        """Show the whole image, in the room that the docks leave."""
        wait(1)
        self.viewer.reset_view()
        wait(0.5)

    def answered(self) -> None:
        """Wait for the mask."""
        wait_until(lambda: self.session.mask is not None)

    def outlined(self, *, positive: bool = True) -> None:
        """Wait for what a click would select."""
        wait_until(lambda: self.session.hovered and self.session.hovered[2] == positive)

    def keep(self) -> None:
        """Wait for the mask and keep it."""
        self.answered()
        self.hand.key(Qt.Key.Key_Return)
        wait_until(lambda: self.session.draft.is_empty)

    def keep_coins(self, n_coins: int) -> None:
        """Click some coins and keep them."""
        for coin in COINS[:n_coins]:
            self.hand.click(coin)
            self.keep()


@contextmanager
def window(camera: Camera, *docks: str, sample: str | None = "coins") -> Iterator[Window]:
    """Open a window with docks and a sample image."""
    random.seed(0)  # of the tips that napari gives in an empty window
    viewer = napari.Viewer()
    viewer.theme = camera.theme
    viewer.window.resize(*SIZE)
    it = Window(viewer, camera)
    for dock in docks:
        it.open_dock(dock)
    if sample:
        it.open_sample(sample)
    try:
        yield it
    finally:
        viewer.close()
        wait(0.1)


def buttons(dock: QWidget) -> dict[str, QAbstractButton]:
    """Return the buttons in a dock by what is written on them."""
    return {button.text(): button for button in dock.findChildren(QAbstractButton)}
