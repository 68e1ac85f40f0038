"""Orders of the list of objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from napari_sam.labels.object_list import ObjectList

SORT_KEYS: dict[str, Callable[[ObjectList], NDArray[Any]]] = {
    "label": lambda objects: objects.rows["label"],
    "planes": lambda objects: _ranks(objects.rows["first"]),
    "area": lambda objects: objects.rows["area"],
    "score": lambda objects: objects.rows["predicted_iou"],
    "reviewed": lambda objects: objects.rows["is_reviewed"].astype(np.int8),
    "suspicion": lambda objects: objects.suspicion,
}
"""What objects can be sorted by."""


def sort_objects(
    objects: ObjectList, key: str, *, descending: bool, hides_reviewed: bool = False
) -> NDArray[np.intp]:
    """Return the rows of objects in an order; equal ones by label, unknown scores last.

    Parameters
    ----------
    objects : ObjectList
        What to sort.
    key : str
        One of `SORT_KEYS`.
    descending : bool
        Whether the highest comes first.
    hides_reviewed : bool
        Whether those that have been accepted are left out.
    """
    values = SORT_KEYS[key](objects)
    order: NDArray[np.intp] = np.argsort(-values if descending else values, kind="stable")
    return order[~objects.rows["is_reviewed"][order]] if hides_reviewed else order


def _ranks(planes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the position of each plane, (N, n_leading), among all, by the first axis first."""
    _, ranks = np.unique(planes, axis=0, return_inverse=True)
    return ranks.reshape(-1)
