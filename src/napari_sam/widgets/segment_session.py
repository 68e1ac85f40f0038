"""What one viewer is segmenting: the state that the mouse, the dock and the console share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.widgets.choices import Choices
from napari_sam.widgets.draft import NO_IMAGE, READY, Draft
from napari_sam.widgets.history import History, Step
from napari_sam.widgets.hover import Hover
from napari_sam.widgets.in_order import go_on, in_order
from napari_sam.widgets.layers import current_plane
from napari_sam.widgets.predictor import Predictor, Request
from napari_sam.widgets.target import Count

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer

    from napari_sam.masks import Candidates, Mask
    from napari_sam.masks.mask_table import MaskTable

Plane = tuple[int, ...] | None


class SegmentSession(Choices):
    """Segments objects in one viewer, one after the other.

    Every command does what the hand does in the window, and the window shows what commands do.
    Commands wait for the model by default; with ``wait=False`` they emit `asked`, and whoever
    listens (the dock, with its threads) computes the answer and calls `accept`.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Kept by weak reference. Use `session` to get the one session of a viewer.
    """

    asked = Signal(object)
    draft_changed = Signal()
    hover_changed = Signal()
    status_changed = Signal(str)

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self._history = History()
        self._draft, self._hover = Draft(), Hover()
        self.is_held_up = False
        self.held_up: list[Callable[[], Any]] = []
        self.status = NO_IMAGE
        viewer.layers.events.removed.connect(self._on_layer_removed)

    # Choices

    def keep(self, predictor: Predictor) -> None:
        """Take a predictor of the same image and model, which keeps features elsewhere."""
        self._source.predictor = predictor
        self._on_choice(asks_anew=self._draft.is_waiting)

    def prepare(self) -> None:
        """Have all that can be done before the first click done by whoever listens to `asked`."""
        if self._source.predictor is not None and self._source.predictor.is_hopeless:
            self._say_draft()  # instead of why; it is said again if nothing has changed
        for work in filter(None, (self._source.predictor, self._target.uncounted)):
            self.asked.emit(work)

    # The object being made

    @property
    def draft(self) -> Draft:
        """The object being made: its plane, prompts, candidates, and which of them is chosen."""
        return self._draft

    @property
    def candidates(self) -> Candidates | None:
        """What it may be; None without prompts, or while they are being answered."""
        return self._draft.candidates

    @property
    def mask(self) -> Mask | None:
        """The chosen candidate."""
        return self._draft.mask

    @property
    def hovered(self) -> tuple[Mask, tuple[int, ...], bool] | None:
        """What a click under the cursor would select: mask, plane, and whether positive."""
        return self._hover.shown

    # Commands

    @in_order
    def click(
        self, y: float, x: float, positive: bool = True, *, plane: Plane = None, wait: bool = True
    ) -> None:
        """Add a point, (row, column) in pixels of the image; by default on the plane shown.

        Raises
        ------
        ValueError
            If the point is outside the image, or the first one of an object is negative.
        """
        base = self._draft_on(plane)
        self._change(base.with_point(y, x, positive, self._predictor.image.shape_yx), wait)

    @in_order
    def box(
        self, y0: float, x0: float, y1: float, x1: float, *, plane: Plane = None, wait: bool = True
    ) -> None:
        """Set the box, in pixels of the image; it is cut at the border."""
        base = self._draft_on(plane)
        self._change(base.with_box((y0, x0, y1, x1), self._predictor.image.shape_yx), wait)

    @in_order
    def remove_point(self, index: int, *, wait: bool = True) -> None:
        """Take one point away, by its position in ``draft.prompts.points``."""
        self._change(self._draft.without_point(index), wait)

    @in_order
    def remove_box(self, *, wait: bool = True) -> None:
        """Take the box away."""
        self._change(self._draft.without_box(), wait)

    @in_order
    def choose(self, rank: int) -> None:
        """Choose a candidate: 0 is the smallest."""
        if self._draft.candidates:
            self._set_draft(self._draft.chosen(rank))
            self._history.amend(self._draft)
            self._say_draft()

    @in_order
    def clear(self) -> None:
        """Drop the prompts of the object being made."""
        if not self._draft.is_empty:
            self._change(self._draft.emptied(), wait=False)

    @in_order
    def commit(self, *, wait: bool = True) -> int | None:
        """Write the object into the labels, begin a new one, and return the id written.

        None, if there was nothing to write, or the mask is still being computed.
        """
        if self._draft.is_waiting and not wait:
            self.is_held_up = True
            return None
        if self._draft.is_waiting:
            self._ask(wait=True)
        mask, layer = self._draft.mask, self._source.layer
        if mask is None or not mask.area or layer is None:
            self._say(f"There is no object to keep yet. {READY}")
            return None
        labels = self._target.ensure_layer(self.viewer, layer, self._predictor.image)
        written = self._target.write(labels, mask, self._draft.plane)
        if not written.edit.n_changed:
            self._say("Nothing to write: other objects are there already, and the rule keeps them.")
            return None
        self.leave()
        self._history.push(Step(self._draft, self._draft.emptied(), written))
        self._set_draft(self._draft.emptied())
        self.layers_changed.emit()
        self._say(written.describe())
        return written.label or None

    @in_order
    def commit_all(self, table: MaskTable, *, plane: Plane = None) -> int:
        """Write many objects as one step, each with an id of its own; return how many.

        Objects that are there already stay whole, and what lies on them is left out. The object
        being made stays as it is.
        """
        draft, layer = self._draft_on(plane), self._source.layer
        if not len(table) or layer is None:
            self._say("There are no objects to keep.")
            return 0
        labels = self._target.ensure_layer(self.viewer, layer, self._predictor.image)
        written = self._target.write_all(labels, table, draft.plane)
        if not written.edit.n_changed:
            self._say("Nothing to write: other objects are there already, and they are kept.")
            return 0
        self._history.push(Step(self._draft, self._draft, written))
        self.layers_changed.emit()
        self._say(written.describe())
        return written.n_objects

    @in_order
    def undo(self, *, wait: bool = True) -> None:
        """Take back the last prompt or commit."""
        if (step := self._history.last) is None:
            self._say("There is nothing to undo.")
            return
        if step.written is not None:
            self._target.undo(step.written)
            self.layers_changed.emit()
        self._history.undo()
        self._resume(step.before, wait)

    @in_order
    def redo(self, *, wait: bool = True) -> None:
        """Do again what was undone last."""
        if (step := self._history.next) is None:
            self._say("There is nothing to do again.")
            return
        if step.written is not None:
            self._target.redo(step.written)
            self.layers_changed.emit()
        self._history.redo()
        self._resume(step.after, wait)

    def hover(
        self, y: float, x: float, positive: bool = True, *, plane: Plane = None, wait: bool = True
    ) -> None:
        """Look at what a click would select; `hovered` tells."""
        base = self._draft_on(plane)
        draft = base.with_point(y, x, positive, self._predictor.image.shape_yx)
        request = self._request(draft, is_hover=True)
        if self._hover.ask(request):
            self.hover_changed.emit()
        else:
            self._answer(request, wait)

    def leave(self) -> None:
        """End hovering: the cursor is over nothing."""
        if self._hover.end():
            self.hover_changed.emit()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Tell in the status line, instead of raising, what cannot be done; for the hand."""
        try:
            yield
        except (ValueError, TypeError, IndexError, OSError) as error:
            self._say(str(error))

    # Answers

    def accept(self, request: Request | Count, answer: Any) -> None:
        """Take the answer to a request; ignored if the prompts have moved on. Main thread only."""
        if isinstance(request, Count):
            self._target.count(request, answer)
            self.layers_changed.emit()
        elif request.predictor is not self._source.predictor:
            return
        elif request.is_hover:
            if self._hover.answer(request, answer):
                self.hover_changed.emit()
        elif request.prompts is self._draft.prompts and self._draft.is_waiting:
            self._set_draft(self._draft.answered(answer))
            self._history.amend(self._draft)
            self._say_draft()
            if self.is_held_up:
                with self.telling():
                    go_on(self, self.commit)

    def fail(self, request: Any, error: Exception) -> None:
        """Take back prompts that could not be answered, and say why. Main thread only."""
        predictor = getattr(request, "predictor", request)
        if isinstance(predictor, Predictor) and predictor is not self._source.predictor:
            return
        self.leave()
        if self._draft.is_waiting and getattr(request, "prompts", None) is self._draft.prompts:
            self.is_held_up, self.held_up = False, []
            self._set_draft(self._history.take_back(self._draft))
        self._say(str(error) or type(error).__name__)

    # Inside

    def _on_choice(self, *, asks_anew: bool = False) -> None:
        if asks_anew:
            self.leave()
        self.layers_changed.emit()
        self.prepare()
        if asks_anew and not self._draft.is_empty:
            self._history.amend(self._draft.unanswered())
            self._resume(self._draft.unanswered(), wait=False)

    def _open(self, layer: ImageLayer | None) -> None:
        self._source.open(layer, self._on_image_data)
        self.is_held_up, self.held_up = False, []
        self._history.clear()
        self._resume(Draft(), wait=False)

    def _draft_on(self, plane: tuple[int, ...] | None) -> Draft:
        """Return the draft to add to: a new one, if the plane is another."""
        image, layer = self._predictor.image, self._source.layer
        if plane is None and layer is not None:
            plane = current_plane(self.viewer, layer)
        plane = image.normalize_plane(plane or ())
        return self._draft if self._draft.plane == plane else Draft(plane)

    def _change(self, draft: Draft, wait: bool) -> None:
        """Make a new draft, as one step, and have it answered."""
        self._history.push(Step(self._draft, draft))
        self._resume(draft, wait)

    def _resume(self, draft: Draft, wait: bool) -> None:
        self.leave()
        self._set_draft(draft)
        self._say_draft()
        if draft.is_waiting:
            self._ask(wait)

    def _ask(self, wait: bool) -> None:
        self._answer(self._request(self._draft), wait)

    def _request(self, draft: Draft, *, is_hover: bool = False) -> Request:
        """Return the question that a draft puts, as finely as is chosen now."""
        return Request(
            self._predictor,
            draft.prompts,
            draft.plane,
            step=self.step_now,
            object_diameter=self.object_diameter,
            is_hover=is_hover,
        )

    def _answer(self, request: Request, wait: bool) -> None:
        """Have a request answered: elsewhere, if somebody listens and nobody waits; or now."""
        if not wait and len(self.asked):
            self.asked.emit(request)
            return
        try:
            answer = request.answer()
        except Exception as error:
            self.fail(request, error)
            raise
        self.accept(request, answer)

    def _set_draft(self, draft: Draft) -> None:
        self._draft = draft
        self.draft_changed.emit()

    def _say(self, text: str) -> None:
        self.status = text
        self.status_changed.emit(text)

    def _say_draft(self) -> None:
        label = self.next_label if self.is_counted else None
        self._say(NO_IMAGE if self.image is None else self._draft.describe(label))

    def _on_layer_removed(self, event: Any) -> None:
        if event.value is self._source.layer:
            self.image = None
        elif event.value is self._target.layer:
            self._history.clear()
            self.labels = None

    def _on_image_data(self) -> None:
        self._open(self._source.layer)
        self._on_choice()
