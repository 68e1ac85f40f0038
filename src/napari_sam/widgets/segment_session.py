"""What one viewer is segmenting: the state that the mouse, the dock and the console share."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Unpack

from napari_sam.labels.change import Change
from napari_sam.masks.runs import iter_rows
from napari_sam.widgets.draft import READY, Draft
from napari_sam.widgets.drafting import Plane
from napari_sam.widgets.following import Following
from napari_sam.widgets.hover import fills_window
from napari_sam.widgets.in_order import go_on, in_order
from napari_sam.widgets.predictor import Predictor, Request
from napari_sam.widgets.recipe import Asking, Code, literal
from napari_sam.widgets.sliders import find_sliders
from napari_sam.widgets.transcript import COMMIT, FIND

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.labels.edit import Edit
    from napari_sam.masks.mask_table import MaskTable
    from napari_sam.widgets.history import Step
    from napari_sam.widgets.written import AnyWritten

UNSEEN = (
    "Nothing kept: what is here covers most of what the model sees, so no outline showed it. "
    "Switch Turbo off to keep it."
)


class SegmentSession(Following):
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
        viewer.layers.events.removed.connect(self._on_layer_removed)
        viewer.dims.events.axis_labels.connect(self._on_axis_names)
        self._target.painted.connect(self._on_painted)
        self._target.taken_back.connect(self._on_taken_back)
        self._target.replaced.connect(self._on_labels_data)

    # Keeping

    @in_order
    def commit(self, *, label: int | None = None, wait: bool = True) -> int | None:
        """Write the object into the labels, begin a new one, and return the id written.

        One that was opened again keeps its id. None, if there was nothing to write, or the mask is
        still being computed.

        Parameters
        ----------
        label : int, optional
            The id of a new object. Default: `next_label`.
        wait : bool
            Whether to return only when it is written.

        Raises
        ------
        ValueError
            If the id is lower than `next_label`, and may be taken; or too high for the labels.
        """
        if self._draft.is_waiting and not (wait or self.is_deserted):
            self._once_answered = partial(self.commit, label=label, wait=wait)
            return None
        if self._draft.is_waiting:
            self._resume(self._draft, wait=True)
        mask, layer = self._draft.mask, self._source.layer
        if mask is None or not mask.area or layer is None:
            note = self._draft.candidates.note if self._draft.candidates is not None else ""
            self._say(note or f"There is no object to keep yet. {READY}")
            return None
        if self._is_put_off(partial(self.commit, label=label, wait=wait), wait):
            return None
        labels = self._target.ensure_layer(self.viewer, layer, self._predictor.image)
        rule = self._in_force.rule
        written = self._target.write(labels, self._draft, self.model, rule, label)
        if not written.n_changed:
            self._say_unwritten()
            return None
        call = self._call("commit", about=COMMIT, label=written.label or None)
        kept_as = self._draft.label or written.label or None
        self._finish(written, self._draft.emptied(), *self._draft.recipe.calls, call)
        return kept_as

    @in_order
    def commit_all(
        self,
        table: MaskTable,
        *,
        plane: Plane = None,
        first_label: int | None = None,
        source: str = "",
        wait: bool = True,
    ) -> int:
        """Write many objects as one step, each with an id of its own; return how many.

        Objects that are there already stay whole, and what lies on them is left out. The object
        being made stays as it is.

        Parameters
        ----------
        table : MaskTable
            In pixels of the image, such as `find` returns.
        plane : tuple of int, optional
            Default: the plane shown.
        first_label : int, optional
            The id of the first; see `commit`.
        source : str
            Python that makes the same table with the labels as they are, for `script`. Default:
            the masks themselves.
        wait : bool
            Whether to return only when they are written, even if the labels have to be looked
            through before; else 0 is returned then.
        """
        plane, layer = self._plane(plane), self._source.layer
        if not len(table) or layer is None:
            self._say("There are no objects to keep.")
            return 0
        how: Any = {"first_label": first_label, "source": source, "wait": wait}
        if self._is_put_off(partial(self.commit_all, table, plane=plane, **how), wait):
            return 0
        predictor = self._predictor
        labels = self._target.ensure_layer(self.viewer, layer, predictor.image)
        model = predictor.model_name
        written = self._target.write_all(labels, table, plane, model, first_label)
        if not written.n_changed:
            self._say("Nothing to write: other objects are there already, and they are kept.")
            return 0
        made = Code(source or f"masks_from_rows({literal([*iter_rows(table)])})")
        first = written.label - written.n_objects + 1
        how = {"plane": plane or None, "first_label": first}
        call = self._call("commit_all", made, about=FIND if source else COMMIT, **how)
        self._finish(written, self._draft, call)
        return written.n_objects

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

    # Work of others

    def keep(self, predictor: Predictor) -> None:
        """Take a predictor of the same image and model, which keeps features elsewhere."""
        self._source.predictor = predictor
        self._on_choice(asks_anew=self._draft.is_waiting)

    def accept(self, request: Any, answer: Any) -> None:
        """Take the answer to what was `asked`, if it still matters. Main thread only."""
        if not isinstance(request, Request):
            try:
                with self.telling():
                    request.take(answer)
                self.layers_changed.emit()
            finally:  # whatever a listener raises, no command waits for ever
                self._go_on_if_known()
            return
        try:
            self._accept(request, answer)
        finally:
            if not self._draft.is_waiting and (first := self._once_answered) is not None:
                self._once_answered = None
                go_on(self, first)

    @in_order
    def ask_again(self, *, alone: bool = False, **how: Unpack[Asking]) -> None:
        """Have the prompts answered anew, maybe more finely or coarsely.

        `alone`: without the mask that there was when the last of them was given. Other options
        are those of a prompt.
        """
        self._ask_again(how, alone=alone)

    # Inside

    def _move_back(self, wait: bool) -> None:
        if (step := self._history.last) is not None:
            self._repeat(self._target.undo, step, -1)
            self._history.undo()
            self._resume(step.before, wait)
            self._say_again(step.written, "Taken back")

    def _move_on(self, wait: bool) -> None:
        if (step := self._history.next) is not None:
            self._repeat(self._target.redo, step, 1)
            self._history.redo()
            self._resume(step.after, wait)
            self._say_again(step.written, "Done again")

    def _repeat(
        self, way: Callable[[AnyWritten], Change], step: Step, direction: Literal[1, -1]
    ) -> None:
        """Take changes back, or make them again."""
        for written in step.written[::direction]:
            done = way(written)
            self._put_right(step, written)
            self._tell_change(done, written.layer)

    def _ask_again(self, how: Asking, *, alone: bool = False) -> None:
        if not self._draft.is_empty:
            call = self._call("ask_again", alone=alone or None, **self._how(how))
            draft = self._draft.asked_anew(call)
            self._history.amend(draft)
            self._go_on_with(draft, how.get("wait", True))

    def _keep_at_once(self, wait: bool) -> None:
        """Keep what the first click selects, as one step; or nothing, if nothing was outlined."""
        if self._draft.is_waiting and not wait:
            self._once_answered = partial(self._keep_at_once, wait)
            return
        if self._is_put_off(partial(self._keep_at_once, wait), wait):
            return
        mask, among = self._draft.mask, self._draft.candidates
        if mask and among and fills_window(mask, among, self._predictor.image.shape_yx):
            self._say(UNSEEN)
        else:
            self.commit()
        if self._draft.is_empty:
            self._history.join(len(self._history) - 2)
            self._say(f"{self.status} {self._history.note}".rstrip())
        elif (step := self._history.drop_last()) is not None:
            self._set_draft(step.before)

    def _say_unwritten(self) -> None:
        if self._draft.old is not None:
            label, draft = self._draft.label, self._draft.emptied()
            self._change(draft)
            self._resume(draft, wait=False)
            self._say(f"Object {label} is as it was.")
        elif self._in_force.rule == "erase":
            self._say("There is nothing here to erase.")
        else:
            self._say("Nothing to write: other objects are there already, and the rule keeps them.")

    def _on_choice(self, *, asks_anew: bool = False) -> None:
        if asks_anew:
            self.leave()
        if asks_anew and self._draft.is_empty:
            self._say_draft()  # what was said of another model need not be so of this one
        if (draft := self._draft.written_into(self._target.layer)) is not self._draft:
            self._set_draft(draft)
            self._say_draft()
        self._say_anew()
        self.layers_changed.emit()
        self.prepare()
        if asks_anew:
            self._ask_again({"wait": False})

    def _open(self, layer: ImageLayer | None) -> None:
        before = self._source.layer
        sliders = "" if layer is None else find_sliders(self.viewer, layer)
        listeners = self._on_image_data, self._on_image_move, self._on_axis_names
        self._source.open(layer, sliders, *listeners)
        self._found_sliders = sliders
        self._transcript.close(self._history.done)
        if before is not None:
            self._forget_image()
        self._drop_commands()
        self.held_up = []  # nor are labels chosen that were for the image before
        self._history.clear()
        self._resume(Draft(), wait=False)

    def _on_layer_removed(self, event: Any) -> None:
        self._forget_labels(event.value)
        self._note_removed(event.value)
        if event.value is self._source.layer:
            self.image = None
        elif event.value is self._target.layer:
            if self._once_known is not None:
                self._drop_commands()
            self._set_labels(None)
            self._say_draft()  # what was said of these labels is no more
            self._take_choices()
        self._target.close(event.value)

    def _on_image_data(self) -> None:
        """Begin anew with what is in the image layer now; without an image, if that won't do."""
        self._names.forget(self._source.layer)
        try:
            self._open(self._source.layer)
        except (ValueError, TypeError) as error:
            self.image = None
            self._say(str(error))
            return
        self._look_at_labels_again()

    def _on_labels_data(self, layer: Labels) -> None:
        """Forget what was done to other data of a layer."""
        self._forget_labels(layer)
        self._names.forget(layer)
        if layer is self.labels:
            self._say_draft()
            self._look_at_labels_again()

    def _look_at_labels_again(self) -> None:
        """Take no labels, if these do not fit the image any more."""
        labels = self.labels
        self._set_labels(None)
        with self.telling():
            self._check_labels(labels)
            self._set_labels(labels)

    def _on_painted(self, done: Change | None, layer: Labels) -> None:
        self.leave()
        if done is not None:
            self._note_painted(done, layer)
            self._tell_change(done, layer)
        elif layer is self.labels:  # others may have written any objects into them
            self.objects_changed.emit(None)
            self._on_choice()

    def _on_taken_back(self, edits: list[Edit], layer: Labels) -> None:
        """Move in the history too, if napari has taken back, or done again, a step of it.

        The pixels are as they are to be by then, so this is about records, ids and prompts.
        """
        if self.is_held_up or len(edits) != 1:
            return
        n = self._history.n_steps_to(edits[0], layer)
        if n:
            self._transcript.unpaint()
        move = self._move_on if n > 0 else self._move_back
        for _ in range(abs(n)):
            move(wait=False)

    def _on_axis_names(self) -> None:
        """Look at the image in another way, if its axes are known to be others."""
        if (layer := self._source.layer) is None:
            return
        sliders = find_sliders(self.viewer, layer)
        if sliders != self._found_sliders:
            self._found_sliders = self.sliders = sliders

    def _look_along(self, sliders: str) -> None:
        self._source.use_sliders(sliders)
        self._forget_image()
        self._on_choice(asks_anew=True)

    def _on_image_move(self) -> None:
        """Draw everything where the image is now."""
        self.leave()
        self.draft_changed.emit()
