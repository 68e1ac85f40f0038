"""What was done in a session, told as a script; and the commands that only scripts need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from napari_sam.labels.change import Change
from napari_sam.labels.edit import Edit
from napari_sam.masks.mask import box_slices
from napari_sam.masks.runs import from_runs
from napari_sam.widgets.draft import NO_IMAGE
from napari_sam.widgets.drafting import Plane
from napari_sam.widgets.in_order import in_order
from napari_sam.widgets.labels_layer import ShownLabels
from napari_sam.widgets.layers import check_layer
from napari_sam.widgets.revising import Revising
from napari_sam.widgets.transcript import LABELS

if TYPE_CHECKING:
    from napari.layers import Labels, Layer

    from napari_sam.masks.knobs import Thresholds
    from napari_sam.masks.mask_table import MaskTable
    from napari_sam.widgets.history import Step
    from napari_sam.widgets.written import AnyWritten


class Scripting(Revising):
    """The part of a session that tells what was done; `SegmentSession` does it."""

    def script(self) -> str:
        """Return Python that does again what has been done in this session by hand.

        It opens the image and gives the same labels, if the model gives the same answers, and
        labels that were opened are as they were then. Objects that were not kept, and steps that
        were undone, are left out.
        """
        end = self._as_python(*LABELS) if self.image is not None else {}
        made = self._draft.recipe.calls
        return self._transcript.write(self._names, self._history.done, made, end)

    @property
    def labels_state(self) -> tuple[object, ...]:
        """What stays the same as long as nobody changes any labels, or chooses others."""
        return (*self._as_python(*LABELS).values(), *self._transcript.state(self._history.done))

    def find(
        self,
        screen: tuple[float, float, float, float],
        *,
        pixel: float = 1.0,
        plane: Plane = None,
        mode: Literal["grid", "seeds", "watershed", "exact"] | None = None,
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
            As in `FindSettings`; the mode "exact" is its grid with ``exact``.
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

    @in_order
    def new_labels(self) -> Labels:
        """Make an empty labels layer, write into it from now on, and return it."""
        self.adopt_image()
        if (layer := self._source.layer) is None:
            raise ValueError(NO_IMAGE)
        self._set_labels(None)
        labels = self._target.ensure_layer(self.viewer, layer, self._predictor.image)
        self._set_labels(labels)
        return labels

    @in_order
    def paint(
        self,
        label: int,
        box: tuple[int, int, int, int],
        runs: str,
        *,
        plane: tuple[int, ...] = (),
        layer: Labels | None = None,
    ) -> None:
        """Paint pixels as the brush of napari does, which takes them back, too.

        Parameters
        ----------
        label : int
            What they hold from now on; 0 erases.
        box : (y0, x0, y1, x1)
            Where, half open.
        runs : str
            Which pixels of the box, as `napari_sam.masks.runs.to_runs` writes them.
        plane : tuple of int
            Of the labels.
        layer : Labels, optional
            Default: those of the session.
        """
        if layer is not None:
            check_layer(self.viewer, layer, "Labels")
        kept = self._kept if layer is None else self._target.of(layer)
        region: tuple[int | slice, ...] = (*plane, *box_slices(box))
        before = np.array(kept.shown[region])
        changed = from_runs(box, runs) & (before != label)
        kept.paint(Edit(region, changed, before, label))

    # Inside

    def _note_painted(self, done: Change, layer: Labels) -> None:
        """Note for the script what has been painted by hand."""
        name = self._names.labels(self._target.of(layer), self._source.layer)
        for edit in done.edits:
            self._transcript.paint(name, edit)

    def _note_removed(self, layer: Layer) -> None:
        """Note for the script that labels have been removed, if it speaks of them."""
        from napari.layers import Labels

        if isinstance(layer, Labels):
            self._transcript.remove(self._names.known(layer))

    def _put_right(self, step: Step, written: AnyWritten) -> None:
        """Note for the script what is there now, if a change had been painted over."""
        kept = self._target.of(written.layer)
        name = self._names.labels(kept, self._source.layer)
        for edit in written.unpacked().change.edits:
            self._transcript.put_right(step.calls[-1].serial, name, edit, kept.shown)

    def _forget_labels(self, layer: Labels) -> None:
        """Forget how to undo what was done to a layer; the script still tells it."""
        before = self._history.done
        self._history.forget(layer)
        self._transcript.close_forgotten(before, self._history.done)
