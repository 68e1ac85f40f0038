"""Where the mouse is over the image, and the outline of what a click there would select."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sam.widgets.layers import current_plane
from napari_sam.widgets.spot import Spot, point_at

if TYPE_CHECKING:
    from napari_sam.widgets.segment_session import SegmentSession

STILL_SCREEN_PX = 2
"""What lies under a mouse at rest may move so far on the screen and be there still."""


class Cursor:
    """The cursor of one viewer.

    Attributes
    ----------
    spot : Spot or None
        None outside the image.
    is_negative : bool
        Whether a click would take away (Shift is down).
    """

    def __init__(self, session: SegmentSession) -> None:
        self._session = session
        self.spot: Spot | None = None
        self.is_negative = False
        self._world = np.zeros(2)
        self._from_center = np.zeros(2)

    def move_to(self, spot: Spot | None, is_negative: bool = False) -> None:
        """Move there, and look."""
        self.spot, self.is_negative = spot, is_negative
        self._world = np.array(self._session.viewer.cursor.position)
        self._from_center = self._find_on_screen()
        self._look()

    def look_again(self) -> None:
        """Look anew, as the view has changed under a mouse at rest: to another plane, or place."""
        spot, layer = self.spot, self._session.image
        if spot is None or layer is None:
            return
        moved = np.abs(self._find_on_screen() - self._from_center).max()
        try:
            plane = current_plane(self._session.viewer, layer)
        except ValueError:  # of 3-D, and of planes that are not the image's
            moved = np.inf
        if moved > STILL_SCREEN_PX:
            self.move_to(None)
        elif plane != spot.plane:
            self.move_to(spot._replace(plane=plane), self.is_negative)

    def hold_shift(self, is_down: bool) -> None:
        """Look anew, as Shift has been pressed or released over the same place."""
        if self.is_negative != is_down:
            self.move_to(self.spot, is_down)

    def _look(self) -> None:
        """Ask for what a click would select, unless it would take a point away, or say an error."""
        session, spot = self._session, self.spot
        begins_negative = self.is_negative and session.next_draft.is_empty
        if spot is None or begins_negative or point_at(session, spot) is not None:
            session.leave()
            return
        with session.telling():
            session.hover(spot.y, spot.x, not self.is_negative, plane=spot.plane, wait=False)

    def _find_on_screen(self) -> NDArray[np.float64]:
        """Return where the place under the mouse is seen now, in pixels from the middle."""
        viewer = self._session.viewer
        camera, dims = viewer.scene.camera, viewer.dims
        world = np.pad(self._world, (dims.ndim, 0))  # axes that have come since stand in front
        displayed = [axis - dims.ndim for axis in dims.displayed[-2:]]
        from_center: NDArray[np.float64] = world[displayed] - camera.center[-2:]
        return from_center * camera.zoom
