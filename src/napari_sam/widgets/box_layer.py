"""The box on screen, and what a tool draws: a Shapes layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.widgets.drawn_once import drawn_once
from napari_sam.widgets.layers import (
    layer_frame,
    place,
    placement,
    prompts_from_layers,
    screen_px,
)
from napari_sam.widgets.points_layer import NEGATIVE_COLOR, POSITIVE_COLOR

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Shapes

    from napari_sam.widgets.draft import Draft
    from napari_sam.widgets.segment_session import SegmentSession

BOX_SCREEN_PX, STROKE_SCREEN_PX = 2, 3
SLIP_SCREEN_PX = 4
"""A rectangle smaller than this is a click that slipped."""


class BoxLayer:
    """Mirrors the box or outline of the object being made, and shows strokes as they are drawn.

    A rectangle that the user draws, moves or deletes in it with napari's tools is the new box; a
    polygon is the new outline.

    Attributes
    ----------
    layer : Shapes or None
        None before `make`.
    """

    def __init__(self, session: SegmentSession) -> None:
        self.layer: Shapes | None = None
        self._session = session

    def make(self, image_layer: ImageLayer) -> Shapes:
        """Make an empty layer over an image."""
        from napari.layers import Shapes

        self.layer = Shapes(
            None,
            ndim=image_layer.ndim,
            name="box",
            edge_color=POSITIVE_COLOR,
            face_color="transparent",
            **placement(image_layer),
        )
        self.layer.events.data.connect(self._on_data)
        return self.layer

    def show(self, viewer: ViewerModel, image_layer: ImageLayer, draft: Draft) -> None:
        """Show the box of a draft, or the outline that it was made from, and no stroke."""
        layer, box = self.layer, draft.prompts.box
        if layer is None or layer.ndim != image_layer.ndim:
            return
        place(layer, placement(image_layer))
        if box is None and not layer.nshapes:
            return
        if layer.selected_data:
            layer.selected_data = set()
        with drawn_once(layer):
            layer.data = [] if box is None else [_shape(box, draft)]
            if box is not None:
                layer.edge_color = POSITIVE_COLOR
                layer.edge_width = BOX_SCREEN_PX / screen_px(viewer, image_layer)

    def show_stroke(
        self,
        viewer: ViewerModel,
        image_layer: ImageLayer,
        path: NDArray[np.float64],
        plane: tuple[int, ...],
        positive: bool,
    ) -> None:
        """Show a line (N, 2) on a plane, until `show` is called, instead of the box."""
        if self.layer is None:
            return
        with drawn_once(self.layer):
            place(self.layer, placement(image_layer))
            self.layer.data = [(_on_plane(path, plane), "path")]
            self.layer.edge_color = POSITIVE_COLOR if positive else NEGATIVE_COLOR
            self.layer.edge_width = STROKE_SCREEN_PX / screen_px(viewer, image_layer)

    def _on_data(self, event: Any) -> None:
        """Take what was drawn, moved or deleted by hand as the new box or outline."""
        image_layer, viewer = self._session.image, self._session.viewer
        if image_layer is None:
            return
        draft = self._session.draft
        if event.action == "removed" and not self.layer.nshapes:  # type: ignore[union-attr]
            self._session.remove_box(wait=False)
        if event.action not in ("added", "changed"):
            return
        *_, last = self.layer.data  # type: ignore[union-attr]
        plane = tuple(np.rint(last[0, :-2]).astype(int).tolist())
        box = prompts_from_layers(image_layer, boxes=self.layer, plane=plane).box
        least = SLIP_SCREEN_PX / screen_px(viewer, image_layer)
        if box is None or min(box[2] - box[0], box[3] - box[1]) < least:
            self.show(viewer, image_layer, draft)
        elif self.layer.shape_type[-1] == "polygon":  # type: ignore[union-attr]
            frame = layer_frame(self.layer, image_layer, plane)
            with self._session.telling():
                self._session.lasso(frame.map_points(last)[:, -2:], plane=plane, wait=False)
        else:
            self._session.box(*box, plane=plane, wait=False)


def _shape(box: NDArray[np.float64], draft: Draft) -> tuple[NDArray[np.float64], str]:
    """Return what the user drew around the object, and what kind of shape that is."""
    if draft.outline is not None:
        return _on_plane(draft.outline, draft.plane), "polygon"
    return _corners(box, draft.plane), "rectangle"


def _corners(box: NDArray[np.float64], plane: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the corners (4, ndim) of a box (y0, x0, y1, x1) on a plane."""
    y0, x0, y1, x1 = box
    return _on_plane(np.array([(y0, x0), (y0, x1), (y1, x1), (y1, x0)]), plane)


def _on_plane(places: NDArray[np.float64], plane: tuple[int, ...]) -> NDArray[np.float64]:
    """Return (N, 2) places as (N, ndim) ones."""
    planes = np.broadcast_to(np.asarray(plane, float), (len(places), len(plane)))
    return np.hstack([planes, places])
