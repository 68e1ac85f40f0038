"""What the mouse does on the canvas: hover, click, draw, turn the wheel, double-click."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import hypot
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QApplication, QMainWindow, QWidget

from napari_sam.widgets.alt_key import keep_from_menu
from napari_sam.widgets.drag import DRAGS, Drag
from napari_sam.widgets.instead_of import InsteadOf
from napari_sam.widgets.layers import screen_px, to_pixel
from napari_sam.widgets.spot import Spot, point_at, spot_near, spot_under

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam.widgets.scene import Scene

SLIP_SCREEN_PX = 4
"""A press and a release closer than this are a click; farther apart they pan or draw."""

TREMOR_SCREEN_PX = 2
"""A click so near to where the cursor was last selects what was outlined there."""

STRIDE_SCREEN_PX = 3
"""A line that is drawn has a vertex each so many pixels."""


class First(NamedTuple):
    """The first click of what may become a double one.

    Parameters
    ----------
    spot : Spot
        Where.
    label : int
        The kept object that was there; 0 if none was.
    n_steps : int
        How many steps of the session could be undone before.
    """

    spot: Spot
    label: int
    n_steps: int


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
        self._docks: set[object] = set()
        self._hand = scene.hand
        self._session = scene.session
        self._turns = 0.0
        self._first: First | None = None  # the click just now, which may become a double one
        self._wheel = InsteadOf("layers_scroll", self._on_wheel)
        self._double = InsteadOf("double_click_to_zoom", self._on_double_click)
        self._late = QTimer()
        self._late.setSingleShot(True)
        self._late.timeout.connect(self._click_late)
        self._put_off: Spot | None = None

    def connect(self, dock: object = None) -> None:
        """Listen for one more dock, or whatever stands for it."""
        self._docks.add(dock)
        viewer = self._session.viewer
        if self._move not in viewer.mouse_move_callbacks:
            viewer.mouse_move_callbacks.append(self._move)
            viewer.mouse_drag_callbacks.append(self._press)
            self._wheel.put(viewer.mouse_wheel_callbacks)
            self._double.put(viewer.mouse_double_click_callbacks)
            viewer.events.mouse_over_canvas.connect(self._leave)
            viewer.dims.events.ndisplay.connect(self._leave)
            for event in self._changes_of_view:
                event.connect(self._look_again)
            QApplication.instance().focusChanged.connect(self._on_focus)

    def disconnect(self, dock: object = None) -> None:
        """Listen for one dock less; without any, not at all."""
        if dock not in self._docks:  # Python may have ended, and Qt hide what is left of it
            return
        self._docks.remove(dock)
        if self._docks:
            return
        viewer = self._session.viewer
        if self._move in viewer.mouse_move_callbacks:
            viewer.mouse_move_callbacks.remove(self._move)
            viewer.mouse_drag_callbacks.remove(self._press)
            self._wheel.take_back(viewer.mouse_wheel_callbacks)
            self._double.take_back(viewer.mouse_double_click_callbacks)
            viewer.events.mouse_over_canvas.disconnect(self._leave)
            viewer.dims.events.ndisplay.disconnect(self._leave)
            for event in self._changes_of_view:
                event.disconnect(self._look_again)
            QApplication.instance().focusChanged.disconnect(self._on_focus)
        self._late.stop()
        self._hand.cursor.move_to(None)

    @property
    def _changes_of_view(self) -> tuple[Any, ...]:
        camera = self._session.viewer.scene.camera.events
        return self._session.viewer.dims.events.point, camera.center, camera.zoom

    def _look_again(self, event: Any = None) -> None:
        """Look anew, unless the hand pans, which takes what is under it along."""
        if QApplication.mouseButtons() == Qt.MouseButton.NoButton:
            self._hand.cursor.look_again()

    def _leave(self, event: Any = None) -> None:
        viewer = self._session.viewer
        if not viewer.mouse_over_canvas or viewer.dims.ndisplay == 3:
            self._hand.cursor.move_to(None)

    def _on_focus(self, old: QWidget | None, new: QWidget | None) -> None:
        """Let go of keys when others begin to hear them: of their release nobody tells."""
        window = None if new is None else new.window()
        canvas = window.centralWidget() if isinstance(window, QMainWindow) else None
        if canvas is None or not (new is window or new is canvas or canvas.isAncestorOf(new)):
            self._hand.release_keys()

    def _move(self, viewer: ViewerModel, event: Any) -> None:
        with self._session.telling():
            self._session.adopt_image()
        spot = spot_under(self._session, event) if self.is_free else None
        self._hand.cursor.move_to(spot, "Shift" in event.modifiers)

    # The left button

    def _press(self, viewer: ViewerModel, event: Any) -> Iterator[None]:
        if event.button != 1 or not self.is_free:
            return
        if "Control" in event.modifiers or "Alt" in event.modifiers:
            return
        self._first = None
        start, positive = event.pos, "Shift" not in event.modifiers
        drag = self._hand.drag = self._drag_from(spot_near(self._session, event), positive)
        last, is_click = start, True
        while event.type in ("mouse_press", "mouse_move"):
            is_click = is_click and _is_near(event.pos, start, SLIP_SCREEN_PX)
            if drag is not None:
                event.handled = True  # so that the camera does not pan
                is_still = is_click or _is_near(event.pos, last, STRIDE_SCREEN_PX)
                if drag is self._hand.drag and not is_still:
                    last = event.pos
                    self._draw(viewer, event, drag)
            yield
        if drag is not self._hand.drag:  # it has been dropped meanwhile
            return
        self._hand.drag = None
        is_click = is_click and _is_near(event.pos, start, SLIP_SCREEN_PX)
        self._release(viewer, event, positive, None if is_click else drag, is_click)

    def _release(
        self, viewer: ViewerModel, event: Any, positive: bool, drag: Drag | None, is_click: bool
    ) -> None:
        """Do what was clicked or drawn; nothing, if the camera was moved."""
        if drag is not None:
            self._draw(viewer, event, drag)
            self._scene.end_stroke()
        with self._session.telling():
            if is_click:
                self._click(viewer, event, positive)
            elif drag is not None:
                self._hand.wake_keys()
                drag.finish(self._session)

    def _drag_from(self, spot: Spot | None, positive: bool) -> Drag | None:
        """Return the drag that begins at a place; None, if it is to pan."""
        kind = DRAGS.get(self._hand.tool)
        if spot is None or kind is None or self._hand.is_panning:
            return None
        return kind(spot, positive)

    def _draw(self, viewer: ViewerModel, event: Any, drag: Drag) -> None:
        layer, predictor = self._session.image, self._session.predictor
        if layer is None or predictor is None:  # removed meanwhile
            return
        with self._session.telling():
            _, y, x = to_pixel(viewer, layer, event.position)
            y, x = np.clip((y, x), 0, np.array(predictor.image.shape_yx) - 1).tolist()
            drag.go_to(Spot(drag.plane, y, x))
            self._scene.show_stroke(drag.path, drag.plane, drag.positive)
            drag.look(self._session)

    def _click(self, viewer: ViewerModel, event: Any, positive: bool) -> None:
        session = self._session
        session.adopt_image()
        if session.image is None:
            return
        self._hand.wake_keys()
        self._late.stop()
        self._click_late()  # the click before was a single one
        spot = self._as_seen(Spot(*to_pixel(viewer, session.image, event.position)))
        session.in_turn(partial(self._click_at, spot, positive))

    def _as_seen(self, spot: Spot) -> Spot:
        """Return where the outline on screen was asked for, if the hand hardly moved since."""
        seen, image = self._hand.cursor.spot, self._session.image
        if seen is None or image is None or seen.plane != spot.plane:
            return spot
        distance = hypot(seen.y - spot.y, seen.x - spot.x) * screen_px(self._session.viewer, image)
        return seen if distance <= TREMOR_SCREEN_PX else spot

    def _click_at(self, spot: Spot, positive: bool) -> None:
        """Add a point, or take away the one that is there."""
        session, draft = self._session, self._session.draft
        label = session.object_at(spot.y, spot.x, plane=spot.plane)
        self._first = First(spot, label, session.n_steps)
        is_first = draft.label is None and (draft.is_empty or draft.is_void)
        index = point_at(session, spot)
        if index is not None:
            session.remove_point(index, wait=False)
        elif is_first and positive and session.turbo and label:
            self._put_off = spot
            self._late.start(QApplication.doubleClickInterval())
        else:
            session.click(spot.y, spot.x, positive, plane=spot.plane, wait=False)

    def _click_late(self) -> None:
        """Do the click that has turned out to be a single one."""
        spot, self._put_off = self._put_off, None
        if spot is not None:
            with self._session.telling():
                self._session.click(spot.y, spot.x, plane=spot.plane, wait=False)

    def _on_double_click(self, event: Any) -> bool:
        """Open the kept object under the cursor again; the click before leaves no trace."""
        session = self._session
        if event.button != 1 or not self.is_free or not self._is_on():
            return False
        if spot_under(session, event) is not None and not event.modifiers:
            with session.telling():
                session.in_turn(self._open_clicked)
        return True

    def _open_clicked(self) -> None:
        """Open the object again that was there before the first click, if it is not open."""
        session, first, self._first = self._session, self._first, None
        if first is None or first.label in (0, session.draft.label):
            return
        self._late.stop()
        self._put_off = None
        if session.n_steps > first.n_steps:
            session.undo(wait=False)
        plane, y, x = first.spot
        session.reopen(first.label, near=(y, x), plane=plane, wait=False)

    # The wheel

    def _on_wheel(self, event: Any) -> bool:
        """Go through the candidates, larger ones upward."""
        if "Alt" not in event.modifiers or not self.is_free:
            return False
        if not self._is_on():
            return False
        keep_from_menu()
        turn = float(np.clip(np.sum(event.delta), -1, 1))  # Alt turns one axis into the other
        is_inverted = event.native is not None and event.native.inverted()
        self._turns += -turn if is_inverted else turn
        while abs(self._turns) >= 1:
            by = 1 if self._turns > 0 else -1
            self._turns -= by
            self._session.cycle(by)
        return True

    # When

    @property
    def is_free(self) -> bool:
        """Whether no other tool of napari is at work on the canvas."""
        active = self._session.viewer.layers.selection.active
        return active is None or active.mode == "pan_zoom"

    def _is_on(self) -> bool:
        """Whether there is an object or an outline that wheel and double click can be about."""
        return not self._session.draft.is_empty or self._hand.cursor.spot is not None


def _is_near(position: Any, other: Any, reach: float) -> bool:
    """Whether two positions on the screen are closer than `reach` in each direction."""
    return bool(np.abs(np.subtract(position, other)).max() <= reach)
