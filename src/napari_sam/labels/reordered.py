"""Labels whose axes in front of rows and columns are wanted in another order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.array import LabelsArray


class Reordered:
    """A view of labels with their first axes in another order; nothing is copied.

    Parameters
    ----------
    labels : numpy.ndarray or zarr.Array
        (…, rows, columns) integers.
    order : sequence of int
        Which of the axes in front of rows and columns is the first of the view, the second, …
    """

    def __init__(self, labels: LabelsArray, order: tuple[int, ...]) -> None:
        self._labels = labels
        self._order = (*order, len(order), len(order) + 1)
        self.shape = tuple(labels.shape[axis] for axis in self._order)
        self.dtype = np.dtype(labels.dtype)
        self.ndim = len(self.shape)

    def __getitem__(self, region: Any) -> NDArray[Any]:
        parts = region if isinstance(region, tuple) else (region,)
        whole = (*parts, *[slice(None)] * (self.ndim - len(parts)))
        by_axis = dict(zip(self._order, whole, strict=True))
        block = np.asarray(self._labels[tuple(by_axis[axis] for axis in range(self.ndim))])
        left = [axis for axis in self._order if isinstance(by_axis[axis], slice)]
        return block.transpose([sorted(left).index(axis) for axis in left])
