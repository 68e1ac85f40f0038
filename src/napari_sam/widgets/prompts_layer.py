"""The prompts on screen: a Points layer of clicks and a Shapes layer with the box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.widgets.layers import (
    current_plane,
    place,
    placement,
    prompts_from_layers,
    screen_px,
)

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Points, Shapes

    from napari_sam.widgets.draft import Draft
    from napari_sam.widgets.segment_session import SegmentSession

POSITIVE_COLOR = "#56b4e9"
NEGATIVE_COLOR = "#e65a1a"
POINT_SCREEN_PX = 11
CLICK_SCREEN_PX = 4
"""A rectangle smaller than this is a click that slipped."""


class PointsLayer:
    """Mirrors the points of the object being made: positive ones as discs, negative as crosses."""

    def __init__(self, session: SegmentSession) -> None:
        self.layer: Points | None = None
        self._session = session

    def make(self, image_layer: ImageLayer) -> Points:
        """Make an empty layer over an image."""
        from napari.layers import Points

        self.layer = Points(
            None,
            ndim=image_layer.ndim,
            name="clicks",
            features={"label": np.array([], dtype=object)},
            size=POINT_SCREEN_PX,
            border_color="white",
            border_width=0.05,
            **placement(image_layer),
        )
        self.layer.events.set_data.connect(self._on_slice)
        return self.layer

    def show(self, image_layer: ImageLayer, draft: Draft) -> None:
        """Show the points of a draft."""
        if self.layer is None or self.layer.ndim != image_layer.ndim:
            return
        place(self.layer, placement(image_layer))
        points, signs = draft.prompts.points, draft.prompts.labels == 1
        if not len(points) and not len(self.layer.data):
            return
        planes = np.broadcast_to(np.asarray(draft.plane, float), (len(points), len(draft.plane)))
        self.layer.data = np.hstack([planes, points])
        self.layer.features = {"label": np.where(signs, "positive", "negative").astype(object)}
        if len(points):
            self.layer.face_color = [POSITIVE_COLOR if sign else NEGATIVE_COLOR for sign in signs]
            # A white rim sets a disc off from the object's color, but would hide a cross.
            self.layer.border_color = ["white" if sign else NEGATIVE_COLOR for sign in signs]
            self.layer.symbol = ["disc" if sign else "x" for sign in signs]

    def _on_slice(self, event: Any) -> None:
        """Keep points of one size on screen, and none on planes without points.

        There napari draws a placeholder at the origin, of no size unless there is a least.
        """
        image_layer, draft = self._session.image, self._session.draft
        if self.layer is None or image_layer is None:
            return
        try:
            is_shown = current_plane(self._session.viewer, image_layer) == draft.plane
        except ValueError:  # of 3-D, and of planes that are not the image's
            is_shown = False
        least = POINT_SCREEN_PX if is_shown and len(draft.prompts.points) else 0
        self.layer.canvas_size_limits = (least, POINT_SCREEN_PX)


class BoxLayer:
    """Mirrors the box of the object being made; a rectangle drawn in it is the new box."""

    def __init__(self, session: SegmentSession) -> None:
        self.layer: Shapes | None = None
        self._session = session
        self._mirroring = False

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
        """Show the box of a draft."""
        if self.layer is None or self.layer.ndim != image_layer.ndim:
            return
        place(self.layer, placement(image_layer))
        box = draft.prompts.box
        if box is None and not self.layer.nshapes:
            return
        self._mirroring = True
        try:
            self.layer.selected_data = set()
            self.layer.data = [] if box is None else [_corners(box, draft.plane)]
            if box is not None:
                self.layer.edge_width = 2 / screen_px(viewer, image_layer)
        finally:
            self._mirroring = False

    def _on_data(self, event: Any) -> None:
        """Take a rectangle that was drawn, moved or deleted by hand as the new box."""
        image_layer, viewer = self._session.image, self._session.viewer
        if self._mirroring or image_layer is None:
            return
        draft = self._session.draft
        if event.action == "removed" and not self.layer.nshapes:  # type: ignore[union-attr]
            self._session.remove_box(wait=False)
        if event.action not in ("added", "changed"):
            return
        *_, last = self.layer.data  # type: ignore[union-attr]
        plane = tuple(np.rint(last[0, :-2]).astype(int).tolist())
        box = prompts_from_layers(image_layer, boxes=self.layer, plane=plane).box
        least = CLICK_SCREEN_PX / screen_px(viewer, image_layer)
        if box is None or min(box[2] - box[0], box[3] - box[1]) < least:
            self.show(viewer, image_layer, draft)
        else:
            self._session.box(*box, plane=plane, wait=False)


def _corners(box: np.ndarray, plane: tuple[int, ...]) -> np.ndarray:
    """Return the corners (4, ndim) of a box (y0, x0, y1, x1) on a plane."""
    y0, x0, y1, x1 = box
    return np.array([[*plane, y, x] for y, x in ((y0, x0), (y0, x1), (y1, x1), (y1, x0))])
