"""Places under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_sam.widgets.layers import screen_px, to_pixel

if TYPE_CHECKING:
    from napari_sam.widgets.segment_session import SegmentSession

POINT_REACH_SCREEN_PX = 8
"""A click so near to a point takes that point away."""


class Spot(NamedTuple):
    """A plane of the image, and a place on it in level-0 pixels."""

    plane: tuple[int, ...]
    y: float
    x: float


def spot_under(session: SegmentSession, event: Any) -> Spot | None:
    """Return where on the image a mouse event is; None outside the image, or in 3-D."""
    spot = _spot(session, event)
    nearest = _nearest(session, spot)
    if spot is None or nearest is None:
        return None
    is_inside = max(abs(spot.y - nearest.y), abs(spot.x - nearest.x)) <= 0.5
    return spot if is_inside else None


def spot_near(session: SegmentSession, event: Any) -> Spot | None:
    """Return the pixel of the image that is nearest to a mouse event; None in 3-D."""
    return _nearest(session, _spot(session, event))


def _spot(session: SegmentSession, event: Any) -> Spot | None:
    if session.image is None:
        return None
    try:
        return Spot(*to_pixel(session.viewer, session.image, event.position))
    except ValueError:
        return None


def _nearest(session: SegmentSession, spot: Spot | None) -> Spot | None:
    layer = session.image
    if spot is None or layer is None:
        return None
    shape = layer.level_shapes[0] if layer.multiscale else layer.data.shape
    if not all(0 <= at < side for at, side in zip(spot.plane, shape, strict=False)):
        return None
    height, width = shape[len(spot.plane) : len(spot.plane) + 2]
    y, x = np.clip((spot.y, spot.x), 0, (height - 1, width - 1)).tolist()
    return Spot(spot.plane, y, x)


def point_at(session: SegmentSession, spot: Spot) -> int | None:
    """Return the index of the point of the draft that lies under the cursor, if one does."""
    draft, layer = session.next_draft, session.image
    if layer is None or draft.plane != spot.plane or not len(draft.prompts.points):
        return None
    distances = np.hypot(*(draft.prompts.points - (spot.y, spot.x)).T)
    nearest = int(np.argmin(distances))
    is_near = distances[nearest] * screen_px(session.viewer, layer) <= POINT_REACH_SCREEN_PX
    return nearest if is_near else None
