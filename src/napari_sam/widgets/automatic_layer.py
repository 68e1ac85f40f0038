"""The candidates on screen: a colored layer that is no larger than what they take there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sam.masks.paint import paint
from napari_sam.widgets.drawn_once import drawn_once
from napari_sam.widgets.layers import place, placement

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels
    from napari.utils.colormaps import CyclicLabelColormap

    from napari_sam.widgets.automatic_find import Found

MOST_COLORS = 65_535

LEAST_COLOR = 0.35
"""Between the largest and the smallest part (red, green, blue) of a color: grayer ones look like
the image, as if nothing had been found there."""


class CandidatesLayer:
    """Shows candidates, each in a color of its own that it keeps while thresholds move.

    Attributes
    ----------
    layer : Labels or None
        None before `make`.
    """

    def __init__(self) -> None:
        self.layer: Labels | None = None

    def make(self, image_layer: ImageLayer) -> Labels:
        """Make an empty layer over an image."""
        from napari.layers import Labels

        self.layer = Labels(
            np.zeros((1,) * image_layer.ndim, np.uint16),
            name="candidates",
            opacity=0.5,
            colormap=vivid_colors(),
            **placement(image_layer),
        )
        self.layer.editable = False
        return self.layer

    def show(self, image_layer: ImageLayer, found: Found, rows: NDArray[np.int64]) -> None:
        """Draw some rows of the candidates, the best first."""
        if self.layer is None:
            return
        plane, shown = found.finding.plane, found.shown
        if not len(shown):
            self.hide()
            return
        (y0, x0), (y1, x1) = shown.boxes[:, :2].min(axis=0), shown.boxes[:, 2:].max(axis=0)
        numbers = 1 + rows % MOST_COLORS
        box = (int(y0), int(x0), int(y1), int(x1))
        picture = paint(shown, rows, box, labels=numbers, dtype=np.uint16)
        corner = np.array([*plane, y0 * found.thinning, x0 * found.thinning], float)
        with drawn_once(self.layer):
            self.layer.data = picture[(None,) * len(plane)]
            self.layer.editable = False  # new data allow it again
            place(self.layer, placement(image_layer, corner, found.thinning))

    def hide(self) -> None:
        """Show nothing; the layer stays, empty."""
        if self.layer is not None and self.layer.data.any():
            with drawn_once(self.layer):
                self.layer.data = np.zeros((1,) * self.layer.ndim, np.uint16)


def vivid_colors() -> CyclicLabelColormap:
    """Return napari's colors of labels without those that are nearly gray."""
    from napari.utils.colormaps import CyclicLabelColormap, label_colormap

    colors = label_colormap().colors
    return CyclicLabelColormap(colors=colors[np.ptp(colors[:, :3], axis=1) >= LEAST_COLOR])
