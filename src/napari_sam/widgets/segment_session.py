"""What one viewer is segmenting: the state that the mouse, the dock and the console share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from napari_sam.labels.change import Change
from napari_sam.widgets.channel_axis import find_channel_axis
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.draft import READY, Draft
from napari_sam.widgets.drafting import Plane
from napari_sam.widgets.in_order import go_on, in_order
from napari_sam.widgets.labels_layer import ShownLabels
from napari_sam.widgets.predictor import Predictor, Request
from napari_sam.widgets.revising import Revising
from napari_sam.widgets.transcript import Chapter, Code, Transcript, call_text

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.labels.edit import Edit
    from napari_sam.masks.knobs import Thresholds
    from napari_sam.masks.mask_table import MaskTable
    from napari_sam.widgets.written import AnyWritten

GONE = "The labels that this changed are gone."


class SegmentSession(Revising):
    """Segments objects in one viewer, one after the other.

    Every command does what the hand does in the window, and the window shows what commands do.
    Commands wait for the model by default; with ``wait=False`` they emit `asked`, and whoever
    listens (the dock, with its threads) computes the answer and calls `accept`.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Kept by weak reference. Use `session` to get the one session of a viewer.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self._transcript = Transcript()
        viewer.layers.events.removed.connect(self._on_layer_removed)
        viewer.dims.events.axis_labels.connect(self._on_axis_names)
        self._target.painted.connect(self._on_painted)
        self._target.taken_back.connect(self._on_taken_back)
        self._target.replaced.connect(self._on_labels_data)

    # Keeping

    @in_order
    def commit(self, *, wait: bool = True) -> int | None:
        """Write the object into the labels, begin a new one, and return the id written.

        One that was opened again keeps its id. None, if there was nothing to write, or the mask is
        still being computed.
        """
        if self._draft.is_waiting and not (wait or self.is_deserted):
            self._once_answered = self.commit
            return None
        if self._draft.is_waiting:
            self._answer(self._request(self._draft, self.step_now), wait=True)
        mask, layer = self._draft.mask, self._source.layer
        if mask is None or not mask.area or layer is None:
            note = self._draft.candidates.note if self._draft.candidates is not None else ""
            self._say(note or f"There is no object to keep yet. {READY}")
            return None
        choices = self._choices_as_python()
        labels = self._target.ensure_layer(self.viewer, layer, self._predictor.image)
        written = self._target.write(labels, self._draft, self.model, self._in_force.rule)
        if not written.n_changed:
            self._say_unwritten()
            return None
        label = self._draft.label or written.label or None
        self._finish((written,), self._draft.emptied(), "commit()", choices)
        return label

    @in_order
    def commit_all(self, table: MaskTable, *, plane: Plane = None, source: str = "") -> int:
        """Write many objects as one step, each with an id of its own; return how many.

        Objects that are there already stay whole, and what lies on them is left out. The object
        being made stays as it is.

        Parameters
        ----------
        table : MaskTable
            In pixels of the image, such as `find` returns.
        plane : tuple of int, optional
            Default: the plane shown.
        source : str
            How the table was made, as Python: for `script`.
        """
        plane, layer = self._plane(plane), self._source.layer
        if not len(table) or layer is None:
            self._say("There are no objects to keep.")
            return 0
        choices = self._choices_as_python()
        predictor = self._predictor
        labels = self._target.ensure_layer(self.viewer, layer, predictor.image)
        written = self._target.write_all(labels, table, plane, predictor.model_name)
        if not written.n_changed:
            self._say("Nothing to write: other objects are there already, and they are kept.")
            return 0
        call = call_text("commit_all", Code(source or "table"), plane=plane or None)
        self._finish((written,), self._draft, call, choices)
        return written.n_objects

    def find(
        self,
        screen: tuple[float, float, float, float],
        *,
        pixel: float = 1.0,
        plane: Plane = None,
        mode: Literal["grid", "seeds", "watershed"] | None = None,
        points_per_side: int = 32,
        step: float | None = None,
        thresholds: Thresholds | None = None,
    ) -> MaskTable:
        """Find all objects in a part of a plane, as *Preview* of the dock *Automatic* does.

        Parameters
        ----------
        screen : (y0, x0, y1, x1)
            The part, in pixels of the image; twelve tiles of it at most are searched.
        pixel : float
            Pixels of the screen per pixel of the image.
        plane : tuple of int, optional
            Default: the plane shown.
        mode, points_per_side, step
            As in `FindSettings`.
        thresholds : Thresholds, optional
            Which of the candidates are returned. Default: what suits model and mode.
        """
        from napari_sam.widgets.automatic_find import Finding
        from napari_sam.widgets.automatic_how import How

        layer = self._target.layer
        kept = None if layer is None else ShownLabels(layer).array
        how = How(mode, points_per_side, step)
        plane = self._plane(plane)
        return Finding(self._predictor, plane, screen, pixel, how, kept).answer(thresholds)

    # Back and forth

    @in_order
    def undo(self, *, wait: bool = True) -> None:
        """Take back the last prompt, commit, deletion or review."""
        if self._history.last is None:
            self._say("There is nothing to undo.")
            return
        self._move_back(wait)

    @in_order
    def redo(self, *, wait: bool = True) -> None:
        """Do again what was undone last.

        Raises
        ------
        ValueError
            If something has been painted since with the number of the object that would come back.
        """
        if (step := self._history.next) is None:
            self._say("There is nothing to do again.")
            return
        for written in step.written:
            self._target.check_redo(written)
        self._move_on(wait)

    def script(self) -> str:
        """Return Python that does again what has been done in this session by hand.

        It opens the image and gives the same labels, if the model gives the same answers, and
        labels that were opened are as they were then.
        """
        return self._transcript.write(self._chapter(self.image))

    def _chapter(self, layer: ImageLayer | None) -> Chapter | None:
        """Return what is to be done again on an image."""
        if layer is None:
            return None
        labels = self._choices_as_python()["labels"]
        name = self._first_names.of(layer)
        return Chapter(layer, name, self._history.done, self._openings, labels)

    # Work of others

    def prepare(self) -> None:
        """Have all that can be done before the first click done by whoever listens to `asked`."""
        if self._source.predictor is not None and self._source.predictor.is_hopeless:
            self._say_draft()  # instead of why; it is said again if nothing has changed
        if not len(self.asked):
            return
        chores = self._source.predictor, self._target.uncounted, self.look_for_recovery()
        for work in filter(None, chores):
            self.asked.emit(work)

    def keep(self, predictor: Predictor) -> None:
        """Take a predictor of the same image and model, which keeps features elsewhere."""
        self._source.predictor = predictor
        self._on_choice(asks_anew=self._draft.is_waiting)

    def accept(self, request: Any, answer: Any) -> None:
        """Take the answer to what was `asked`, if it still matters. Main thread only."""
        if not isinstance(request, Request):
            with self.telling():
                request.take(answer)
            self.layers_changed.emit()
            return
        self._accept(request, answer)
        if not self._draft.is_waiting and (first := self._once_answered) is not None:
            self._once_answered = None
            go_on(self, first)

    @in_order
    def ask_again(self, *, step: float | None = None, wait: bool = True) -> None:
        """Have the prompts answered anew, maybe more finely or coarsely."""
        self._ask_again(step, wait)

    def drop(self, work: Any) -> None:
        """Hear that nobody will answer what was `asked`, as the dock is closed. Main thread only.

        Prompts are answered when the next command, or the next dock, comes.
        """
        if self._viewer() is not None and isinstance(work, Chore):
            work.give_up()

    def take_over(self) -> None:
        """Have answered, by whoever listens now, what those asked before have left."""
        if self._draft.is_waiting:
            self._answer(self._request(self._draft, self.step_now), wait=False)

    # Inside

    def _move_back(self, wait: bool) -> None:
        if (step := self._history.last) is not None:
            is_whole = self._repeat(self._target.undo, reversed(step.written))
            self._history.undo()
            self._resume(step.before, wait)
            self._say_again(step.written, "Taken back")
            if not is_whole:
                self._say(GONE)

    def _move_on(self, wait: bool) -> None:
        if (step := self._history.next) is not None:
            is_whole = self._repeat(self._target.redo, step.written)
            self._history.redo()
            self._resume(step.after, wait)
            self._say_again(step.written, "Done again")
            if not is_whole:
                self._say(GONE)

    def _repeat(self, way: Callable[[AnyWritten], Change], changes: Iterable[AnyWritten]) -> bool:
        """Take changes back, or make them again; return False if the labels of one are gone."""
        is_whole = True
        for written in changes:
            if written.layer in self.viewer.layers:
                self._tell_change(way(written), written.layer)
            else:
                is_whole = False
        return is_whole

    def _ask_again(self, step: float | None, wait: bool) -> None:
        if not self._draft.is_empty:
            step = self.step_now if step is None else step
            call = call_text("ask_again", step=step)
            self._history.amend(self._draft.unanswered(), *self._changed_choices(), call)
            self._resume(self._draft.unanswered(), wait, step)

    def _keep_at_once(self, wait: bool) -> None:
        """Keep what the first click selects, as one step; nothing stays, if that is nothing."""
        if self._draft.is_waiting and not wait:
            self._once_answered = partial(self._keep_at_once, wait)
            return
        self.commit()
        if self._draft.is_empty:
            self._history.join(len(self._history) - 2)
        elif (step := self._history.drop_last()) is not None:
            self._set_draft(step.before)

    def _say_unwritten(self) -> None:
        if self._draft.old is not None:
            label, draft = self._draft.label, self._draft.emptied()
            self._change(draft, (), "clear()")
            self._resume(draft, wait=False)
            self._say(f"Object {label} is as it was.")
        elif self._in_force.rule == "erase":
            self._say("There is nothing here to erase.")
        else:
            self._say("Nothing to write: other objects are there already, and the rule keeps them.")

    def _changed_choices(self) -> list[str]:
        """Return what has been chosen since the last step, as Python."""
        last = self._history.last
        then = {} if last is None else last.choices
        now = self._choices_as_python()
        return [f"{name} = {value}" for name, value in now.items() if then.get(name) != value]

    def _on_choice(self, *, asks_anew: bool = False) -> None:
        if asks_anew:
            self.leave()
        if (draft := self._draft.written_into(self._target.layer)) is not self._draft:
            self._set_draft(draft)
            self._say_draft()
        self._say_anew()
        self.layers_changed.emit()
        self.prepare()
        if asks_anew:
            self._ask_again(None, wait=False)

    def _open(self, layer: ImageLayer | None) -> None:
        before = self._chapter(self._source.layer)
        axis = None if layer is None else find_channel_axis(self.viewer, layer)
        listeners = self._on_image_data, self._on_image_move, self._on_axis_names
        self._source.open(layer, axis, *listeners)
        if before is not None:
            self._transcript.close(before)
            self._forget_image()
        self._drop_commands()
        self._history.clear()
        self._resume(Draft(), wait=False)

    def _on_layer_removed(self, event: Any) -> None:
        if event.value is self._source.layer:
            self.image = None
        elif event.value is self._target.layer:
            self._history.clear()
            self._set_labels(None)
        self._target.close(event.value)

    def _on_image_data(self) -> None:
        """Begin anew with what is in the image layer now; without an image, if that won't do."""
        try:
            self._open(self._source.layer)
        except (ValueError, TypeError) as error:
            self.image = None
            self._say(str(error))
            return
        self._on_labels_data()

    def _on_labels_data(self) -> None:
        """Forget what was done to other labels; take none, if these do not fit the image."""
        self._history.clear()
        labels = self.labels
        self._set_labels(None)
        with self.telling():
            self._check_labels(labels)
            self._set_labels(labels)

    def _on_painted(self, done: Change, layer: Labels) -> None:
        self._tell_change(done, layer)

    def _on_taken_back(self, edits: list[Edit], layer: Labels) -> None:
        """Move in the history too, if napari has taken back, or done again, a step of it.

        The pixels are as they are to be by then, so this is about records, ids and prompts.
        """
        if self.is_held_up or len(edits) != 1:
            return
        n = self._history.n_steps_to(edits[0], layer)
        move = self._move_on if n > 0 else self._move_back
        for _ in range(abs(n)):
            move(wait=False)

    def _on_axis_names(self) -> None:
        """Look at the image in another way, if other axes, or none, are known to be channels."""
        if (layer := self._source.layer) is None:
            return
        channel_axis = find_channel_axis(self.viewer, layer)
        if channel_axis != self._source.channel_axis:
            self._source.use_channel_axis(channel_axis)
            self._forget_image()
            self._on_choice(asks_anew=True)

    def _on_image_move(self) -> None:
        """Draw everything where the image is now."""
        self.leave()
        self.draft_changed.emit()
