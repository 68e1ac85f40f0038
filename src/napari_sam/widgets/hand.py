"""What the hand holds: a tool, Shift or Space; and where it points."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from psygnal import Signal

from napari_sam.widgets.cursor import Cursor
from napari_sam.widgets.draft import NO_IMAGE
from napari_sam.widgets.tools import Tool

if TYPE_CHECKING:
    from napari_sam.widgets.drag import Drag
    from napari_sam.widgets.review import Review
    from napari_sam.widgets.scene import Scene
    from napari_sam.widgets.segment_session import SegmentSession
    from napari_sam.widgets.spot import Spot


class Hand:
    """The hand over the canvas of one viewer; mouse, keys and buttons move it.

    Parameters
    ----------
    scene : Scene
        Of the viewer.

    Attributes
    ----------
    tool : Tool
        What a drag does.
    tool_changed : Signal
        Emitted after `take`.
    cursor : Cursor
        Where the mouse is.
    is_panning : bool
        Whether a drag pans, whatever the tool: while Space is down.
    drag : Drag or None
        What is being drawn.
    """

    tool_changed = Signal()

    def __init__(self, scene: Scene) -> None:
        self.session: SegmentSession = scene.session
        self.tool = Tool.CLICK
        self.cursor = Cursor(scene.session)
        self.is_panning = False
        self.drag: Drag | None = None
        self._scene = scene

    @property
    def review(self) -> Review:
        """Where one is in the list of objects."""
        return self._scene.review

    def take(self, tool: Tool) -> None:
        """Take a tool, and make the layer with the keys the active one."""
        self.tool = tool
        self.tool_changed.emit()
        if tool.draws:
            self._scene.ensure_box()
        self.wake_keys()

    def wake_keys(self) -> None:
        """Make the layer with the keys the active one."""
        layer = self._scene.ensure_clicks()
        if layer is not None:
            layer.mode = "pan_zoom"
            layer.cursor = "cross" if self.tool.draws else "standard"
            self.session.viewer.layers.selection.active = layer

    def hold_shift(self, is_down: bool) -> None:
        """Shift has been pressed or released."""
        self.cursor.hold_shift(is_down)

    def hold_space(self, is_down: bool) -> None:
        """Space has been pressed or released."""
        self.is_panning = is_down

    def release_keys(self) -> None:
        """Hold neither Shift nor Space any more."""
        self.hold_shift(False)
        self.hold_space(False)

    def drop(self) -> None:
        """Drop what is drawn; or what the model is asked; stop following; or drop the prompts."""
        if self.drag is not None:
            self.drag = None
            self._scene.end_stroke()
            self.session.leave()
        elif self.session.draft.is_waiting:
            self.session.cancel()
        elif self._scene.lanes is None or not self._scene.lanes.stop_part():
            self.session.clear()

    def delete(self, *, everywhere: bool = True) -> None:
        """Delete the kept object that is open again, or the one under the cursor.

        Where there is no cursor, as after a jump to an object of the list, the one jumped to.

        On all its planes, as one step, or else on this plane only.

        Raises
        ------
        ValueError
            If there is none.
        """
        self.session.in_turn(partial(self._delete_at, self.cursor.spot, everywhere))

    def follow(self) -> None:
        """Follow the object being made, or the kept one under the cursor, through the stack.

        Raises
        ------
        ValueError
            If there is none.
        """
        self.session.in_turn(partial(self._follow_at, self.cursor.spot))

    def _follow_at(self, spot: Spot | None) -> None:
        session = self.session
        if not session.draft.is_empty or session.image is None:
            session.propagate(wait=False)
        elif spot and (label := session.object_at(spot.y, spot.x, plane=spot.plane)):
            session.propagate(label, near=(spot.y, spot.x), plane=spot.plane, wait=False)
        else:
            raise ValueError("Click an object, or move the cursor over a kept one, to follow it.")

    def _delete_at(self, spot: Spot | None, everywhere: bool) -> None:
        session, old = self.session, self.session.draft.old
        if old is not None:
            label, place = old.label, {session.draft.plane: old.mask.box}
        elif spot and (label := session.object_at(spot.y, spot.x, plane=spot.plane)):
            mask = session.kept_mask(label, near=(spot.y, spot.x), plane=spot.plane)
            place = {spot.plane: mask.box}
        elif session.image is None:
            raise ValueError(NO_IMAGE)
        elif spot is None and (shown := self.review.shown) is not None:
            label, plane, mask = shown
            place = {plane: mask.box}
        else:
            raise ValueError("Move the cursor over a kept object to delete it.")
        session.delete(label, near=self.review.places(label, place) if everywhere else place)
