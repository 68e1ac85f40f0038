"""Kept objects, followed through the planes of a stack."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from napari_sam.labels.others import Others
from napari_sam.masks import Mask
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
        wait: bool = True,
    ) -> None:
        """Follow an object through the planes above and below, as one step.

        It ends in front of planes that it is on already, and other objects stay whole. Other
        commands wait meanwhile. See `napari_sam.segment.propagate`.

        Parameters
        ----------
        label : int, optional
            Id of a kept object. Default: the object being made, which is kept first.
        near : (y, x) or (y0, x0, y1, x1), optional
            A pixel of it, or its box; needed if there is no record of it.
        plane : tuple of int, optional
            Where it is known. Default: the plane shown.
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
            self._keep_and_follow(wait)
            return
        plane = self._plane(plane)
        again = partial(self.propagate, label, near=near, plane=plane, wait=wait)
        if self._is_put_off(again, wait):
            return
        kept, mask = self._kept, self._target.find(label, plane, near)
        others = Others(kept.shown.array, label, self._in_force.neighbors)
        is_on = {record.plane for record in self.objects if record.label == label}
        call = self._call("propagate", label, near=mask.box, plane=plane)
        self._rearrange(
            partial(_iter_followed, self._predictor, mask, plane, others, label, is_on),
            partial(self._take_followed, label, kept.layer, call),
            wait,
        )

    def _keep_and_follow(self, wait: bool) -> None:
        again = partial(self.propagate, wait=wait)
        if self._draft.is_waiting and not (wait or self.is_deserted):
            self._once_answered = again
            return
        if self._is_put_off(again, wait):
            return
        plane = self._draft.plane
        label = self.commit()
        if label is not None:
            self.propagate(label, plane=plane, wait=wait)

    def _take_followed(self, label: int, layer: Labels, call: Call, found: Found) -> None:
        if layer is not self._target.layer:
            self._say(f"Object {label} was not followed: its labels have been left meanwhile.")
            return
        written = self._target.write_through(layer, label, found, self.model)
        if written.n_changed:
            self._finish(written, self._draft, call)
        else:
            self._say(ENDS_HERE.format(label))

    @abstractmethod
    def commit(self, *, label: int | None = None, wait: bool = True) -> int | None:
        """Write the object into the labels, begin a new one, and return the id written."""


def _iter_followed(
    predictor: Predictor,
    mask: Mask,
    plane: tuple[int, ...],
    others: Others,
    label: int,
    is_on: Collection[tuple[int, ...]],
) -> Iterator[str | Found]:
    """Yield how far it is, a sentence at a time, and at last what was found; in any thread."""
    yield from predictor.iter_answer()
    from napari_sam.segment import propagate

    found: Found = []
    embeddings = predictor.embeddings
    if embeddings is not None:
        for there, part in propagate(
            embeddings, mask, plane, others=others, ends_at=is_on.__contains__
        ):
            found.append((there, part))
            yield f"Following object {label} · {len(found):,} more planes …"
    yield sorted(found, key=lambda each: each[0])
