"""Kept objects, followed through the planes of a stack."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from napari_sam.labels.others import Others
from napari_sam.masks import Mask
from napari_sam.masks.mask import box_slices
from napari_sam.widgets.drafting import Plane
from napari_sam.widgets.in_order import in_order
from napari_sam.widgets.predictor import Predictor
from napari_sam.widgets.recipe import Call
from napari_sam.widgets.scripting import Scripting
from napari_sam.widgets.target import Near

if TYPE_CHECKING:
    from napari.layers import Labels

Found: TypeAlias = list[tuple[tuple[int, ...], Mask]]
"""Planes, and the object there."""

SINGLE_PLANE = "The image is a single plane: there is no other to follow an object to."
ENDS_HERE = "Object {} ends here: the planes beside show nothing like it."
STOPPED = "Stopped before object {} was found on another plane."


class Following(Scripting):
    """The part of a session that follows objects; `SegmentSession` makes them."""

    @property
    def has_planes(self) -> bool:
        """Whether the image has more planes than one."""
        predictor = self._source.predictor
        return predictor is not None and math.prod(predictor.image.plane_shape) > 1

    @in_order
    def propagate(
        self,
        label: int | None = None,
        *,
        near: Near = None,
        plane: Plane = None,
        at_most: int | None = None,
        wait: bool = True,
    ) -> None:
        """Follow an object through the planes above and below, as one step.

        It ends in front of planes that it is on already, and other objects stay whole. Other
        commands wait meanwhile; what has been found when somebody stops it is kept. See
        `napari_sam.segment.propagate`.

        Parameters
        ----------
        label : int, optional
            Id of a kept object. Default: the object being made, which is kept first.
        near : (y, x) or (y0, x0, y1, x1), optional
            A pixel of it, or its box; needed if there is no record of it.
        plane : tuple of int, optional
            Where it is known. Default: the plane shown.
        at_most : int, optional
            Planes that it is followed to, those above before those below. Default: all.
        wait : bool
            Whether to return only when it is written.

        Raises
        ------
        ValueError
            If there is no such object, or the image is a single plane.
        """
        if self.image is not None and not self.has_planes:
            raise ValueError(SINGLE_PLANE)
        if label is None:
            self._keep_and_follow(at_most, wait)
            return
        plane = self._plane(plane)
        again = partial(self.propagate, label, near=near, plane=plane, at_most=at_most, wait=wait)
        if self._is_put_off(again, wait):
            return
        kept, mask = self._kept, self._target.find(label, plane, near)
        others = Others(kept.shown.array, label, self._in_force.neighbors)
        is_on = {record.plane for record in self.objects if record.label == label}
        search = Search(self._predictor, mask, plane, others, is_on, at_most)
        call = self._call("propagate", label, near=mask.box, plane=plane, at_most=at_most)
        take = partial(self._take_followed, label, kept.layer)
        self._rearrange(
            search.iter_answer,
            partial(take, call),
            wait,
            partial(self._take_so_far, search, take, call),
            keeps_part=True,
        )

    def _keep_and_follow(self, at_most: int | None, wait: bool) -> None:
        again = partial(self.propagate, at_most=at_most, wait=wait)
        if self._draft.is_waiting and not (wait or self.is_deserted):
            self._once_answered = again
            return
        if self._is_put_off(again, wait):
            return
        plane = self._draft.plane
        label = self.commit()
        if label is not None:
            self.propagate(label, plane=plane, at_most=at_most, wait=wait)

    def _take_followed(self, label: int, layer: Labels, call: Call, found: Found) -> None:
        if layer is not self._target.layer:
            self._say(f"Object {label} was not followed: its labels have been left meanwhile.")
            return
        by_plane = sorted(found, key=lambda each: each[0])
        written = self._target.write_through(layer, label, by_plane, self.model)
        if written.n_changed:
            self._finish(written, self._draft, call)
        else:
            self._say(ENDS_HERE.format(label))

    def _take_so_far(self, search: Search, take: Callable[[Call, Found], None], call: Call) -> None:
        """Keep what has been found until now, as nobody looks for the rest."""
        found = list(search.found)  # its thread may find one more
        if not found:
            self._say(STOPPED.format(search.others.own))
            return
        with self.telling():
            take(call.amended(at_most=len(found)), found)

    @abstractmethod
    def commit(self, *, label: int | None = None, wait: bool = True) -> int | None:
        """Write the object into the labels, begin a new one, and return the id written."""


@dataclass(frozen=True, eq=False)
class Search:
    """The work of finding an object on other planes.

    Parameters
    ----------
    predictor : Predictor
        That is asked.
    mask, plane : Mask, tuple of int
        The object, and where it is known.
    others : Others
        What stays whole; with its own id.
    is_on : collection of tuple of int
        Planes that it is recorded on.
    at_most : int or None
        So many planes are looked for.

    Attributes
    ----------
    found : list
        What has been found so far.
    """

    predictor: Predictor
    mask: Mask
    plane: tuple[int, ...]
    others: Others
    is_on: Collection[tuple[int, ...]]
    at_most: int | None = None
    found: Found = field(default_factory=list)

    def iter_answer(self) -> Iterator[str | Found]:
        """Yield how far it is, a sentence at a time, and at last what was found; in any thread."""
        yield from self.predictor.iter_answer()
        from napari_sam.segment import propagate

        embeddings = self.predictor.embeddings
        if embeddings is not None:
            masks = propagate(
                embeddings, self.mask, self.plane, others=self.others, ends_at=self._is_there
            )
            for each in islice(masks, self.at_most):
                self.found.append(each)
                yield f"Following object {self.others.own} · {len(self.found):,} more planes …"
        yield self.found

    def _is_there(self, plane: tuple[int, ...]) -> bool:
        """Whether the object is on a plane already, recorded or not, where it is beside that."""
        if plane in self.is_on:
            return True
        at, beside = self.found[-1] if self.found else (self.plane, self.mask)
        if np.abs(np.subtract(at, plane)).sum() > 1:  # the other way from where it began
            beside = self.mask
        there = np.asarray(self.others.labels[(*plane, *box_slices(beside.box))])
        return bool((there == self.others.own).any())
