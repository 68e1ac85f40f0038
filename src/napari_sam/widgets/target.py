"""Where objects go: a Labels layer, the ids they get, and what happens to those already there."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

from napari_sam.labels import Edit, LabelIds, write_mask
from napari_sam.labels.write import Overlap
from napari_sam.labels.write_table import new_rows, write_table
from napari_sam.widgets.labels_layer import ShownLabels, make_labels

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.image import Image
    from napari_sam.masks import Mask
    from napari_sam.masks.mask_table import MaskTable


@dataclass(frozen=True, eq=False)
class Written:
    """One commit: the layer, what changed in it, the highest id, and how many got one."""

    layer: Labels
    edit: Edit
    label: int
    n_objects: int = 1

    def describe(self) -> str:
        """Return a sentence on what was done."""
        done = f"Kept as object {self.label}" if self.label else "Erased"
        if self.n_objects > 1:
            done = f"Kept {self.n_objects:,} objects"
        plane = self.edit.region[:-2]
        where = f", plane {', '.join(map(str, plane))}" if plane else ""
        return f"{done} in '{self.layer.name}'{where}. Ctrl+Z takes it back."


@dataclass(frozen=True, eq=False)
class Count:
    """The work of finding the highest id in labels that hold objects already."""

    layer: Labels
    array: Any

    def iter_answer(self) -> Iterator[str | int]:
        """Yield what is being done, and then the highest id."""
        yield "Counting the objects …"
        yield LabelIds(self.array).highest


class Target:
    """The Labels layer that objects are written into.

    Attributes
    ----------
    layer : Labels or None
        None: `ensure_layer` makes one.
    """

    def __init__(self) -> None:
        self.layer: Labels | None = None
        self._overlap: Overlap = "keep"
        self._ids: weakref.WeakKeyDictionary[Labels, LabelIds] = weakref.WeakKeyDictionary()

    @property
    def overlap(self) -> Overlap:
        """What happens to other objects under a new one: keep, replace or erase."""
        return self._overlap

    @overlap.setter
    def overlap(self, rule: Overlap) -> None:
        if rule not in get_args(Overlap):
            raise ValueError(f"The overlap rule is {rule!r}; expected keep, replace or erase.")
        self._overlap = rule

    @property
    def next_label(self) -> int:
        """The id of the next object. Looks the labels through, if they are not counted yet."""
        return 1 if self.layer is None else self._ids_of(self.layer).next

    @property
    def uncounted(self) -> Count | None:
        """The work of finding the highest id, in any thread; None if that is known."""
        if self.layer is None or self.layer in self._ids:
            return None
        return Count(self.layer, ShownLabels(self.layer).array)

    def count(self, counted: Count, highest: int) -> None:
        """Take the highest id that a `Count` found."""
        self._ids.setdefault(counted.layer, LabelIds(counted.array, highest=highest))

    def ensure_layer(self, viewer: ViewerModel, image_layer: ImageLayer, image: Image) -> Labels:
        """Return the layer to write into; makes one just above the image if there is none.

        Raises
        ------
        ValueError
            If the layer does not fit the image.
        """
        if self.layer is None:
            self.layer = make_labels(image_layer, image)
            self._ids[self.layer] = LabelIds(ShownLabels(self.layer).array, highest=0)
            active = viewer.layers.selection.active
            viewer.layers.insert(viewer.layers.index(image_layer) + 1, self.layer)
            if active is not None:
                viewer.layers.selection.active = active
        ShownLabels(self.layer).check(image)
        return self.layer

    def write(self, layer: Labels, mask: Mask, plane: tuple[int, ...]) -> Written:
        """Write one object with the next id and show it; only the mask's box is read and written.

        The layer's own switch *preserve labels* makes every rule "keep".
        """
        label = self._ids_of(layer).next
        overlap: Overlap = "keep" if layer.preserve_labels else self.overlap
        edit = write_mask(ShownLabels(layer), mask, label, plane=plane, overlap=overlap)
        if edit.n_changed and edit.after:
            self._ids_of(layer).use(label)
        return Written(layer, edit, int(edit.after))

    def write_all(self, layer: Labels, table: MaskTable, plane: tuple[int, ...]) -> Written:
        """Write many objects with the next ids and show them; others that are there stay whole."""
        labels = ShownLabels(layer)
        new = table.select(new_rows(labels.array, table, plane=plane))
        first = self._ids_of(layer).next
        edit = write_table(labels, new, first, plane=plane)
        highest = first + len(new) - 1
        if len(new):
            self._ids_of(layer).use(highest)
        return Written(layer, edit, highest, len(new))

    def undo(self, written: Written) -> None:
        """Put back what was there before, but for what has been painted since; frees the id."""
        labels, edit = ShownLabels(written.layer), written.edit
        ours = edit.changed & (labels[edit.region] == edit.after)
        replace(edit, changed=ours).undo(labels)
        if written.label:
            highest = written.label - written.n_objects
            self._ids[written.layer] = LabelIds(labels.array, highest=highest)

    def redo(self, written: Written) -> None:
        """Write an object again that `undo` took back, but for where something has been painted."""
        labels, edit = ShownLabels(written.layer), written.edit
        free = edit.changed & (labels[edit.region] == edit.before)
        replace(edit, changed=free).redo(labels)
        if written.label:
            self._ids_of(written.layer).use(written.label)

    def _ids_of(self, layer: Labels) -> LabelIds:
        if layer not in self._ids:
            self._ids[layer] = LabelIds(ShownLabels(layer).array)
        return self._ids[layer]
