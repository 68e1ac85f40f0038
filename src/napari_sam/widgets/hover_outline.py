"""The outline under the cursor: lines over the canvas, which itself is not drawn anew for them."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal
from skimage.measure import find_contours

from napari_sam.widgets.layers import current_plane, screen_px
from napari_sam.widgets.looking import to_screen

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer

    from napari_sam.masks import Mask

Lines = list[NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Outline:
    """Where a mask ends.

    Attributes
    ----------
    layer : napari.layers.Image
        The image.
    plane : tuple of int
        The plane of it that the mask lies in.
    lines : list of (N, 2) float arrays
        Closed lines, (row, column) in pixels of the image.
    positive : bool
        Whether a click would add to the object.
    """

    layer: ImageLayer
    plane: tuple[int, ...]
    lines: Lines
    positive: bool


class HoverOutline:
    """What a click would select, as lines on the canvas.

    Attributes
    ----------
    shown : Outline or None
    changed : Signal
        Emitted when there is another outline, or none, or another view of it.
    """

    changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer_ref = weakref.ref(viewer)  # which is what keeps this
        self.shown: Outline | None = None
        for event in (viewer.scene.camera.events, viewer.dims.events, viewer.canvas.grid.events):
            event.connect(self._on_view)

    @property
    def _viewer(self) -> ViewerModel:
        viewer = self._viewer_ref()
        if viewer is None:
            raise RuntimeError("The viewer of this outline is gone.")
        return viewer

    def show(
        self, image_layer: ImageLayer, mask: Mask, plane: tuple[int, ...], positive: bool
    ) -> None:
        """Show where a mask of one plane of the image ends."""
        lines = contours(mask, screen_px(self._viewer, image_layer))
        self.shown = Outline(image_layer, plane, lines, positive)
        self.changed.emit()

    def hide(self) -> None:
        """Show nothing."""
        if self.shown is not None:
            self.shown = None
            self.changed.emit()

    def on_screen(self, canvas_size: tuple[int, int]) -> Lines:
        """Return the lines, (x, y) in pixels of a canvas (height, width), as it is seen now.

        None in 3-D, among layers side by side, and where another plane is shown.
        """
        viewer, outline = self._viewer, self.shown
        if outline is None or viewer.dims.ndisplay == 3 or viewer.canvas.grid.enabled:
            return []
        if current_plane(viewer, outline.layer) != outline.plane:
            return []
        ends = np.cumsum([len(line) for line in outline.lines])[:-1]
        points = np.concatenate(outline.lines)
        return np.split(to_screen(viewer, outline.layer, points, canvas_size), ends)

    def _on_view(self) -> None:
        if self.shown is not None:
            self.changed.emit()


def contours(mask: Mask, pixel: float) -> Lines:
    """Return the closed lines around a mask and around its holes, in pixels of the image.

    `pixel` is how many pixels of the screen one of the image takes: from afar, a line needs no more
    corners than the screen can show.
    """
    # From afar a mask may be smaller than a pixel of the screen; a part is drawn still.
    thinning = max(1, min(int(1 / pixel), *mask.array.shape))
    middle = thinning // 2
    seen = np.pad(mask.array[middle::thinning, middle::thinning], 1)
    corner = np.array(mask.box[:2]) + middle - thinning
    return [corner + thinning * line for line in find_contours(seen, 0.5)]
