"""The object that is being made."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sam.masks import Candidates
from napari_sam.prompts import MaskPrompt, Prompts
from napari_sam.prompts.strokes import fill_outline
from napari_sam.widgets.key_choices import short
from napari_sam.widgets.keys import DROP, KEEP
from napari_sam.widgets.recipe import NOTHING, Call, Recipe

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_sam.labels.write import Overlap
    from napari_sam.masks import Mask

NO_IMAGE = "Open an image to begin, or a sample: File ▸ Open Sample."
SEGMENTING = "Segmenting …"
READY = "Click an object. Shift+click what does not belong to it."


class Opened:
    """A kept object that has been opened again, in little memory: steps of the history hold it.

    Parameters
    ----------
    label : int
        Its id.
    mask : Mask
        Its pixels.
    layer : Labels
        The layer it is in.
    """

    def __init__(self, label: int, mask: Mask, layer: Labels) -> None:
        self.label, self.layer = label, layer
        self._frame = replace(mask, array=np.zeros((0, 0), bool), box=(0, 0, 0, 0), logits=None)
        self._box, self._bits = mask.box, np.packbits(mask.array)

    @property
    def mask(self) -> Mask:
        """Its pixels as they were."""
        y0, x0, y1, x1 = self._box
        shape = (y1 - y0, x1 - x0)
        pixels = np.unpackbits(self._bits, count=shape[0] * shape[1]).astype(bool)
        return replace(self._frame, box=self._box, array=pixels.reshape(shape))


@dataclass(frozen=True, eq=False)
class Draft:
    """Prompts on one plane, and what the model made of them. Immutable.

    Parameters
    ----------
    plane : tuple of int
        Plane of the image that the prompts stand on.
    prompts : Prompts
        So far.
    candidates : Candidates, optional
        None while they are being computed.
    rank : int
        Which candidate is chosen; 0 is the smallest.
    old : Opened, optional
        The kept object that has been opened again. None: this is a new one.
    is_as_it_was : bool
        Whether that has not been changed yet.
    outline : (N, 2) array, optional
        What has been drawn around the object, from which box and mask prompt were made.
    recipe : Recipe
        The commands that made it.
    is_thinned : bool
        Whether candidates and mask prompt have been let go.
    """

    plane: tuple[int, ...] = ()
    prompts: Prompts = field(default_factory=Prompts)
    candidates: Candidates | None = None
    rank: int = 0
    old: Opened | None = None
    is_as_it_was: bool = False
    outline: NDArray[np.float64] | None = None
    recipe: Recipe = NOTHING
    is_thinned: bool = False

    @classmethod
    def reopened(
        cls,
        old: Opened,
        plane: tuple[int, ...],
        prompts: Prompts,
        outline: NDArray[np.float64] | None = None,
        recipe: Recipe = NOTHING,
    ) -> Draft:
        """Return the draft of a kept object: its mask as it is, and the prompts to change it by."""
        mask = old.mask
        logits = MaskPrompt.from_mask(mask.array, *mask.box[:2])
        candidates = Candidates((replace(mask, logits=logits),))
        return cls(
            plane,
            prompts,
            candidates,
            old=old,
            is_as_it_was=True,
            outline=outline,
            recipe=recipe,
        )

    @property
    def label(self) -> int | None:
        """Label of the kept object that has been opened again; None: this is a new one."""
        return None if self.old is None else self.old.label

    @property
    def mask(self) -> Mask | None:
        """The chosen candidate, if there is one."""
        return self.candidates[self.rank] if self.candidates else None

    @property
    def is_empty(self) -> bool:
        """Whether there are no prompts."""
        return self.prompts.is_empty

    @property
    def is_waiting(self) -> bool:
        """Whether there are prompts without an answer."""
        return not self.is_empty and self.candidates is None

    @property
    def is_void(self) -> bool:
        """Whether the prompts of a new object have been answered: there is none to be made."""
        is_new = self.old is None and not self.is_empty
        return is_new and not self.is_waiting and self.mask is None

    def is_on_kept(self, label_at: Callable[[tuple[int, ...], float, float], int]) -> bool:
        """Whether there is none to be made, for all points lie on objects that are kept."""
        on_kept = (label_at(self.plane, y, x) for y, x in self.prompts.positives)
        return self.is_void and len(self.prompts.positives) > 0 and all(on_kept)

    def written_into(self, layer: Labels | None) -> Draft:
        """Return the draft as it goes into a layer: new there, if it was opened in another."""
        is_there = self.old is None or self.old.layer is layer
        return self if is_there else replace(self, old=None, is_as_it_was=False)

    def emptied(self) -> Draft:
        """Return a draft without prompts."""
        return Draft(self.plane)

    def with_points(self, points: ArrayLike, positive: bool, shape_yx: tuple[int, int]) -> Draft:
        """Return the draft with more points (N, 2); the mask so far goes along as a prompt.

        Raises
        ------
        ValueError
            If a point is outside the image, or the first of all are negative.
        """
        height, width = shape_yx
        for y, x in np.asarray(points, float).reshape(-1, 2):
            if not (-0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5):
                raise ValueError(
                    f"({y:.1f}, {x:.1f}) lies outside the image of {height} × {width} px."
                )
        if self.is_empty and not positive:
            raise ValueError("Begin with a click on the object; Shift+click then takes parts away.")
        prompts = self.prompts if self.mask is None else self.prompts.with_mask(self.mask.logits)
        return self._asking(prompts.with_points(points, positive))

    def with_box(self, box: tuple[float, float, float, float], shape_yx: tuple[int, int]) -> Draft:
        """Return the draft with a box (y0, x0, y1, x1), cut at the border of the image."""
        bottom, right = (side - 1 for side in shape_yx)
        inside = np.clip(box, 0, [bottom, right, bottom, right])
        asking = self._asking(self.prompts.with_box(inside).with_mask(None))
        return replace(asking, outline=None)

    def with_outline(self, path: ArrayLike, shape_yx: tuple[int, int]) -> Draft:
        """Return the draft with the inside of a closed outline (N, 2), cut at the border, as mask.

        Raises
        ------
        ValueError
            If the outline encloses nothing of the image.
        """
        inside = np.clip(path, 0, np.array(shape_yx) - 1)
        mask, box = fill_outline(inside)
        return replace(self._asking(self.prompts.with_box(box).with_mask(mask)), outline=inside)

    def without_point(self, index: int) -> Draft:
        """Return the draft without one point; empty, if nothing tells any more what is meant."""
        return self._reduced_to(self.prompts.without_point(index))

    def without_box(self) -> Draft:
        """Return the draft without its box; empty, if nothing tells any more what is meant."""
        return self._reduced_to(self.prompts.with_box(None))

    def _reduced_to(self, prompts: Prompts) -> Draft:
        if not len(prompts.positives) and prompts.box is None:
            return self.emptied()
        return replace(self._asking(prompts.with_mask(None)), outline=None)

    def _asking(self, prompts: Prompts) -> Draft:
        """Return the draft with other prompts, which are not answered yet."""
        return replace(self, prompts=prompts, candidates=None, rank=0, is_as_it_was=False)

    def answered(self, candidates: Candidates, rank: int | None = None) -> Draft:
        """Return this draft with its candidates, of which `rank`, or else the best, is chosen."""
        chosen = candidates.index_of(rank) if candidates else 0
        recipe = self.recipe.answered(candidates.left_out)
        return replace(self, candidates=candidates, rank=chosen, recipe=recipe)

    def asked_anew(self, call: Call) -> Draft:
        """Return this draft without candidates, as it is asked about again by a command.

        Answers that are under way are to what was asked before.
        """
        is_thin = self.is_thinned and not self.is_as_it_was
        alone = is_thin or bool(call.options.get("alone"))
        call = call.amended(alone=alone or None)
        prompts = self.prompts.with_mask(None) if alone else copy(self.prompts)
        recipe = self.recipe.asked_anew(call)
        again = replace(self, prompts=prompts, candidates=None, rank=0, recipe=recipe)
        return replace(again, is_as_it_was=False, is_thinned=False)

    def thinned(self) -> Draft:
        """Return this draft as little more than its prompts, or than a kept object as it was."""
        prompts = self.prompts.with_mask(None)
        return replace(self, prompts=prompts, candidates=None, rank=0, is_thinned=True)

    def restored(self) -> Draft:
        """Return this draft with what nobody needs to be asked: a kept object as it was."""
        if self.old is None or not self.is_as_it_was or self.candidates is not None:
            return self
        return Draft.reopened(self.old, self.plane, self.prompts, self.outline, self.recipe)

    def chosen(self, rank: int) -> Draft:
        """Return this draft with another candidate chosen, the nearest there is to `rank`."""
        last = len(self.candidates or ()) - 1
        return replace(self, rank=max(0, min(rank, last)))

    def describe(self, label: int | None, rule: Overlap = "keep") -> str:
        """Return sentences on where the object stands; `label` is the id it would get."""
        if self.is_empty:
            return READY
        if self.candidates is None:
            return SEGMENTING
        note = _sentence(self.candidates.note)
        if self.mask is None:
            return note or "The model finds nothing here. Add a click, or a box."
        if self.label is not None:
            keeps = f"{KEEP.key} replaces object {self.label}, {short(DROP.key)} leaves it"
        elif rule == "erase":
            keeps = f"{KEEP.key} erases what is here"
        else:
            keeps = f"{KEEP.key} keeps it" + (f" as object {label}" if label is not None else "")
        where = f" on plane {', '.join(map(str, self.plane))}" if self.plane else ""
        text = f"{self.mask.area:,} px{where}. {keeps}."
        return f"{text} {note}".strip()


def _sentence(note: str) -> str:
    """Return a note with a capital letter and a full stop."""
    return note[:1].upper() + note[1:] + "." * (note[-1:] not in ("", "."))
