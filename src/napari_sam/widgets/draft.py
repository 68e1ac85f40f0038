"""The object that is being made."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from napari_sam.prompts import Prompts

if TYPE_CHECKING:
    from napari_sam.masks import Candidates, Mask

NO_IMAGE = "Open an image to begin, or a sample: File ▸ Open Sample."
READY = "Click an object. Shift+click what does not belong to it."


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
    """

    plane: tuple[int, ...] = ()
    prompts: Prompts = field(default_factory=Prompts)
    candidates: Candidates | None = None
    rank: int = 0

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

    def emptied(self) -> Draft:
        """Return a draft without prompts."""
        return Draft(self.plane)

    def with_point(self, y: float, x: float, positive: bool, shape_yx: tuple[int, int]) -> Draft:
        """Return the draft with one more point; the mask so far goes along as a prompt.

        Raises
        ------
        ValueError
            If the point is outside the image, or the first of all is negative.
        """
        height, width = shape_yx
        if not (-0.5 <= y < height - 0.5 and -0.5 <= x < width - 0.5):
            raise ValueError(f"({y:.1f}, {x:.1f}) lies outside the image of {height} × {width} px.")
        if self.is_empty and not positive:
            raise ValueError("Begin with a click on the object; Shift+click then takes parts away.")
        prompts = self.prompts if self.mask is None else self.prompts.with_mask(self.mask.logits)
        return Draft(self.plane, prompts.with_point(y, x, positive))

    def with_box(self, box: tuple[float, float, float, float], shape_yx: tuple[int, int]) -> Draft:
        """Return the draft with a box (y0, x0, y1, x1), cut at the border of the image."""
        bottom, right = (side - 1 for side in shape_yx)
        inside = np.clip(box, 0, [bottom, right, bottom, right])
        return Draft(self.plane, self.prompts.with_box(inside).with_mask(None))

    def without_point(self, index: int) -> Draft:
        """Return the draft without one point; empty, if nothing tells any more what is meant."""
        return self._reduced_to(self.prompts.without_point(index))

    def without_box(self) -> Draft:
        """Return the draft without its box; empty, if nothing tells any more what is meant."""
        return self._reduced_to(self.prompts.with_box(None))

    def _reduced_to(self, prompts: Prompts) -> Draft:
        if not len(prompts.positives) and prompts.box is None:
            return self.emptied()
        return Draft(self.plane, prompts.with_mask(None))

    def answered(self, candidates: Candidates) -> Draft:
        """Return this draft with its candidates, of which the best is chosen."""
        return replace(self, candidates=candidates, rank=candidates.best_index if candidates else 0)

    def unanswered(self) -> Draft:
        """Return this draft without candidates, to ask again."""
        return replace(self, candidates=None, rank=0)

    def chosen(self, rank: int) -> Draft:
        """Return this draft with another candidate chosen, the nearest there is to `rank`."""
        last = len(self.candidates or ()) - 1
        return replace(self, rank=max(0, min(rank, last)))

    def describe(self, label: int | None) -> str:
        """Return a sentence on where the object stands; `label` is the id it would get."""
        if self.is_empty:
            return READY
        if self.candidates is None:
            return "Segmenting …"
        if self.mask is None:
            return self.candidates.note or "The model finds nothing here. Add a click, or a box."
        keeps = "Enter keeps it" if label is None else f"Enter keeps it as object {label}"
        text = f"{self.mask.area:,} px. {keeps}."
        return f"{text} {self.candidates.note}".strip()
