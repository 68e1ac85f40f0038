"""Where objects go: a Labels layer, the ids they get, and what happens to those already there."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from psygnal import Signal

from napari_sam.labels import Edit
from napari_sam.labels.change import Change
from napari_sam.labels.edit_records import iter_records, written_mask
from napari_sam.labels.object_at import object_at
from napari_sam.labels.objects import ObjectRecord, ObjectTable
from napari_sam.labels.others import Others
from napari_sam.labels.replace import plan_removal, plan_replacement
from napari_sam.labels.write import Overlap, plan_mask
from napari_sam.labels.write_table import new_rows, plan_table
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.kept_labels import KeptLabels
from napari_sam.widgets.labels_layer import ShownLabels, insert_above, make_labels
from napari_sam.widgets.links import Links
from napari_sam.widgets.written import AnyWritten, Written, sentence

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.image import Image
    from napari_sam.labels.on_disk import OnDisk
    from napari_sam.labels.save import SavedLabels
    from napari_sam.masks import Mask
    from napari_sam.masks.mask_table import MaskTable
    from napari_sam.widgets.draft import Draft


Near: TypeAlias = tuple[float, float] | tuple[int, int, int, int] | None
"""A pixel (y, x) of an object, or the box (y0, x0, y1, x1) around it; None: its record knows."""


class Target:
    """The Labels layer that objects are written into."""

    switched = Signal(bool)
    """Emitted when *preserve labels* of the layer has been switched on or off."""

    painted = Signal(object, object)
    """Emitted with the `Change` painted by hand, or None for what others wrote, and the layer."""

    taken_back = Signal(object, object)
    """Emitted with what napari's own undo or redo has changed, a list of `Edit`, and the layer."""

    replaced = Signal(object)
    """Emitted with a labels layer whose data have become others."""

    def __init__(self) -> None:
        self._layer: Labels | None = None
        self._links = Links()
        self._kept: weakref.WeakKeyDictionary[Labels, KeptLabels] = weakref.WeakKeyDictionary()
        self._identity: str | None = None

    @property
    def layer(self) -> Labels | None:
        """The layer; None: `ensure_layer` makes one."""
        return self._layer

    @layer.setter
    def layer(self, layer: Labels | None) -> None:
        self._links.cut()
        self._layer = layer
        if layer is not None:
            self._links.add(layer.events.preserve_labels, self._on_switched)
            self._begin_journal()

    @property
    def preserves(self) -> bool:
        """Whether the layer's own switch says that labels are preserved."""
        return self._layer is not None and self._layer.preserve_labels

    @property
    def kept(self) -> KeptLabels | None:
        """What is known of the layer."""
        return None if self.layer is None else self.of(self.layer)

    @property
    def objects(self) -> ObjectTable:
        """What is known of the objects in the labels; empty, if there is no layer."""
        return ObjectTable() if self.kept is None else self.kept.table

    @property
    def next_label(self) -> int:
        """The id of the next object. Looks the labels through, if they are not counted yet."""
        return 1 if self.kept is None else self.kept.ids.next

    @property
    def is_counted(self) -> bool:
        """Whether the highest id is known."""
        return self.kept is None or self.kept.ids.is_counted

    @property
    def is_read(self) -> bool:
        """Whether the records are known."""
        return self.kept is None or self.kept.is_read

    @property
    def is_being_read(self) -> bool:
        """Whether somebody is finding out what is in the labels."""
        return self.kept is not None and self.kept.is_being_read

    @property
    def n_ids_left(self) -> int | None:
        """How many more objects the type of the labels can number; None without labels."""
        return None if self.kept is None else self.kept.ids.n_left

    @property
    def uncounted(self) -> Chore[int] | None:
        """The work of finding the highest id; None if that is known, or under way."""
        return None if self.kept is None else self.kept.ids.count()

    def read(self, *, is_now: bool = False) -> Chore[OnDisk] | None:
        """Return the work of reading the records, if they are not known; see `KeptLabels.read`."""
        return None if self.kept is None else self.kept.read(is_now=is_now)

    def ensure_layer(self, viewer: ViewerModel, image_layer: ImageLayer, image: Image) -> Labels:
        """Return the layer to write into; makes one just above the image if there is none.

        Raises
        ------
        ValueError
            If the layer does not fit the image.
        """
        if self.layer is None:
            layer = make_labels(image_layer, image)
            kept = self.of(layer)
            kept.ids.set_highest(0)
            kept.is_made_here = True
            self.layer = layer
            insert_above(viewer, image_layer, layer)
        ShownLabels(self.layer).check(image)
        return self.layer

    def adopt(self, layer: Labels, saved: SavedLabels) -> KeptLabels:
        """Know a layer that shows OME-Zarr labels."""
        kept = KeptLabels(layer, saved)
        self._know(kept)
        return kept

    def showing(self, path: Path) -> Labels | None:
        """Return the layer that shows labels from an OME-Zarr folder, if there is one."""
        there = ((layer, kept.saved) for layer, kept in self._kept.items() if kept.saved)
        return next((layer for layer, at in there if at.path.resolve() == path.resolve()), None)

    def of(self, layer: Labels) -> KeptLabels:
        """Return what is known of a layer."""
        if layer not in self._kept:
            self._know(KeptLabels(layer))
        return self._kept[layer]

    def identify(self, image_identity: str | None) -> None:
        """Take what tells the image from others; changes are noted for a crash from then on."""
        self._identity = image_identity
        self._begin_journal()

    def close(self, layer: Labels) -> None:
        """Forget a layer that the user has removed."""
        if layer in self._kept:
            self._kept.pop(layer).close()

    def others(self, own: int | None, overlap: Overlap, are_negatives: bool) -> Others | None:
        """Return the objects that a mask must leave alone; None if it need not."""
        if self.layer is None or overlap != "keep":
            return None
        return Others(ShownLabels(self.layer).array, own or 0, are_negatives)

    def label_at(self, plane: tuple[int, ...], y: float, x: float) -> int:
        """Return the id at a point, 0 if there is none."""
        if self.layer is None:
            return 0
        return max(0, Others(ShownLabels(self.layer).array).at(plane, y, x))

    def find(self, label: int, plane: tuple[int, ...], near: Near) -> Mask:
        """Return the pixels of an object on a plane; its record may know where it is.

        Raises
        ------
        ValueError
            If there is none.
        """
        if label < 1:
            raise ValueError(f"There is no object {label}; they are numbered from 1.")
        layer, record = self.layer, self.objects.get(label, plane)
        box = record.box if record else near if near and len(near) == 4 else None
        pixel = near if near and len(near) == 2 else None
        if layer is None or (box is None and pixel is None):
            raise ValueError(f"There is no record of an object {label} here; point at it.")
        mask = object_at(ShownLabels(layer).array, label, plane=plane, near=pixel, box=box)
        if not mask.area:
            raise ValueError(f"There is no object {label} in '{layer.name}' any more.")
        return mask

    def write(
        self,
        layer: Labels,
        draft: Draft,
        model: str,
        overlap: Overlap,
        wanted: int | None = None,
    ) -> Written:
        """Write the object of a draft and show it; only boxes are read and written.

        A new one gets the next id, or the one that is `wanted`; one opened again keeps its own.
        """
        mask = draft.mask
        if mask is None:
            raise ValueError("There is no mask to write.")
        if draft.old is None:
            label = 0 if overlap == "erase" else self.of(layer).ids.first(wanted)
            edit = plan_mask(ShownLabels(layer), mask, label, plane=draft.plane, overlap=overlap)
            says = f"Kept as object {label}" if edit.after else "Erased"
        else:
            label, old = draft.old.label, draft.old.mask
            edit = plan_replacement(
                ShownLabels(layer), old, mask, label, plane=draft.plane, overlap=overlap
            )
            says = f"Replaced object {label}"
        drop, put = self._records_after(layer, edit, draft.plane, label)
        made = written_mask(edit, label, mask)
        if is_there := label > 0 and made.area > 0:  # label 0: it has been erased
            record = ObjectRecord.of(
                made,
                label,
                draft.plane,
                prompts=draft.prompts,
                rank=draft.rank,
                model=model,
                outline=draft.outline,
            )
            put += (record.reviewed() if draft.old else record,)
        elif draft.old:
            drop += _there(self.objects.get(label, draft.plane))
        is_new = draft.old is None and is_there
        return self._apply(
            layer, Change(drop, put, (edit,)), says, label if is_new else 0, int(is_new)
        )

    def write_all(
        self,
        layer: Labels,
        table: MaskTable,
        plane: tuple[int, ...],
        model: str = "",
        wanted: int | None = None,
    ) -> Written:
        """Write many objects with the next ids and show them; others that are there stay whole.

        `model` is what found them, for their records; `wanted` the id of the first.
        """
        labels = ShownLabels(layer)
        new = table.select(new_rows(labels.array, table, plane=plane))
        first = self.of(layer).ids.first(wanted, len(new))
        edit = plan_table(labels, new, first, plane=plane)
        put = tuple(iter_records(edit, new, first, plane, model))
        says = f"Kept {len(new):,} objects" if len(new) != 1 else f"Kept as object {first}"
        return self._apply(layer, Change((), put, (edit,)), says, first + len(new) - 1, len(new))

    def write_through(
        self,
        layer: Labels,
        label: int,
        masks: Sequence[tuple[tuple[int, ...], Mask]],
        model: str,
    ) -> Written:
        """Write an object that is there into more planes; others that are there stay whole."""
        edits: tuple[Edit, ...] = ()
        put: tuple[ObjectRecord, ...] = ()
        for plane, mask in masks:
            edit = plan_mask(ShownLabels(layer), mask, label, plane=plane, overlap="keep")
            if (made := written_mask(edit, label, mask)).area:
                edits += (edit,)
                put += (ObjectRecord.of(made, label, plane, model=model),)
        return self._apply(layer, Change((), put, edits), f"Followed object {label}")

    def delete(self, label: int, places: Mapping[tuple[int, ...], Near]) -> Written:
        """Make an object background on some planes: on all of them, or, if that fails, on none."""
        layer: Any = self.layer
        shown, gone = ShownLabels(layer), (self.objects.get(label, plane) for plane in places)
        edits = tuple(
            plan_removal(shown, self.find(label, plane, near), label, plane=plane)
            for plane, near in places.items()
        )
        change = Change(tuple(record for record in gone if record is not None), (), edits)
        return self._apply(layer, change, f"Deleted object {label}")

    def review(
        self, label: int, places: Mapping[tuple[int, ...], Near], is_reviewed: bool
    ) -> Written:
        """Note whether somebody has accepted an object on some planes; makes missing records."""
        records = [
            self.objects.get(label, plane)
            or ObjectRecord.of(self.find(label, plane, near), label, plane)
            for plane, near in places.items()
        ]
        layer: Any = self.layer
        says = "Accepted" if is_reviewed else "To be looked at again:"
        change = Change(put=tuple(record.reviewed(is_reviewed) for record in records))
        return self._apply(layer, change, f"{says} object {label}")

    def undo(self, written: AnyWritten) -> Change:
        """Put back what was there before, but for what has been painted since; frees the ids."""
        written = written.unpacked()
        kept = self.of(written.layer)
        done = kept.apply(written.change.inverse())
        if written.n_objects:
            kept.ids.free(written.label, written.n_objects)
        return done

    def check_redo(self, written: AnyWritten) -> None:
        """Refuse to `redo` if something has been painted with the id of an object since.

        Raises
        ------
        ValueError
            If so: the two would become one.
        """
        name = written.layer.name
        self.of(written.layer).ids.check_free(written.label, written.n_objects, name)

    def redo(self, written: AnyWritten) -> Change:
        """Do again what `undo` took back, but for where something has been painted."""
        written = written.unpacked()
        kept = self.of(written.layer)
        done = kept.apply(written.change)
        if written.n_objects:
            kept.ids.use(written.label)
        return done

    def _apply(
        self, layer: Labels, change: Change, says: str, label: int = 0, n_objects: int = 0
    ) -> Written:
        """Make a change, unless it would change nothing."""
        written = Written(layer, change, says, label, n_objects)
        if not written.n_changed and (change.edits or not change.put):
            return written
        kept = self.of(layer)
        done = kept.apply(change)
        if n_objects:
            kept.ids.use(label)
        return replace(written, change=done, says=sentence(says, layer, done))

    def _records_after(
        self, layer: Labels, edit: Edit, plane: tuple[int, ...], own: int
    ) -> tuple[tuple[ObjectRecord, ...], tuple[ObjectRecord, ...]]:
        """Return the records of other objects that an edit ends, and of those it makes smaller."""
        lost = edit.before[edit.changed]
        labels, counts = np.unique(lost[(lost != 0) & (lost != own)], return_counts=True)
        table = self.of(layer).table
        drop: tuple[ObjectRecord, ...] = ()
        put: tuple[ObjectRecord, ...] = ()
        for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
            for record in _there(table.get(label, plane)):
                left = record.area - count
                if left > 0:
                    put += (replace(record, area=left),)
                else:
                    drop += (record,)
        return drop, put

    def _begin_journal(self) -> None:
        """Note changes of labels in memory, if it is known of which image."""
        if self._identity is not None and self.kept is not None:
            self.kept.begin_journal(self._identity)

    def _know(self, kept: KeptLabels) -> None:
        self._kept[kept.layer] = kept
        kept.painted.connect(self._on_painted)
        kept.taken_back.connect(self._on_taken_back)
        kept.replaced.connect(self._on_replaced)

    def _on_switched(self) -> None:
        self.switched.emit(self.preserves)

    def _on_painted(self, done: Change | None, layer: Labels) -> None:
        self.painted.emit(done, layer)

    def _on_taken_back(self, edits: list[Edit], layer: Labels) -> None:
        self.taken_back.emit(edits, layer)

    def _on_replaced(self, layer: Labels) -> None:
        self.replaced.emit(layer)


def _there(record: ObjectRecord | None) -> tuple[ObjectRecord, ...]:
    return () if record is None else (record,)
