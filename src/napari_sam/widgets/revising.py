"""Kept objects: opened again, deleted, accepted, shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_sam.labels.change import Change
from napari_sam.masks import Mask
from napari_sam.masks.inmost import inmost_point
from napari_sam.prompts import Prompts
from napari_sam.widgets.draft import Draft, Opened
from napari_sam.widgets.drafting import Plane
from napari_sam.widgets.filing import Filing
from napari_sam.widgets.in_order import in_order
from napari_sam.widgets.keys import UNDO
from napari_sam.widgets.looking import show_box
from napari_sam.widgets.recipe import Call, Recipe
from napari_sam.widgets.target import Near
from napari_sam.widgets.transcript import LABELS
from napari_sam.widgets.written import AnyWritten, Written

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_sam.labels.objects import ObjectTable


Places: TypeAlias = Mapping[tuple[int, ...], Near]
"""Planes that an object is on, and where it is on each."""


class Revising(Filing):
    """The part of a session that goes back to kept objects; `SegmentSession` keeps new ones."""

    @property
    def objects(self) -> ObjectTable:
        """What is known of the objects in the labels: prompts, model, scores, reviewed."""
        return self._target.objects

    def object_at(self, y: float, x: float, *, plane: Plane = None) -> int:
        """Return the id of the kept object at a point of the image; 0 if there is none."""
        return self._target.label_at(self._plane(plane), y, x)

    @in_order
    def reopen(
        self,
        label: int,
        *,
        near: Near = None,
        plane: Plane = None,
        wait: bool = True,
    ) -> None:
        """Open a kept object again, with its prompts; `commit` then replaces exactly that object.

        Parameters
        ----------
        label : int
            Its id.
        near : (y, x) or (y0, x0, y1, x1), optional
            A pixel of it, or its box; needed if there is no record of it, as in labels made
            elsewhere. Such an object gets a positive point.
        plane : tuple of int, optional
            Default: the plane shown.
        wait : bool
            For symmetry with other commands; the model is not asked.

        Raises
        ------
        ValueError
            If there is no such object.
        """
        plane = self._plane(plane)
        again = partial(self.reopen, label, near=near, plane=plane, wait=wait)
        if not self._target.is_read and self._is_put_off(again, wait):
            return
        mask = self._target.find(label, plane, near)
        record = self.objects.get(label, plane)
        prompts = Prompts() if record is None else record.prompts
        if prompts.is_empty:
            prompts = Prompts([np.add(mask.box[:2], inmost_point(mask.array))])
        if record is not None:
            mask = Mask(mask.box, mask.array, record.predicted_iou, record.stability_score)
        old = Opened(label, mask, self._target.layer)
        outline = np.array(record.outline) if record is not None and record.outline else None
        recipe = Recipe((self._call("reopen", label, near=near, plane=plane or None),))
        draft = Draft.reopened(old, plane, prompts, outline, recipe)
        self._change(draft)
        self._resume(draft, wait)

    @in_order
    def delete(self, label: int, *, near: Near | Places = None, plane: Plane = None) -> None:
        """Make a kept object background on one plane; parameters as for `reopen`.

        On several planes, as one step, if `near` is a mapping from planes.
        """
        places = self._places(near, plane)
        if not places:
            raise ValueError(f"There is nothing left of object {label}.")
        if self._is_put_off(partial(self.delete, label, near=places), wait=False):
            return
        written = self._target.delete(label, places)
        is_open = self._draft.label == label and self._draft.plane in places
        after = self._draft.emptied() if is_open else self._draft
        where = _where(near, places)
        self._finish(written, after, self._call("delete", label, about=LABELS, **where))

    @in_order
    def review(
        self,
        label: int,
        *,
        near: Near | Places = None,
        plane: Plane = None,
        is_reviewed: bool = True,
    ) -> None:
        """Note that somebody has looked at a kept object and accepts it, or not; can be undone.

        As one step for several planes, if `near` is a mapping from planes.
        """
        places = self._places(near, plane)
        again = partial(self.review, label, near=places, is_reviewed=is_reviewed)
        if self._is_put_off(again, wait=False):
            return
        written = self._target.review(label, places, is_reviewed)
        where = _where(near, places)
        call = self._call("review", label, about=LABELS, **where, is_reviewed=is_reviewed)
        self._finish(written, self._draft, call)

    def kept_mask(self, label: int, *, near: Near = None, plane: Plane = None) -> Mask:
        """Return the pixels of a kept object on one plane; parameters as for `reopen`."""
        return self._target.find(label, self._plane(plane), near)

    def go_to(self, label: int, *, near: Near = None, plane: Plane = None) -> None:
        """Show the plane of a kept object, and the object in the middle of the window."""
        plane = self._plane(plane)
        record, layer = self.objects.get(label, plane), self._source.layer
        box = record.box if record else self._target.find(label, plane, near).box
        if layer is not None:
            show_box(self.viewer, layer, plane, box)

    # Inside

    def _places(self, near: Near | Places, plane: Plane) -> Places:
        return near if isinstance(near, Mapping) else {self._plane(plane): near}

    def _finish(self, written: Written, after: Draft, *calls: Call) -> None:
        """Note what was written as a step, and tell everybody."""
        self.leave()
        self._change(after, (written,), calls)
        if after is not self._draft:
            self._set_draft(after)
        self._tell_change(written.change, written.layer)
        self._say(f"{written.says} {UNDO.key} takes it back.")

    def _say_again(self, written: Sequence[AnyWritten], how: str) -> None:
        """Say what was taken back, or done again, if nothing else is to be said: of an object."""
        if written and self._draft.is_empty:
            told = written[0].says
            self._say(f"{how}: {told[0].lower()}{told[1:]}")

    def _tell_change(self, change: Change, layer: Labels) -> None:
        self.layers_changed.emit()
        if layer is self._target.layer:
            self.objects_changed.emit(change)
            is_asked = self._draft.is_waiting and self._draft.recipe.is_asked
            if change.edits and is_asked and not self.is_deserted:
                self._resume(self._draft, wait=False)  # what is there now is to count


def _where(near: Near | Places, places: Places) -> dict[str, object]:
    """Return the arguments that say where an object is, whatever plane is shown."""
    if isinstance(near, Mapping):
        return {"near": near}
    [plane] = places
    return {"near": near, "plane": plane or None}
