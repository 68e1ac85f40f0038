"""Labels to disk, into a wider type, and back after a crash."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from psygnal import Signal

from napari_sam.labels.objects import ObjectTable
from napari_sam.labels.point_of_no_return import PointOfNoReturn
from napari_sam.labels.recovery import Recovery, find_recovery
from napari_sam.labels.save import SavedLabels, open_saved, save_labels
from napari_sam.labels.widen import widen_arrays, widen_saved, wider_type
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.draft import NO_IMAGE
from napari_sam.widgets.drafting import Drafting
from napari_sam.widgets.in_order import go_on, in_order
from napari_sam.widgets.labels_layer import insert_above, labels_on_disk, layout_on_disk

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer

    from napari_sam.image import Image
    from napari_sam.widgets.kept_labels import KeptLabels

OPENED = """\
# As they were before: what follows has been written into them since.
session.open_labels({!r})"""
RECOVERED = """\
# What an earlier session had left when it ended in a crash, if it is still there.
session.recover()"""


class Filing(Drafting):
    """The part of a session that decides where labels lie; `SegmentSession` writes into them.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Kept by weak reference.
    """

    objects_changed = Signal(object)
    """Emitted with the `Change` made to labels and records; with None, if all may be others."""

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self._is_widening = False
        self._identified: Image | None = None
        self._recovery: Recovery | None = None

    @property
    def is_held_up(self) -> bool:
        """Whether commands are put off: labels are being copied into a wider type, for example."""
        return self._is_widening or super().is_held_up

    @property
    def labels_path(self) -> Path | None:
        """Folder that the labels lie in; None: they are in memory."""
        kept = self._target.kept
        return kept.saved.path if kept is not None and kept.saved is not None else None

    # To disk

    @in_order
    def save_labels(self, path: str | os.PathLike[str], *, wait: bool = True) -> None:
        """Write the labels into a new OME-Zarr folder, with the records of their objects.

        From then on the layer shows what lies there, and each commit is written there at once.

        Raises
        ------
        FileExistsError, OSError
            If there is something at `path`, or it cannot be written. Nothing changes.
        ValueError
            If there are no labels yet.
        """
        kept = self._kept
        image = self._predictor.image
        layout = layout_on_disk(kept.layer, image)
        table = ObjectTable(tuple(kept.table))
        kept.follow()
        array = kept.shown.array
        make = partial(save_labels, array, path, table=table, **layout)
        self._have_done(Chore(make, partial(self._take_saved, kept, array), kept.forget), wait)

    @in_order
    def open_labels(self, path: str | os.PathLike[str], *, wait: bool = True) -> None:
        """Open OME-Zarr labels on disk, show them, and go on with them and their records.

        Raises
        ------
        FileNotFoundError, OSError, ValueError
            If there are none, they cannot be written, or do not fit the image.
        """
        self.adopt_image()
        if (image_layer := self._source.layer) is None:
            raise ValueError(NO_IMAGE)
        make = partial(_iter_opened, Path(path), self._predictor.image)
        self._have_done(Chore(make, partial(self._take_opened, image_layer)), wait)

    # Into a wider type

    def widen_labels(self, *, wait: bool = True) -> None:
        """Make room for more objects: uint8 becomes uint16, and that uint32.

        Other commands wait meanwhile. To ask again before it is done changes nothing.

        Raises
        ------
        ValueError
            If there are no labels, or there is no wider type.
        """
        kept = self._target.kept
        self._widen(None if kept is None else wider_type(kept.shown.dtype), wait)

    @in_order
    def _widen(self, wanted: np.dtype[Any] | None, wait: bool) -> None:
        kept = self._kept
        if wanted is not None and kept.shown.dtype.itemsize >= wanted.itemsize:
            self._say(f"'{kept.layer.name}' is {kept.shown.dtype} already.")
            return
        make: Any
        point = PointOfNoReturn()
        if kept.saved is None:
            make = partial(widen_arrays, kept.shown.levels)
        else:
            make = partial(widen_saved, kept.saved, point)
        wider_type(kept.shown.dtype)
        self._is_widening = True
        kept.follow()
        take = partial(self._take_wider, kept, kept.shown.array)
        give_up = partial(self._end_widening, kept)
        self._have_done(Chore(make, take, give_up, point.call_off), wait)

    # After a crash

    @property
    def recoverable(self) -> int:
        """How many objects an earlier session that ended in a crash has left for this image."""
        return 0 if self._recovery is None else self._recovery.n_objects

    @in_order
    def recover(self) -> None:
        """Make these objects again in a new labels layer."""
        self.adopt_image()
        if (looking := self.look_for_recovery()) is not None:
            looking.do()
        recovery, layer = self._recovery, self._source.layer
        if recovery is None or layer is None:
            self._say("There is nothing to recover.")
            return
        self.labels = None
        labels = self._target.recover(self.viewer, layer, self._predictor.image, recovery)
        self._recovery = None
        self.labels = labels
        self._kept.came_by = RECOVERED
        self.objects_changed.emit(None)
        self._say(f"Recovered {recovery.n_objects:,} objects in '{labels.name}'.")

    def discard_recovery(self) -> None:
        """Forget what an earlier session has left."""
        if self._recovery is not None:
            self._recovery.discard()
            self._recovery = None
            self.layers_changed.emit()

    def look_for_recovery(self) -> Chore[Any] | None:
        """Return the work of finding out what there is to recover; None if that is known."""
        predictor = self._source.predictor
        if predictor is None or self._identified is predictor.image:
            return None
        self._identified = predictor.image
        identify = partial(_identify, predictor.image)
        return Chore(identify, self._take_identity, self._end_looking)

    # Inside

    @property
    def _kept(self) -> KeptLabels:
        if (kept := self._target.kept) is None:
            raise ValueError("There are no labels yet: keep an object first.")
        return kept

    def _have_done(self, chore: Chore[Any], wait: bool) -> None:
        if not wait and len(self.asked):
            self.asked.emit(chore)
        else:
            chore.do()

    def _take_saved(self, kept: KeptLabels, array: Any, saved: SavedLabels) -> None:
        if not kept.shows(array):
            self._say(f"The labels lie in {saved.path} now; their layer is gone, or shows others.")
            return
        kept.move(saved)
        self.layers_changed.emit()
        self._say(f"The labels lie in {saved.path} now; each object kept is written there at once.")

    def _take_opened(self, image_layer: ImageLayer, saved: SavedLabels) -> None:
        if self._source.layer is not image_layer:
            return
        layer = labels_on_disk(saved, image_layer)
        self._target.adopt(layer, saved).came_by = OPENED.format(str(saved.path))
        insert_above(self.viewer, image_layer, layer)
        self.labels = layer
        self.objects_changed.emit(None)
        self._say(f"Opened {len(saved.objects.table):,} objects from {saved.path.name}.")

    def _take_wider(self, kept: KeptLabels, array: Any, wider: SavedLabels | list[Any]) -> None:
        try:
            if kept.shows(array):
                kept.widen(wider)
                self._say(f"'{kept.layer.name}' is {kept.shown.dtype} now.")
            else:
                self._say("The labels are others by now, and stay as they are.")
        finally:
            self._end_widening(kept)

    def _end_widening(self, kept: KeptLabels) -> None:
        kept.forget()
        self._is_widening = False
        go_on(self, self.layers_changed.emit)

    def _take_identity(self, found: tuple[Image, str, Recovery | None]) -> None:
        image, identity, recovery = found
        predictor = self._source.predictor
        if predictor is None or predictor.image is not image:
            if recovery is not None:
                recovery.release()
            return
        self._target.identify(identity)
        self._recovery = recovery
        self.layers_changed.emit()

    def _end_looking(self) -> None:
        self._identified = None

    def _forget_image(self) -> None:
        """Leave what could be recovered for later."""
        if self._recovery is not None:
            self._recovery.release()
        self._identified = self._recovery = None
        self._target.identify(None)


def _iter_opened(path: Path, image: Image) -> Iterator[str | SavedLabels]:
    yield f"Opening {path.name} …"
    saved = open_saved(path)
    shape = (*image.plane_shape, *image.shape_yx)
    if saved.pyramid.shape != shape:
        raise ValueError(
            f"The labels {path.name} have shape {saved.pyramid.shape}, the image {shape}. Choose "
            "others, or the image that they belong to."
        )
    yield saved


def _identify(image: Image) -> Iterator[str | tuple[Image, str, Recovery | None]]:
    """Find out what tells an image from others, and what was left of work on it."""
    from napari_sam.embedding.key import hash_content  # torch, which is slow to import

    yield "Looking for objects of an earlier session …"
    identity = hash_content(image)
    shape = (*image.plane_shape, *image.shape_yx)
    yield image, identity, find_recovery(identity, shape)
