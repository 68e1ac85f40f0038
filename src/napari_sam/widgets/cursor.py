"""Where the mouse is over the image, and the outline of what a click there would select."""

from __future__ import annotations

from typing import TYPE_CHECKING

from napari_sam.widgets.spot import Spot, point_at

if TYPE_CHECKING:
    from napari_sam.widgets.segment_session import SegmentSession


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

    def move_to(self, spot: Spot | None, is_negative: bool = False) -> None:
        """Move there, and look."""
        self.spot, self.is_negative = spot, is_negative
        self._look()

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
