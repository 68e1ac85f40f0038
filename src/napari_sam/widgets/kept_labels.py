"""One Labels layer that objects are written into: its pixels, ids, records, and where they lie."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from napari_sam.labels.change import Change, PackedChange
from napari_sam.labels.edit import Edit, painted_edits
from napari_sam.labels.levels import Levels
from napari_sam.labels.objects import Key, ObjectRecord, ObjectTable
from napari_sam.labels.on_disk import OnDisk, Reading, outlasts
from napari_sam.labels.recount import edited_parts
from napari_sam.labels.recovery import Recovery, new_recovery
from napari_sam.labels.store import ObjectStore
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.given_ids import GivenIds
from napari_sam.widgets.labels_layer import ShownLabels, painted_pixels
from napari_sam.widgets.redrawn import hear_redrawn, unheard
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
    saved : SavedLabels, optional
        OME-Zarr labels that it shows, with their records.

    Attributes
    ----------
    saved : SavedLabels or None
        None: in memory, or on disk in another way.
    is_on_disk : bool
        Whether the pixels outlast the process.
    ids : GivenIds
        The numbers of its objects.
    is_read : bool
        Whether the records are known: those of labels on disk have to be read.
    is_changed : bool
        Whether anything has been done to the labels here.
    came_by : str
        Python that made the layer; "" if it was neither opened nor recovered here.
    is_made_here : bool
        Whether this program has made it, empty, so that its changes are all there is to it.
    is_closed : bool
        Whether the user has removed the layer.
    """

    painted = Signal(object, object)
    """Emitted with the `Change` that the user has painted by hand, and the layer.

    With None in place of it, if others may have written into the array, and nobody tells what.
    """

    taken_back = Signal(object, object)
    """Emitted with what napari's own undo or redo has changed, a list of `Edit`, and the layer."""

    replaced = Signal(object)
    """Emitted with the layer, when somebody else has set other data."""

    def __init__(self, layer: Labels, saved: SavedLabels | None = None) -> None:
        self._layer = weakref.ref(layer)
        self._recovery: Recovery | None = None
        self._begin(saved)
        self.came_by = ""
        layer.events.paint.connect(self._on_paint)
        layer.events.data.connect(self._on_data)
        hear_undo(layer, self._on_taken_back)
        hear_redrawn(layer, self._on_redrawn)

    def _begin(self, saved: SavedLabels | None = None) -> None:
        """Nothing has been done to the labels so far."""
        self.saved = saved
        self._objects = ObjectStore() if saved is None else saved.objects
        self.ids = GivenIds(self.shown.array)
        self.is_on_disk = saved is not None or outlasts(self.shown.array)
        self.is_read = saved is not None or not self.is_on_disk
        self.is_made_here = self.is_changed = self.is_closed = False
        self._is_reading = False
        self._reading: Reading | None = None
        self._followed: list[list[Change]] = []
        self._unnoted: list[PackedChange] = []
        self._unread: list[list[Edit]] = []
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
        shown = self.shown
        with self._writing(), shown.together():
            done = self._objects.apply(change, shown)
        self.is_changed = True
        for record in (*change.drop, *change.put):
            self._ended.pop(record.key, None)  # no stroke brings back what a command has ended
        for since in self._followed:
            since.append(done)
        if self._objects.journal is None and not self.is_on_disk:
            self._unnoted.append(done.packed())
        return done

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hear nothing of what is written here, nor of a layer that napari draws anew for it."""
        with self.layer.events.paint.blocker(self._on_paint), unheard(self.layer):
            yield

    # Records of labels on disk

    def read(self, *, is_now: bool = False) -> Chore[OnDisk] | None:
        """Return the work of reading the records; None if they are known, or it is under way.

        With `is_now`, also if it is under way: whoever comes first does it.
        """
        if self.is_read or (self._is_reading and not is_now):
            return None
        if self._reading is None:
            self._reading = Reading(self.shown.levels)
        self._is_reading = True
        take = partial(self._take_records, self._reading)
        return Chore(partial(_iter_records, self._reading), take, self._end_reading)

    def _take_records(self, reading: Reading, found: OnDisk) -> None:
        if reading is not self._reading or self.is_closed:
            found.release()
            return
        self._is_reading = False
        if self.is_read:
            return
        self.is_read = True
        self.saved, self._objects, self._recovery = found.saved, found.objects, found.recovery
        painted, self._unread = self._unread, []
        for edits in painted:
            self._take_painted(edits)

    def _end_reading(self) -> None:
        self._is_reading = False

    @property
    def is_being_read(self) -> bool:
        """Whether somebody is finding out the records, or the highest id."""
        return self._is_reading or self.ids.is_being_counted

    # Where it lies

    def shows(self, array: Any) -> bool:
        """Whether the layer is still there and shows this array."""
        return not self.is_closed and self.shown.array is array

    def follow(self) -> list[Change]:
        """Return a list that gets all changes from now on, as somebody copies the labels."""
        since: list[Change] = []
        self._followed.append(since)
        return since

    def forget(self, since: list[Change]) -> None:
        """End following."""
        self._followed = [each for each in self._followed if each is not since]

    def move(self, saved: SavedLabels, since: list[Change]) -> None:
        """Go on with a copy on disk; what has been changed since it was begun is done there too."""
        for change in since:
            saved.objects.apply(change, saved.pyramid)
        self._end_journal()
        self._replace(list(saved.pyramid.levels), saved)

    def widen(self, wider: SavedLabels | list[Any], painted: list[Change]) -> None:
        """Go on with arrays of a wider type; what has been painted meanwhile is painted there."""
        if isinstance(wider, list):
            whole = Levels(wider)
            for edit in (edit for change in painted for edit in change.edits):
                edit.possible(whole).write(whole)
            self._replace(wider, None)
            return
        for change in painted:
            wider.objects.apply(change, wider.pyramid)
        self._replace(list(wider.pyramid.levels), wider)

    def _replace(self, levels: list[Any], saved: SavedLabels | None) -> None:
        with self.layer.events.data.blocker(self._on_data), unheard(self.layer):
            self.layer.data = levels if self.layer.multiscale else levels[0]
        if saved is not None:
            self.saved, self._objects = saved, saved.objects
            self.is_on_disk = self.is_read = True
        self.ids.go_on_in(levels[0])

    # For a crash

    def note_in(self, recovery: Recovery, objects: ObjectStore) -> None:
        """Go on with the journal that the objects were recovered from."""
        self._end_journal()
        self._recovery, self._objects = recovery, objects
        self._unnoted, self.is_changed = [], True
        self.ids.leave_out(recovery.highest)

    def begin_journal(self, image_identity: str) -> None:
        """Note all changes outside, for another process to make them again after a crash."""
        if self._objects.journal is not None or self.is_on_disk:
            return
        try:
            recovery = new_recovery(image_identity, self.shown.shape)
        except OSError:  # a folder that cannot be written is no reason not to work
            return
        journal = recovery.begin(None if self.is_made_here else self.layer.name).journal
        if journal is None:
            return
        try:
            journal.append_made(change.unpack() for change in self._unnoted)
        except OSError:  # as for want of room: the next labels, or the next image, try again
            recovery.discard()
            return
        self._recovery, self._unnoted = recovery, []
        self._objects.journal = journal

    def close(self) -> None:
        """End with a layer that the user has removed."""
        self.is_closed = True
        self._end_journal()

    def _end_journal(self) -> None:
        """Let go of the journal; nobody needs it any more, unless the pixels are still there."""
        if self._recovery is not None:
            (self._recovery.release if self.is_on_disk else self._recovery.discard)()
            self._recovery = None

    def _on_paint(self, event: Any) -> None:
        """Note what has been painted by hand, and give nobody an id that has been painted."""
        for where, before, after in map(painted_pixels, event.value):
            self._note_painted(list(painted_edits(where, before, after)))

    def paint(self, edit: Edit) -> None:
        """Write pixels as if they had been painted by hand."""
        with self._writing():
            edit.write(self.shown)
        self._note_painted([edit] if edit.n_changed else [])

    def _note_painted(self, edits: list[Edit]) -> None:
        self.ids.paint(edits)
        self._take_painted(edits)

    def _on_taken_back(self, edits: list[Edit]) -> None:
        """Note what napari's own undo or redo has changed."""
        self.ids.paint(edits, is_back=True)
        self._take_painted(edits)
        self.taken_back.emit(edits, self.layer)

    def _take_painted(self, edits: list[Edit]) -> None:
        """Bring all up to date with pixels that have been painted, and tell of it.

        Each of them on another plane.
        """
        if not edits:
            return
        if not self.is_read:
            self._unread.append(edits)
            return
        done = self._with_records(edits)
        for edit in edits:
            if self.saved is not None:
                self.saved.pyramid.update(edit.region)
        self._note(done)
        self.table.change(drop=done.drop, put=done.put)
        self.painted.emit(done, self.layer)

    def _with_records(self, edits: list[Edit]) -> Change:
        """Return painting as a change that also says what becomes of the records.

        That of an object which is painted over comes back if all of the object does.
        """
        drop: tuple[ObjectRecord, ...] = ()
        put: tuple[ObjectRecord, ...] = ()
        for part in edited_parts(edits):
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
        return Change(drop, put, tuple(edits))

    def _note(self, done: Change) -> None:
        """Remember a change that has been made already, where others are noted."""
        self.is_changed = True
        for since in self._followed:
            since.append(done)
        journal = self._objects.journal
        if journal is not None and self.is_on_disk:
            if done.drop or done.put:  # the pixels are on disk already
                journal.append(replace(done, edits=()))
        elif journal is not None:
            journal.append(done)
            journal.confirm()
        elif not self.is_on_disk:
            self._unnoted.append(done.packed())

    def _on_redrawn(self) -> None:
        """Know the highest id no more: others may have written into the array."""
        self.ids.forget()
        self.painted.emit(None, self.layer)

    def _on_data(self, event: Any) -> None:
        """Begin anew with other data."""
        self._end_journal()
        self._begin()
        self.replaced.emit(self.layer)


def _iter_records(reading: Reading) -> Iterator[str | OnDisk]:
    yield "Reading what is known of the objects …"
    yield reading.result()
