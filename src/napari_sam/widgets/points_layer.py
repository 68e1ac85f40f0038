"""The clicks on screen: a Points layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_sam.widgets.colors import SKY_BLUE, VERMILION, as_hex
from napari_sam.widgets.drawn_once import drawn_once
from napari_sam.widgets.layers import place, placement, shape_of

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

    from napari_sam.widgets.draft import Draft
    from napari_sam.widgets.spread_points import SpreadPoints

POSITIVE_COLOR, NEGATIVE_COLOR = as_hex(SKY_BLUE), as_hex(VERMILION)
POINT_SCREEN_PX = 13
SHARE = 0.04
"""Size of a point as a part of the image's longer side. On screen that is more than it is cut down
to, unless the image is tiny there."""


class PointsLayer:
    """Mirrors the points of the object being made: positive ones as discs, negative as crosses.

    They have one size on screen. A least size would give that too, but a thick rim with it, and it
    would show the placeholder that napari draws on planes without points.

    Attributes
    ----------
    layer : SpreadPoints or None
        None before `make`.
    """

    def __init__(self) -> None:
        self.layer: SpreadPoints | None = None
        self._pixel_ratio = 1.0

    def fit_screen(self, pixel_ratio: float) -> None:
        """Keep the size on a screen of high resolution: napari counts its finest pixels."""
        self._pixel_ratio = pixel_ratio
        if self.layer is not None:
            self.layer.canvas_size_limits = self._limits

    @property
    def _limits(self) -> tuple[int, int]:
        return 0, round(POINT_SCREEN_PX * self._pixel_ratio)

    def make(self, image_layer: ImageLayer) -> SpreadPoints:
        """Make an empty layer over an image."""
        from napari_sam.widgets.spread_points import SpreadPoints

        self.layer = SpreadPoints(
            None,
            ndim=image_layer.ndim,
            name="clicks",
            features={"label": np.array([], dtype=object)},
            size=_size(image_layer),
            border_color="white",
            border_width=0.1,
            **placement(image_layer),
        )
        self.layer.spread_over(shape_of(image_layer))
        self.layer.canvas_size_limits = self._limits
        return self.layer

    def show(self, image_layer: ImageLayer, draft: Draft) -> None:
        """Show the points of a draft."""
        if self.layer is None or self.layer.ndim != image_layer.ndim:
            return
        self.layer.spread_over(shape_of(image_layer))
        place(self.layer, placement(image_layer))
        points, signs = draft.prompts.points, draft.prompts.labels == 1
        if not len(points) and not len(self.layer.data):
            return
        planes = np.broadcast_to(np.asarray(draft.plane, float), (len(points), len(draft.plane)))
        names = np.where(signs, "positive", "negative").astype(object)
        with drawn_once(self.layer):
            place(self.layer, placement(image_layer))
            self.layer.data = np.hstack([planes, points])
        if len(points):
            with drawn_once(self.layer):  # colors are drawn at once: the new data must be sliced
                self.layer.features = {"label": names}
                colors = [POSITIVE_COLOR if sign else NEGATIVE_COLOR for sign in signs]
                self.layer.size = _size(image_layer)
                self.layer.face_color = colors
                self.layer.symbol = ["disc" if sign else "x" for sign in signs]


def _size(image_layer: ImageLayer) -> float:
    return max(1.0, SHARE * max(shape_of(image_layer)[-2:]))
