"""The ids that objects in labels have got, and may get: given, taken back, painted by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from napari_sam.labels import LabelIds
from napari_sam.labels.edit import Edit
from napari_sam.labels.recount import edited_parts
from napari_sam.labels.widen import ids_left
from napari_sam.widgets.chore import Chore


class GivenIds:
    """Gives each object an id that nobody else has, or has painted.

    Parameters
    ----------
    array : numpy.ndarray or zarr.Array
        The labels.
    """

    def __init__(self, array: Any) -> None:
        self._array = array
        self._counted: LabelIds | None = None
        self._counting: object = None
        self._highest_painted = 0
        self._n_painted: Counter[int] = Counter()
        self._n_when_freed: dict[int, int] = {}

    @property
    def is_counted(self) -> bool:
        """Whether the highest id is known."""
        return self._counted is not None

    @property
    def is_being_counted(self) -> bool:
        """Whether somebody is finding it out."""
        return self._counting is not None

    @property
    def highest(self) -> int:
        """The highest id; finding it may take long, if it is not known."""
        return self._known.highest

    @property
    def next(self) -> int:
        """The id of the next object.

        Raises
        ------
        ValueError
            If none is left.
        """
        return self._known.next

    @property
    def n_left(self) -> int:
        """How many more objects can get an id."""
        return ids_left(self._array.dtype, self.highest)

    def first(self, wanted: int | None = None, n: int = 1) -> int:
        """Return the id of the first of `n` new objects; the one that is wanted, if it is free.

        Raises
        ------
        ValueError
            If it is not, or none is left.
        """
        first, largest = self.next, int(np.iinfo(self._array.dtype).max)
        if wanted is not None and not first <= wanted <= largest - n + 1:
            raise ValueError(
                f"A new object can have a number from {first} to {largest - n + 1} here; "
                f"expected one of them, found {wanted}."
            )
        return first if wanted is None else wanted

    def use(self, label: int) -> None:
        """Remember that an object has this id."""
        self._known.use(label)

    def free(self, highest: int, n: int) -> None:
        """Give the `n` highest ids again, unless others have been given or painted since."""
        for label in range(highest - n + 1, highest + 1):
            self._n_when_freed[label] = self._n_painted[label]
        if self.highest == highest:
            self.set_highest(max(highest - n, self._highest_painted))

    def check_free(self, highest: int, n: int, name: str) -> None:
        """Refuse to give `n` ids to the objects they were freed of, if one has been painted since.

        Raises
        ------
        ValueError
            If so, with the name of the labels.
        """
        for label in range(highest - n + 1, highest + 1):
            if self._n_painted[label] > self._n_when_freed.get(label, self._n_painted[label]):
                raise ValueError(
                    f"Object {label} cannot come back: something else has been painted with its "
                    f"number since. Take that back first, with Ctrl+Z in '{name}'."
                )

    def paint(self, edits: Iterable[Edit], *, is_back: bool = False) -> None:
        """Note what has been painted by hand, or, if it `is_back`, taken back or done again."""
        for edit in edits:
            highest = int(np.max(edit.after, initial=0))
            if not is_back:
                self._highest_painted = max(self._highest_painted, highest)
            if self._counted is not None:
                self._counted.use(highest)
            for part in edited_parts([edit]):
                n_more = int(part["area"])
                self._n_painted[int(part["label"])] += n_more if is_back else max(0, n_more)

    def leave_out(self, highest: int) -> None:
        """Give no id up to this one."""
        self._highest_painted = max(self._highest_painted, highest)
        if self._counted is not None:
            self._counted.use(highest)

    # Counting

    def count(self) -> Chore[int] | None:
        """Return the work of finding the highest id; None if that is known, or under way."""
        if self.is_counted or self.is_being_counted:
            return None
        self._counting = counting = object()
        take, end = partial(self._take_highest, counting), partial(self._end_counting, counting)
        return Chore(partial(_iter_highest, self._array), take, end)

    def forget(self) -> None:
        """Know the highest id no more, nor take it from who is finding it out."""
        self._counted = self._counting = None

    def set_highest(self, highest: int) -> None:
        """Take the highest id."""
        self._counted = LabelIds(self._array, highest=highest)

    def go_on_in(self, array: Any) -> None:
        """Give ids of a copy of the labels."""
        self._array, self._counting = array, None
        if self._counted is not None:
            self.set_highest(self._counted.highest)

    @property
    def _known(self) -> LabelIds:
        if self._counted is None:
            self._counted = LabelIds(self._array)
        return self._counted

    def _take_highest(self, counting: object, highest: int) -> None:
        if counting is self._counting and self._counted is None:
            self.set_highest(max(highest, self._highest_painted))
        self._end_counting(counting)

    def _end_counting(self, counting: object) -> None:
        if counting is self._counting:
            self._counting = None


def _iter_highest(array: Any) -> Iterator[str | int]:
    yield "Counting the objects …"
    yield LabelIds(array).highest
