"""Making one object: prompts, their answers, candidates, and what a click would select."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import ArrayLike
from psygnal import Signal

from napari_sam.prompts.strokes import points_along
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.draft import NO_IMAGE, Draft
from napari_sam.widgets.history import History, Step
from napari_sam.widgets.hover import Hover
from napari_sam.widgets.in_order import in_order
from napari_sam.widgets.layers import check_view, current_plane
from napari_sam.widgets.ordering import Ordering
from napari_sam.widgets.predictor import Predictor, Request
from napari_sam.widgets.recipe import Asking, Call

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_sam.masks import Candidates, Mask
    from napari_sam.widgets.written import Written

Plane = tuple[int, ...] | None

HIDDEN = "Another plane is shown."

SCRIBBLE_APART = 12
"""Points of a scribble are at least so far apart, in samples of what the model sees."""


class Drafting(Ordering):
    """The part of a session that makes an object; `SegmentSession` keeps it.

    Every prompt is given in pixels of the image, by default of the plane shown, and with the
    options of `Asking`.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Kept by weak reference.
    """

    draft_changed = Signal()
    hover_changed = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self._history = History()
        self._hover = Hover()
        viewer.dims.events.current_step.connect(self._say_anew)
        viewer.dims.events.ndisplay.connect(self._on_view)
        viewer.dims.events.order.connect(self._on_view)

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
        return self._hover.shown(self.preferred_rank)

    @property
    def n_steps(self) -> int:
        """How many steps can be undone."""
        return len(self._history)

    # Prompts

    @in_order
    def click(
        self,
        y: float,
        x: float,
        positive: bool = True,
        *,
        plane: Plane = None,
        **how: Unpack[Asking],
    ) -> None:
        """Add a point, (row, column). With `turbo`, the first one keeps the object at once.

        Raises
        ------
        ValueError
            If the point is outside the image, or the first one of an object is negative.
        """
        base = self._draft_on(plane)
        draft = base.with_points([[y, x]], positive, self._predictor.image.shape_yx)
        self._prompt(draft, how, "click", y, x, positive=positive)
        if self._in_force.turbo and base.is_empty:
            self._keep_at_once(how.get("wait", True))

    @in_order
    def box(
        self,
        y0: float,
        x0: float,
        y1: float,
        x1: float,
        *,
        plane: Plane = None,
        **how: Unpack[Asking],
    ) -> None:
        """Set the box; it is cut at the border."""
        draft = self._draft_on(plane).with_box((y0, x0, y1, x1), self._predictor.image.shape_yx)
        self._prompt(draft, how, "box", y0, x0, y1, x1)

    @in_order
    def scribble(
        self,
        path: ArrayLike,
        positive: bool = True,
        *,
        plane: Plane = None,
        **how: Unpack[Asking],
    ) -> None:
        """Add points along a stroke, (N, 2) of (row, column); see `points_along`."""
        path = np.round(np.asarray(path, float), 2)
        points = points_along(path, SCRIBBLE_APART * (how.get("step") or self.step_now or 1))
        base = self._draft_on(plane)
        draft = base.with_points(points, positive, self._predictor.image.shape_yx)
        self._prompt(draft, how, "scribble", path, positive=positive)

    @in_order
    def lasso(
        self,
        path: ArrayLike,
        *,
        plane: Plane = None,
        **how: Unpack[Asking],
    ) -> None:
        """Draw an outline (N, 2) around the object: its inside becomes mask and box."""
        path = np.round(np.asarray(path, float), 2)
        draft = self._draft_on(plane).with_outline(path, self._predictor.image.shape_yx)
        self._prompt(draft, how, "lasso", path)

    @in_order
    def remove_point(self, index: int, **how: Unpack[Asking]) -> None:
        """Take one point away, by its position in ``draft.prompts.points``."""
        self._prompt(self._draft.without_point(index), how, "remove_point", index)

    @in_order
    def remove_box(self, **how: Unpack[Asking]) -> None:
        """Take the box away."""
        self._prompt(self._draft.without_box(), how, "remove_box")

    @in_order
    def clear(self) -> None:
        """Drop the prompts of the object being made; one opened again stays as it was."""
        if not self._draft.is_empty:
            draft = self._draft.emptied()
            self._change(draft)
            self._resume(draft, wait=False)

    def cancel(self) -> None:
        """Give up the prompts that the model is asked about; the object is as it was before them.

        At once, and with all commands that wait for the answer.
        """
        if self._draft.is_waiting:
            self._take_back_unanswered()
            self.given_up.emit()
            self._say_draft()

    @in_order
    def choose(self, rank: int) -> None:
        """Choose a candidate, 0 is the smallest; later objects begin with the same one."""
        if self._draft.candidates:
            draft = self._draft.chosen(rank)
            if len(self._draft.candidates) > 1:
                self.preferred_rank = draft.rank
            recipe = draft.recipe.chosen(self._call("choose", draft.rank))
            self._set_draft(replace(draft, recipe=recipe))
            self._history.amend(self._draft)
            self._say_draft()

    def cycle(self, by: int) -> None:
        """Choose a larger candidate (`by` above 0) or a smaller one, as the wheel does.

        Before the first click, it is the outline under the cursor that changes.
        """
        if self._draft.candidates:
            self.choose(self._draft.rank + by)
        elif (
            self.next_draft.is_empty and (rank := self._hover.rank(self.preferred_rank)) is not None
        ):
            self.preferred_rank = max(0, min(rank + by, self._hover.n_candidates - 1))
            self.hover_changed.emit()

    # Hovering

    def hover(
        self, y: float, x: float, positive: bool = True, *, plane: Plane = None, wait: bool = True
    ) -> None:
        """Look at what a click would select; `hovered` tells."""
        base = self._draft_on(plane, self.next_draft)
        self._look_at(base.with_points([[y, x]], positive, self._predictor.image.shape_yx), wait)

    def hover_box(
        self, y0: float, x0: float, y1: float, x1: float, *, plane: Plane = None, wait: bool = True
    ) -> None:
        """Look at what a box would select; `hovered` tells."""
        base = self._draft_on(plane, self.next_draft)
        self._look_at(base.with_box((y0, x0, y1, x1), self._predictor.image.shape_yx), wait)

    def leave(self) -> None:
        """End hovering: the cursor is over nothing."""
        if self._hover.end():
            self.hover_changed.emit()

    def _look_at(self, draft: Draft, wait: bool) -> None:
        request = self._request(draft, self.step_now, is_hover=True)
        if self._hover.ask(request):
            self.hover_changed.emit()
        else:
            self._answer(request, wait)

    # Answers

    def fail(self, request: Any, error: Exception) -> None:
        """Take back prompts that could not be answered, and say why. Main thread only."""
        if isinstance(request, Chore):
            request.give_up()
        predictor = getattr(request, "predictor", request)
        if isinstance(predictor, Predictor) and predictor is not self._source.predictor:
            return
        self.leave()
        if self._draft.is_waiting and getattr(request, "prompts", None) is self._draft.prompts:
            self._take_back_unanswered()
        self._say(str(error) or type(error).__name__)

    def _accept(self, request: Request, answer: Candidates) -> None:
        """Take the answer to a request; ignored if the prompts have moved on."""
        if request.predictor is not self._source.predictor:
            return
        if request.is_hover:
            if self._hover.answer(request, answer):
                self.hover_changed.emit()
        elif request.prompts is self._draft.prompts and self._draft.is_waiting:
            self._set_draft(self._draft.answered(answer, request.rank))
            self._history.amend(self._draft)
            self._say_draft()

    # Inside

    def _draft_on(self, plane: Plane, draft: Draft | None = None) -> Draft:
        """Return the draft to add to: a new one on another plane, or if it means what is kept."""
        plane, draft = self._plane(plane), draft or self._draft
        is_other = draft.plane != plane or draft.is_on_kept(self._target.label_at)
        return Draft(plane) if is_other else draft

    def _plane(self, plane: Plane) -> tuple[int, ...]:
        """Return a plane of the image, by default the one shown."""
        image, layer = self._predictor.image, self._source.layer
        if plane is None and layer is not None:
            plane = current_plane(self.viewer, layer)
        return image.normalize_plane(plane or ())

    def _prompt(
        self, draft: Draft, how: Asking, command: str, *args: Any, positive: bool = True
    ) -> None:
        """Make a draft with other prompts, as one step, and have it answered."""
        if not draft.is_empty:
            plane = None if command.startswith("remove") else draft.plane or None
            sign = None if positive else False
            call = self._call(command, *args, positive=sign, plane=plane, **self._how(how))
            recipe = draft.recipe.then(call, is_waiting=self._draft.is_waiting)
            draft = replace(draft, recipe=recipe)
        self._change(draft)
        self._go_on_with(draft.written_into(self._target.layer), how.get("wait", True))

    def _resume(self, draft: Draft, wait: bool) -> None:
        """Go back to a draft, which may be one of long ago; what is not answered is asked anew."""
        draft = draft.written_into(self._target.layer).restored()
        if draft.is_waiting:
            draft = draft.asked_anew(self._call("ask_again", step=draft.recipe.step))
            self._history.amend(draft)
        self._go_on_with(draft, wait)

    def _go_on_with(self, draft: Draft, wait: bool) -> None:
        """Take a draft, and have it answered, if it is not yet: at once, if hovering has asked."""
        was_waiting, known = self._draft.is_waiting, None
        is_asked = draft.is_waiting and draft.recipe.is_asked
        if is_asked:
            request = self._request(draft, draft.recipe.step)
            known = self._hover.answer_to(request)
        self.leave()
        if known is not None:
            draft = draft.answered(known, request.rank)
            self._history.amend(draft)
        self._set_draft(draft)
        self._say_draft()
        if is_asked and known is None:
            self._answer(request, wait)
        elif was_waiting:
            self.given_up.emit()

    def _take_back_unanswered(self) -> None:
        """Go back to the last draft that is answered."""
        if self._once_answered is not None:
            self._drop_commands()
        self._set_draft(self._history.take_back(self._draft))
        self._take_choices()

    def _request(self, draft: Draft, step: float | None, *, is_hover: bool = False) -> Request:
        """Return the question that a draft puts."""
        chosen = self._wished if is_hover else self._in_force
        return Request(
            self._predictor,
            draft.prompts,
            draft.plane,
            is_hover=is_hover,
            others=self._target.others(draft.label, chosen.rule, chosen.neighbors),
            rank=chosen.preferred_rank,
            step=step,
            object_diameter=chosen.object_diameter,
            left_out=None if is_hover else draft.recipe.left_out,
        )

    def _answer(self, request: Request, wait: bool) -> None:
        """Have a request answered: elsewhere, if somebody listens and nobody waits; or now.

        Where all who listen only look on, it is answered when the next command, or dock, comes.
        """
        if not wait and len(self.asked):
            self.asked.emit(request)
            return
        try:
            answer = request.answer()
        except Exception as error:
            self.fail(request, error)
            raise
        self.accept(request, answer)

    def _change(
        self, draft: Draft, written: tuple[Written, ...] = (), calls: tuple[Call, ...] = ()
    ) -> None:
        """Add a step to the history, which leads to a draft."""
        self._history.push(Step(self._draft, draft, written, calls))

    def _set_draft(self, draft: Draft) -> None:
        self._draft = draft
        self.draft_changed.emit()

    def _say_draft(self) -> None:
        draft = self._draft.describe(self.coming_label, self._in_force.rule)
        text = NO_IMAGE if self.image is None else draft
        says = (text, HIDDEN * self._is_hidden, self._history.note)
        self._say(" ".join(filter(None, says)))

    @property
    def _is_hidden(self) -> bool:
        """Whether the object being made is on another plane than the one shown."""
        layer = self._source.layer
        if self._draft.is_empty or layer is None or not self._draft.plane:
            return False
        try:
            return current_plane(self.viewer, layer) != self._draft.plane
        except ValueError:  # of 3-D, and of planes that are not the image's
            return False

    def _say_anew(self) -> None:
        """Say of an object being made what may be otherwise now: its number, whether it is seen."""
        if not self._draft.is_empty and not self._draft.is_waiting:
            self._say_draft()

    def _on_view(self) -> None:
        """Say no more that prompts do not work, when they do again."""
        with suppress(ValueError):
            check_view(self.viewer)
            self._say_draft()

    @abstractmethod
    def accept(self, request: Any, answer: Any) -> None:
        """Take the answer to what was `asked`. Main thread only."""

    @abstractmethod
    def _keep_at_once(self, wait: bool) -> None:
        """Keep what the first click selects; nothing stays, if that is nothing."""
