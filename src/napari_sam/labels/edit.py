"""One change of a labels array, planned or done, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sam.labels.array import LabelsArray


@dataclass(frozen=True, eq=False)
class Edit:
    """What one write changes, small enough to keep: nothing outside its region.

    Parameters
    ----------
    region : tuple of int and slice
        Where, as an index into the labels: the plane, rows and columns.
    changed : (h, w) bool array
        Which pixels of the region got another value.
    before : (h, w) array of the labels' dtype
        What the region held.
    after : int or (h, w) array
        What the changed pixels hold now; in an array the others are as before.
    """

    region: tuple[int | slice, ...]
    changed: NDArray[np.bool_] = field(repr=False)
    before: NDArray[Any] = field(repr=False)
    after: int | NDArray[Any]

    @property
    def n_changed(self) -> int:
        """Number of pixels that got another value."""
        return int(np.count_nonzero(self.changed))

    def filled(self) -> NDArray[Any]:
        """Return what the region holds now."""
        if isinstance(self.after, np.ndarray):
            return self.after.astype(self.before.dtype, copy=False)
        return np.where(self.changed, self.before.dtype.type(self.after), self.before)

    def inverse(self) -> Edit:
        """Return the way back, as an edit of its own."""
        return Edit(self.region, self.changed, self.filled(), self.before)

    def puts_the_same(self, other: Edit) -> bool:
        """Whether another edit puts the same values into the same pixels."""
        mine, its = self._put(), other._put()
        return all(np.array_equal(one, two) for one, two in zip(mine, its, strict=True))

    def _put(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the indices of the changed pixels, (N, ndim), and what they hold now."""
        starts = [axis.start or 0 if isinstance(axis, slice) else axis for axis in self.region]
        where = np.argwhere(self.changed)
        planes = np.zeros((len(where), len(starts) - 2), where.dtype)
        after = np.broadcast_to(self.after, self.changed.shape)
        return np.hstack([planes, where]) + starts, after[self.changed]

    def possible(self, labels: LabelsArray) -> Edit:
        """Return what can still be done: the pixels that hold what they held before.

        All of them, unless something else has painted there since the edit was planned.
        """
        if self.changed.size == 0:
            return self
        current = labels[self.region]
        is_same = current == self.before
        if is_same.all():
            return self
        changed, held, after = is_same & self.changed, np.array(current), self.after
        if isinstance(after, np.ndarray):
            after = np.where(changed, after, held)
        return Edit(self.region, changed, held, after)

    def write(self, labels: LabelsArray) -> None:
        """Write a planned edit, without looking again at what is there."""
        if self.n_changed:
            labels[self.region] = self.filled()

    def undo(self, labels: LabelsArray) -> None:
        """Put back what the changed pixels held, exactly.

        Raises
        ------
        ValueError
            If one of them holds something else by now than this edit wrote. Nothing is written.
        """
        self._swap(labels, held=np.full_like(self.before, self.after), put=self.before)

    def redo(self, labels: LabelsArray) -> None:
        """Write again what `undo` took back.

        Raises
        ------
        ValueError
            If one of the pixels holds something else by now than before this edit. Nothing is
            written.
        """
        self._swap(labels, held=self.before, put=np.full_like(self.before, self.after))

    def _swap(self, labels: LabelsArray, *, held: NDArray[Any], put: NDArray[Any]) -> None:
        if self.n_changed == 0:
            return
        current = np.array(labels[self.region])
        n_other = int(np.count_nonzero((current != held) & self.changed))
        if n_other:
            raise ValueError(
                f"{n_other} of the {self.n_changed} pixels were changed by something else since; "
                "undo that first."
            )
        np.copyto(current, put, where=self.changed)
        labels[self.region] = current


def painted_edits(
    where: tuple[NDArray[np.integer], ...], before: ArrayLike, after: ArrayLike
) -> Iterator[Edit]:
    """Yield pixels that have been painted one by one as edits, one for each plane.

    Parameters
    ----------
    where : tuple of (N,) int arrays
        Indices of the pixels along each axis.
    before, after : (N,) arrays, or one value for all
        What they held, and what they hold now.
    """
    *plane, rows, columns = (np.asarray(axis) for axis in where)
    old, new = (np.broadcast_to(values, rows.shape) for values in (before, after))
    planes = np.stack(plane, axis=1) if plane else np.zeros((len(rows), 0), int)
    for leading in np.unique(planes, axis=0):
        here = (planes == leading).all(axis=1)
        y, x = rows[here], columns[here]
        y0, x0 = int(y.min()), int(x.min())
        shape = (int(y.max()) - y0 + 1, int(x.max()) - x0 + 1)
        changed = np.zeros(shape, bool)
        held, put = np.zeros(shape, old.dtype), np.zeros(shape, old.dtype)
        at = (y - y0, x - x0)
        changed[at], held[at], put[at] = True, old[here], new[here]
        region = (*leading.tolist(), slice(y0, y0 + shape[0]), slice(x0, x0 + shape[1]))
        yield Edit(region, changed, held, put)


def joined(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return arrays one after the other; a single one is not copied, as it may be large."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
