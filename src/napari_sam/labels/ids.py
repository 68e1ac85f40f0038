"""Numbers for new objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray, check_labels
from napari_sam.labels.chunks import chunk_region, stored_chunks


class LabelIds:
    """Counts labels up, so that a new object never gets the number of another.

    The labels are looked through once, when the first number is asked for: of a zarr array only the
    chunks that are stored, one after the other, so memory stays at one chunk and an empty array
    costs nothing however large it is. The time grows with what is stored; a caller that knows the
    highest label passes it.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array
        The array that the numbers are for.
    highest : int, optional
        The highest label in it, if known.
    """

    def __init__(self, labels: LabelsArray, *, highest: int | None = None) -> None:
        check_labels(labels)
        self._labels = labels
        self._highest = highest

    @property
    def highest(self) -> int:
        """The highest label seen so far; 0 if there is no object."""
        if self._highest is None:
            self._highest = max(
                (int(block.max()) for block in iter_blocks(self._labels)), default=0
            )
        return max(self._highest, 0)

    @property
    def next(self) -> int:
        """The number for a new object. The same until `use` is told that it is taken.

        Raises
        ------
        ValueError
            If the dtype of the labels has no higher number.
        """
        largest = int(np.iinfo(self._labels.dtype).max)
        if self.highest >= largest:
            raise ValueError(
                f"The labels are {self._labels.dtype} and hold {self.highest}, the highest number "
                "of that type; convert them to a wider one, such as uint32."
            )
        return self.highest + 1

    def use(self, label: int) -> None:
        """Remember that an object has this number."""
        self._highest = max(self.highest, label)


def next_label(labels: LabelsArray) -> int:
    """Return one more than the highest label; see `LabelIds` for what that costs."""
    return LabelIds(labels).next


def iter_blocks(labels: LabelsArray) -> Iterator[NDArray[Any]]:
    """Yield all blocks that may hold an object, each bounded in size."""
    if isinstance(labels, zarr.Array):
        yield np.asarray(labels.fill_value or 0)  # of all chunks that are not stored
        for index in sorted(stored_chunks(labels)):
            yield np.asarray(labels[chunk_region(labels, index)])
    elif np.prod(labels.shape) > 0:
        for plane in np.ndindex(*labels.shape[:-2]):
            yield np.asarray(labels[plane])
