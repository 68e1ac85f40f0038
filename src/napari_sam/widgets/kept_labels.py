"""One Labels layer that objects are written into: its pixels, ids, records, and where they lie."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_sam.labels import LabelIds
from napari_sam.labels.change import Change
from napari_sam.labels.edit import Edit, painted_edits
from napari_sam.labels.objects import Key, ObjectRecord, ObjectTable
from napari_sam.labels.recount import edited_parts
from napari_sam.labels.recovery import Recovery, new_recovery
from napari_sam.labels.store import ObjectStore
from napari_sam.labels.widen import ids_left
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.labels_layer import ShownLabels, painted_pixels
from napari_sam.widgets.taken_back import hear_undo

if TYPE_CHECKING:
    from napari.layers import Labels

    from napari_sam.labels.save import SavedLabels


class KeptLabels:
    """A Labels layer, as objects are written into it.

    Parameters
    ----------
    layer : Labels
        Kept by weak reference.
    objects : ObjectStore, optional
        Its records; none, if not given.
    saved : SavedLabels, optional
        Where it lies on disk.

    Attributes
    ----------
    saved : SavedLabels or None
        None: in memory.
    came_by : str
        Python that made the layer; "" if it was neither opened nor recovered here.
    is_made_here : bool
        Whether this program has made it, empty, so that its changes are all there is to it.
    is_closed : bool
        Whether the user has removed the layer.
    """

    painted = Signal(object, object)
    """Emitted with the `Change` that the user has painted by hand, and the layer."""

    taken_back = Signal(object, object)
    """Emitted with what napari's own undo or redo has changed, a list of `Edit`, and the layer."""

    replaced = Signal()
    """Emitted when somebody else has set other data."""

    def __init__(
        self, layer: Labels, objects: ObjectStore | None = None, saved: SavedLabels | None = None
    ) -> None:
        self._layer = weakref.ref(layer)
        self._objects = objects or ObjectStore()
        self._ids: LabelIds | None = None
        self._begin()
        self._is_counting = False
        self._recovery: Recovery | None = None
        self._followed: list[Change] | None = None
        self._unnoted: list[Change] = []
        self.saved = saved
        self.came_by = ""
        self.is_made_here = self.is_closed = False
        layer.events.paint.connect(self._on_paint)
        layer.events.data.connect(self._on_data)
        hear_undo(layer, self._on_taken_back)

    def _begin(self) -> None:
        """Nothing has been painted by hand so far."""
        self._highest_painted = 0
        self._n_painted: Counter[int] = Counter()
        self._n_when_freed: dict[int, int] = {}
        self._ended: dict[Key, ObjectRecord] = {}

    @property
    def layer(self) -> Labels:
        """The layer."""
        layer = self._layer()
        if layer is None:
            raise RuntimeError("The Labels layer is gone.")
        return layer

    @property
    def shown(self) -> ShownLabels:
        """Its pixels; what is written there shows, and is written to disk, at once."""
        return ShownLabels(self.layer, self.saved.pyramid if self.saved else None)

    @property
    def table(self) -> ObjectTable:
        """The records of its objects."""
        return self._objects.table

    def apply(self, change: Change) -> Change:
        """Make a change, and return what was done; see `ObjectStore.apply`."""
        with self.layer.events.paint.blocker(self._on_paint):
            done = self._objects.apply(change, self.shown)
        if self._followed is not None:
            self._followed.append(done)
        if self.is_made_here and self._objects.journal is None:
            self._unnoted.append(done)
        return done

    # Ids

    @property
    def is_counted(self) -> bool:
        """Whether the highest id is known."""
        return self._ids is not None

    @property
    def ids(self) -> LabelIds:
        """The ids; finding the highest one may take long, if it is not known."""
        if self._ids is None:
            self._ids = LabelIds(self.shown.array)
        return self._ids

    @property
    def n_ids_left(self) -> int:
        """How many more objects can get an id."""
        return ids_left(self.shown.dtype, self.ids.highest)

    def count(self) -> Chore[int] | None:
        """Return the work of finding the highest id; None if that is known, or under way."""
        if self.is_counted or self._is_counting:
            return None
        self._is_counting = True
        array = self.shown.array
        take = partial(self._take_highest, array)
        return Chore(partial(_iter_highest, array), take, self._end_counting)

    def _take_highest(self, array: Any, highest: int) -> None:
        self._is_counting = False
        if self._ids is None and self.shows(array):
            self.set_highest(max(highest, self._highest_painted))

    def _end_counting(self) -> None:
        self._is_counting = False

    def set_highest(self, highest: int) -> None:
        """Take the highest id."""
        self._ids = LabelIds(self.shown.array, highest=highest)

    def free(self, highest: int, n: int) -> None:
        """Give the `n` highest ids again, unless others have been given or painted since."""
        for label in range(highest - n + 1, highest + 1):
            self._n_when_freed[label] = self._n_painted[label]
        if self.ids.highest == highest:
            self.set_highest(max(highest - n, self._highest_painted))

    def check_free(self, highest: int, n: int) -> None:
        """Refuse to give `n` ids to the objects they were freed of, if one has been painted since.

        Raises
        ------
        ValueError
            If so.
        """
        for label in range(highest - n + 1, highest + 1):
            if self._n_painted[label] > self._n_when_freed.get(label, self._n_painted[label]):
                raise ValueError(
                    f"Object {label} cannot come back: something else has been painted with its "
                    f"number since. Take that back first, with Ctrl+Z in '{self.layer.name}'."
                )

    # Where it lies

    def shows(self, array: Any) -> bool:
        """Whether the layer is still there and shows this array."""
        return not self.is_closed and self.shown.array is array

    def follow(self) -> None:
        """Remember all changes from now on, as somebody copies the labels."""
        if self._followed is None:
            self._followed = []

    def forget(self) -> None:
        """End following."""
        self._followed = None

    def move(self, saved: SavedLabels) -> None:
        """Go on with a copy on disk; what has been changed since it was begun is done there too."""
        for change in self._followed or ():
            saved.objects.apply(change, saved.pyramid)
        self.forget()
        self._replace(list(saved.pyramid.levels), saved)
        if self._recovery is not None:
            self._recovery.discard()
            self._recovery = None

    def widen(self, wider: SavedLabels | list[Any]) -> None:
        """Go on with arrays of a wider type; what has been painted meanwhile is painted there."""
        painted = self._followed or ()
        if isinstance(wider, list):
            for edit in (change.edit for change in painted if change.edit):
                edit.possible(wider[0]).write(wider[0])
            self._replace(wider, None)
            return
        for change in painted:
            wider.objects.apply(change, wider.pyramid)
        self._replace(list(wider.pyramid.levels), wider)

    def _replace(self, levels: list[Any], saved: SavedLabels | None) -> None:
        highest = self.ids.highest
        with self.layer.events.data.blocker(self._on_data):
            self.layer.data = levels if self.layer.multiscale else levels[0]
        if saved is not None:
            self.saved, self._objects = saved, saved.objects
        self.set_highest(highest)

    # For a crash

    def note_in(self, recovery: Recovery, objects: ObjectStore) -> None:
        """Go on with the journal that the objects were recovered from."""
        self._recovery, self._objects = recovery, objects

    def begin_journal(self, image_identity: str) -> None:
        """Note all changes outside, for another process to make them again after a crash."""
        if self._objects.journal is not None or self.saved is not None:
            return
        try:
            recovery = new_recovery(image_identity, self.shown.shape)
        except OSError:  # a folder that cannot be written is no reason not to work
            return
        journal = recovery.begin().journal
        if journal is None:
            return
        for change in self._unnoted:
            journal.append(change)
            journal.confirm()
        self._recovery, self._unnoted = recovery, []
        self._objects.journal = journal

    def close(self) -> None:
        """End with a layer that the user has removed."""
        self.is_closed = True
        if self._recovery is not None:
            self._recovery.discard()
            self._recovery = None

    def _on_paint(self, event: Any) -> None:
        """Note what has been painted by hand, and give nobody an id that has been painted."""
        for where, before, after in map(painted_pixels, event.value):
            self._highest_painted = max(self._highest_painted, int(np.max(after, initial=0)))
            if self._ids is not None:
                self._ids.use(self._highest_painted)
            edits = list(painted_edits(where, before, after))
            for part in (part for edit in edits for part in edited_parts(edit)):
                self._n_painted[int(part["label"])] += max(0, int(part["area"]))
            self._take_painted(edits)

    def _on_taken_back(self, edits: list[Edit]) -> None:
        """Note what napari's own undo or redo has changed."""
        for edit in edits:
            for part in edited_parts(edit):
                self._n_painted[int(part["label"])] += int(part["area"])
            if self._ids is not None:
                self._ids.use(int(np.max(edit.after, initial=0)))
        self._take_painted(edits)
        self.taken_back.emit(edits, self.layer)

    def _take_painted(self, edits: Iterable[Edit]) -> None:
        """Bring all up to date with pixels that have been painted, and tell of it."""
        for edit in edits:
            done = self._with_records(edit)
            if self.saved is not None:
                self.saved.pyramid.update(edit.region)
            self._note(done)
            self.table.change(drop=done.drop, put=done.put)
            self.painted.emit(done, self.layer)

    def _with_records(self, edit: Edit) -> Change:
        """Return painting as a change that also says what becomes of the records.

        That of an object which is painted over comes back if all of the object does.
        """
        drop: tuple[ObjectRecord, ...] = ()
        put: tuple[ObjectRecord, ...] = ()
        for part in edited_parts(edit):
            key = int(part["label"]), tuple(part["plane"].tolist())
            record = self.table.get(*key)
            if record is None:
                ended = self._ended.pop(key, None)
                put += (ended,) if ended and ended.area == part["area"] else ()
                continue
            drop += (record,)
            area = record.area + int(part["area"])
            if area <= 0:
                self._ended[key] = record
            else:
                (y0, x0, y1, x1), (v0, u0, v1, u1) = record.box, part["box"].tolist()
                box = (min(y0, v0), min(x0, u0), max(y1, v1), max(x1, u1))
                put += (replace(record, area=area, box=box),)
        return Change(drop, put, edit)

    def _note(self, done: Change) -> None:
        """Remember a change that has been made already, where others are noted."""
        if self._followed is not None:
            self._followed.append(done)
        journal = self._objects.journal
        if journal is not None and self.saved is not None:
            if done.drop or done.put:  # the pixels are on disk already
                journal.append(replace(done, edit=None))
        elif journal is not None:
            journal.append(done)
            journal.confirm()
        elif self.is_made_here:
            self._unnoted.append(done)

    def _on_data(self, event: Any) -> None:
        """Begin anew with other data."""
        self.close()
        self._objects, self._ids, self.saved = ObjectStore(), None, None
        self._begin()
        self.is_made_here = self.is_closed = self._is_counting = False
        self.replaced.emit()


def _iter_highest(array: Any) -> Iterator[str | int]:
    yield "Counting the objects …"
    yield LabelIds(array).highest
