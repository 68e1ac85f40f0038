"""Drawing with the left button: a box, a scribble or a lasso, from press to release."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sam.widgets.tools import Tool

if TYPE_CHECKING:
    from napari_sam.widgets.segment_session import SegmentSession
    from napari_sam.widgets.spot import Spot


LEAST_SIDE_PX = 1
"""Of a box, in pixels of the image."""


class Drag(ABC):
    """The way of the mouse since the press, and what it asks the session for at the end.

    Parameters
    ----------
    start : Spot
        Where the button was pressed; the drag stays on that plane.
    positive : bool
        Whether it is to belong to the object; tools that know no other way take no notice.
    """

    has_sign = False

    def __init__(self, start: Spot, positive: bool) -> None:
        self.plane = start.plane
        self.positive = positive or not self.has_sign
        self._places = [(start.y, start.x)]

    def go_to(self, spot: Spot) -> None:
        """Draw on, to another place."""
        self._places.append((spot.y, spot.x))

    @property
    def path(self) -> NDArray[np.float64]:
        """The line to show, (N, 2)."""
        return np.array(self._places)

    def look(self, session: SegmentSession) -> None:
        """Ask for what it would select by now; most tools leave that to the end."""
        session.leave()

    @abstractmethod
    def finish(self, session: SegmentSession) -> None:
        """Give the session what was drawn."""


class BoxDrag(Drag):
    """From one corner to the opposite one; the outline of what it would select follows."""

    @property
    def path(self) -> NDArray[np.float64]:
        """The four corners, and the first again."""
        y0, x0, y1, x1 = self._box
        return np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0], [y0, x0]])

    def look(self, session: SegmentSession) -> None:
        """Ask for what the box would select by now."""
        session.hover_box(*self._box, plane=self.plane, wait=False)

    def finish(self, session: SegmentSession) -> None:
        """Set the box.

        Raises
        ------
        ValueError
            If it is hardly more than a line.
        """
        y0, x0, y1, x1 = self._box
        if min(y1 - y0, x1 - x0) < LEAST_SIDE_PX:
            raise ValueError("That box holds nothing. Drag from one corner to the opposite one.")
        session.box(*self._box, plane=self.plane, wait=False)

    @property
    def _box(self) -> tuple[float, float, float, float]:
        (y0, x0), (y1, x1) = self._places[0], self._places[-1]
        return min(y0, y1), min(x0, x1), max(y0, y1), max(x0, x1)


class ScribbleDrag(Drag):
    """A line over the object, or over what does not belong to it."""

    has_sign = True

    def finish(self, session: SegmentSession) -> None:
        """Add points along the line."""
        session.scribble(self.path, self.positive, plane=self.plane, wait=False)


class LassoDrag(Drag):
    """A line around the object, closed on release."""

    @property
    def path(self) -> NDArray[np.float64]:
        """The outline, closed."""
        return np.array([*self._places, self._places[0]])

    def finish(self, session: SegmentSession) -> None:
        """Give the outline, and what it encloses."""
        session.lasso(np.array(self._places), plane=self.plane, wait=False)


DRAGS: dict[Tool, type[Drag]] = {
    Tool.BOX: BoxDrag,
    Tool.SCRIBBLE: ScribbleDrag,
    Tool.LASSO: LassoDrag,
}
