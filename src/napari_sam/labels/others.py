"""Objects that are in labels already, as a new one meets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray
from napari_sam.masks.mask import box_slices


@dataclass(frozen=True, eq=False)
class Others:
    """The objects in labels that a new one must leave alone.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array
        (…, rows, columns) integers; what is not 0 is taken, by an object or in another way.
    own : int
        The label of the object being made, if it is there already; 0 if not.
    are_negatives : bool
        Whether to ask the model again with those that a mask runs into as negative points. If
        not, they are only cut off.
    """

    labels: LabelsArray
    own: int = 0
    are_negatives: bool = True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Others):
            return NotImplemented
        mine, its = (self.own, self.are_negatives), (other.own, other.are_negatives)
        return self.labels is other.labels and mine == its

    def read(self, plane: tuple[int, ...], box: tuple[int, int, int, int]) -> NDArray[Any]:
        """Return the others in a box of a plane: 0 where there is none."""
        block = np.asarray(self.labels[(*plane, *box_slices(box))])
        return np.where(block != self.own, block, 0)

    def at(self, plane: tuple[int, ...], y: float, x: float) -> int:
        """Return which other lies at a point, 0 if none does, as beside the labels."""
        row, column = int(np.floor(y + 0.5)), int(np.floor(x + 0.5))
        height, width = self.labels.shape[-2:]
        if not (0 <= row < height and 0 <= column < width):
            return 0
        return int(self.read(plane, (row, column, row + 1, column + 1))[0, 0])
