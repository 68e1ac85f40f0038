"""One mask on screen: a small Labels layer that is moved to where the mask is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import minimum_filter

from napari_sam.widgets.colors import SKY_BLUE, VERMILION, YELLOW
from napari_sam.widgets.drawn_once import drawn_once
from napari_sam.widgets.layers import place, placement

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.masks import Mask

FILL, EDGE, HOVER_EDGE, NEGATIVE_EDGE = 1, 2, 3, 4
COLORS = {
    None: "transparent",
    0: "transparent",
    FILL: (*SKY_BLUE, 0.35),
    EDGE: (*SKY_BLUE, 1.0),
    HOVER_EDGE: (*YELLOW, 1.0),
    NEGATIVE_EDGE: (*VERMILION, 1.0),
}

EDGE_SCREEN_PX = 2


class MaskPreview:
    """Shows one mask at a time in a layer no larger than the mask, nor than the screen.

    Attributes
    ----------
    layer : Labels or None
        None before `make`.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.layer: Labels | None = None

    def show(
        self,
        image_layer: ImageLayer,
        pixel: float,
        mask: Mask,
        plane: tuple[int, ...],
        *,
        edge: int = EDGE,
        fill: int = 0,
    ) -> None:
        """Draw a mask of one plane of the image, with the colors of `edge` and `fill`.

        `pixel` is how many pixels of the screen one of the image takes.
        """
        if self.layer is None:
            return
        # From afar a mask may be smaller than a pixel of the screen; a part is drawn still.
        thinning = max(1, min(int(1 / pixel), *mask.array.shape))
        shown = mask.array[thinning // 2 :: thinning, thinning // 2 :: thinning]
        thickness = max(1, round(EDGE_SCREEN_PX / (pixel * thinning)))
        drawn = outline(shown, thickness, edge, fill)[(None,) * len(plane)]
        corner = np.array([*plane, *mask.box[:2]], float)
        with drawn_once(self.layer):
            self.layer.data = drawn
            place(self.layer, placement(image_layer, corner, thinning))

    def hide(self) -> None:
        """Show nothing; the layer stays, empty."""
        if self.layer is not None and self.layer.data.any():
            with drawn_once(self.layer):
                self.layer.data = np.zeros((1,) * self.layer.ndim, np.uint8)

    def make(self, image_layer: ImageLayer) -> Labels:
        """Make an empty layer over an image."""
        from napari.layers import Labels
        from napari.utils.colormaps import DirectLabelColormap

        self.layer = Labels(
            np.zeros((1,) * image_layer.ndim, np.uint8),
            name=self.name,
            colormap=DirectLabelColormap(color_dict=COLORS),
            opacity=1,
            **placement(image_layer),
        )
        self.layer.editable = False
        return self.layer


def outline(mask: NDArray[np.bool_], thickness: int, edge: int, fill: int) -> NDArray[np.uint8]:
    """Return the mask with its rim, `thickness` pixels wide, as `edge`, and the rest as `fill`."""
    inner = minimum_filter(mask, size=2 * thickness + 1, mode="constant", cval=0)
    return np.where(inner, fill, np.where(mask, edge, 0)).astype(np.uint8)
