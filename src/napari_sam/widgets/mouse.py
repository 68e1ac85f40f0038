"""What the mouse does on the canvas: hover, click, Shift+click, click on a point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.widgets.layers import screen_px, to_pixel

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam.widgets.scene import Scene

SLIP_SCREEN_PX = 4
"""A press and a release closer than this are a click; farther apart they pan, as always."""

POINT_REACH_SCREEN_PX = 8
"""A click so near to a point takes that point away."""


class Mouse:
    """Turns mouse events of a viewer into commands of its session, while connected.

    It acts where the plain hand tool would pan, and leaves all other tools of napari alone.

    Parameters
    ----------
    scene : Scene
        Of the viewer.
    """

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._session = scene.session

    def connect(self) -> None:
        """Begin to listen; a second time changes nothing."""
        viewer = self._session.viewer
        if self._move not in viewer.mouse_move_callbacks:
            viewer.mouse_move_callbacks.append(self._move)
            viewer.mouse_drag_callbacks.append(self._press)
            viewer.events.mouse_over_canvas.connect(self._leave)

    def disconnect(self) -> None:
        """Cease to listen."""
        viewer = self._session.viewer
        if self._move in viewer.mouse_move_callbacks:
            viewer.mouse_move_callbacks.remove(self._move)
            viewer.mouse_drag_callbacks.remove(self._press)
            viewer.events.mouse_over_canvas.disconnect(self._leave)
        self._session.leave()

    def _leave(self) -> None:
        if not self._session.viewer.mouse_over_canvas:
            self._session.leave()

    def _move(self, viewer: ViewerModel, event: Any) -> None:
        with self._session.telling():
            self._session.adopt_image()
        place = self._place(viewer, event) if self._is_free(viewer) else None
        positive = "Shift" not in event.modifiers
        if place is None or (self._session.draft.is_empty and not positive):
            self._session.leave()
            return
        plane, y, x = place
        if self._point_at(viewer, plane, y, x) is not None:
            self._session.leave()
            return
        with self._session.telling():
            self._session.hover(y, x, positive, plane=plane, wait=False)

    def _press(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        if event.button != 1 or not self._is_free(viewer):
            return
        if "Control" in event.modifiers or "Alt" in event.modifiers:
            return
        start = np.asarray(event.pos)
        positive = "Shift" not in event.modifiers
        yield
        while event.type == "mouse_move":
            yield
        if np.abs(np.asarray(event.pos) - start).max() <= SLIP_SCREEN_PX:
            with self._session.telling():
                self._click(viewer, event, positive)

    def _click(self, viewer: ViewerModel, event: Any, positive: bool) -> None:
        session = self._session
        session.adopt_image()
        layer = session.image
        if layer is None:
            return
        plane, y, x = to_pixel(viewer, layer, event.position)
        if viewer.layers.selection.active is not self._scene.box.layer:
            self._scene.activate("points")
        index = self._point_at(viewer, plane, y, x)
        if index is None:
            session.click(y, x, positive, plane=plane, wait=False)
        else:
            session.remove_point(index, wait=False)

    def _is_free(self, viewer: ViewerModel) -> bool:
        """Whether no other tool of napari is at work on the canvas."""
        active = viewer.layers.selection.active
        return active is None or active is self._scene.box.layer or active.mode == "pan_zoom"

    def _place(
        self, viewer: ViewerModel, event: Any
    ) -> tuple[tuple[int, ...], float, float] | None:
        """Return plane, row and column under the cursor; None outside the image, or in 3-D."""
        layer = self._session.image
        if layer is None:
            return None
        try:
            plane, y, x = to_pixel(viewer, layer, event.position)
        except ValueError:
            return None
        shape = layer.level_shapes[0] if layer.multiscale else layer.data.shape
        inside = all(0 <= at < side for at, side in zip(plane, shape, strict=False))
        height, width = shape[len(plane) : len(plane) + 2]
        inside = inside and -0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5
        return (plane, y, x) if inside else None

    def _point_at(
        self, viewer: ViewerModel, plane: tuple[int, ...], y: float, x: float
    ) -> int | None:
        """Return the index of the point under the cursor."""
        draft, layer = self._session.draft, self._session.image
        if layer is None or draft.plane != plane or not len(draft.prompts.points):
            return None
        distances = np.hypot(*(draft.prompts.points - (y, x)).T)
        nearest = int(np.argmin(distances))
        near = distances[nearest] * screen_px(viewer, layer) <= POINT_REACH_SCREEN_PX
        return nearest if near else None
