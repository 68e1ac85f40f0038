"""The objects in the labels of a viewer: counted, kept up to date, and in an order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from psygnal import Signal

from napari_sam.labels.object_list import ObjectList
from napari_sam.labels.object_order import SORT_KEYS, sort_objects
from napari_sam.widgets.count_objects import CountObjects
from napari_sam.widgets.labels_layer import ShownLabels

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_sam.labels.change import Change
    from napari_sam.widgets.segment_session import SegmentSession

MOST_UNSEEN = 8
"""Changes that wait until somebody looks at the list: each holds what it did to the pixels."""


class Listing:
    """The list of the objects in the labels of a session, and its order.

    What is recorded is in it at once, the rest when somebody has done the work of counting. Use on
    the main thread.

    Parameters
    ----------
    session : SegmentSession
        Whose objects these are.
    """

    changed = Signal()
    """Emitted when the list, or its order, is another."""

    def __init__(self, session: SegmentSession) -> None:
        self.session = session
        self._layer: Labels | None = None
        self._objects: ObjectList | None = None
        self._counting: CountObjects | None = None
        self._meanwhile: list[Change] = []
        self._unseen: deque[Change] = deque()
        self._sort_key, self._is_descending, self._hides_reviewed = "suspicion", True, False
        self._order: NDArray[np.intp] | None = None
        session.objects_changed.connect(self._on_objects)
        session.layers_changed.connect(self._on_layers)
        self._on_layers()

    @property
    def objects(self) -> ObjectList | None:
        """All objects; None without labels.

        The last changes are taken over now, not when they were made: who has kept many objects is
        to see them first.
        """
        while self._unseen:
            self._take_over()
        return self._objects

    @property
    def n_objects(self) -> int:
        """How many there are."""
        return 0 if self.objects is None else len(self.objects.rows)

    @property
    def n_reviewed(self) -> int:
        """How many somebody has accepted."""
        return 0 if self.objects is None else int(self.objects.rows["is_reviewed"].sum())

    @property
    def order(self) -> NDArray[np.intp]:
        """The rows of `objects` in the order that was chosen, without those that are hidden."""
        if self.objects is None:
            return np.zeros(0, np.intp)
        if self._order is None:
            self._order = sort_objects(
                self.objects,
                self._sort_key,
                descending=self._is_descending,
                hides_reviewed=self._hides_reviewed,
            )
        return self._order

    def sort(self, key: str, *, descending: bool) -> None:
        """Sort anew, by one of `SORT_KEYS`.

        Raises
        ------
        ValueError
            If there is no such key.
        """
        if key not in SORT_KEYS:
            raise ValueError(f"The key is {key!r}; expected one of {', '.join(SORT_KEYS)}.")
        self._sort_key, self._is_descending = key, descending
        self._on_order()

    @property
    def hides_reviewed(self) -> bool:
        """Whether only objects that nobody has accepted are in the order."""
        return self._hides_reviewed

    @hides_reviewed.setter
    def hides_reviewed(self, hides: bool) -> None:
        if hides != self._hides_reviewed:
            self._hides_reviewed = hides
            self._on_order()

    # Counting

    @property
    def uncounted(self) -> CountObjects | None:
        """The work of finding out what is in the labels besides what is recorded, for any thread.

        None, if that is known, or being found out.
        """
        if self._layer is None or self._counting is not None:
            return None
        if self._objects is not None and self._objects.census is not None:
            return None
        return self.count()

    def count(self) -> CountObjects | None:
        """Return the work of counting everything, even if that is known; None without labels."""
        if self._layer is None:
            return None
        array = ShownLabels(self._layer).array
        self._counting = CountObjects(array, tuple(self.session.objects))
        self._meanwhile = []
        return self._counting

    def give_up(self, counting: CountObjects) -> None:
        """Count no more; it is begun again when it is asked for."""
        if counting is self._counting:
            self._counting = None

    def take(self, counting: CountObjects, objects: ObjectList) -> None:
        """Take what was counted, and what has been done since; ignored if it is out of date."""
        if counting is not self._counting:
            return
        self._counting = None
        self._unseen.clear()
        objects.catch_up(self._meanwhile, counting.array)
        self._objects = objects
        self._on_order()

    # Inside

    def _take_over(self) -> None:
        """Take over the first of the changes that nobody has looked at."""
        change = self._unseen.popleft()
        if self._objects is not None:
            self._objects.apply(change)

    def _on_order(self) -> None:
        self._order = None
        self.changed.emit()

    def _on_layers(self) -> None:
        """Begin anew with other labels."""
        if self.session.labels is not self._layer:
            if self._layer is not None:
                self._layer.events.data.disconnect(self._on_all)
            self._layer = self.session.labels
            if self._layer is not None:
                self._layer.events.data.connect(self._on_all)
            self._on_all()

    def _on_objects(self, change: Change | None) -> None:
        if change is None or self._objects is None:
            self._on_all()
            return
        self._unseen.append(change)
        if len(self._unseen) > MOST_UNSEEN:
            self._take_over()
        if self._counting is not None:
            self._meanwhile.append(change)
        self._on_order()

    def _on_all(self, event: Any = None) -> None:
        """Forget what was counted; what is recorded is there at once."""
        self._counting = self._objects = None
        self._unseen.clear()
        if self._layer is not None:
            self._objects = ObjectList(ShownLabels(self._layer).shape, None, self.session.objects)
        self._on_order()
