"""One change of a labels array, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray


@dataclass(frozen=True, eq=False)
class Edit:
    """What one write changed, small enough to keep: nothing outside its region.

    Parameters
    ----------
    region : tuple of int and slice
        Where, as an index into the labels: the plane, rows and columns.
    changed : (h, w) bool array
        Which pixels of the region got another value.
    before : (h, w) array of the labels' dtype
        What the region held.
    after : int or (h, w) array
        What the changed pixels hold now.
    """

    region: tuple[int | slice, ...]
    changed: NDArray[np.bool_] = field(repr=False)
    before: NDArray[Any] = field(repr=False)
    after: int | NDArray[Any]

    @property
    def n_changed(self) -> int:
        """Number of pixels that got another value."""
        return int(np.count_nonzero(self.changed))

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
