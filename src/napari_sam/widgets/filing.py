"""Labels to disk, back from it, and into a wider type."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_sam.labels.objects import ObjectTable
from napari_sam.labels.point_of_no_return import PointOfNoReturn
from napari_sam.labels.save import SavedLabels, open_saved, save_labels
from napari_sam.labels.widen import widen_arrays, widen_saved, wider_type
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.draft import NO_IMAGE
from napari_sam.widgets.in_order import in_order
from napari_sam.widgets.labels_layer import (
    insert_above,
    labels_on_disk,
    layout_on_disk,
)
from napari_sam.widgets.recovering import Recovering
from napari_sam.widgets.transcript import LABELS

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

    from napari_sam.image import Image
    from napari_sam.labels.change import Change
    from napari_sam.widgets.kept_labels import KeptLabels

OPENED = """\
# As they were before: what follows has been written into them since.
session.open_labels({!r})"""


class Filing(Recovering):
    """The part of a session that decides where labels lie; `SegmentSession` writes into them.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Kept by weak reference.
    """

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
        again = partial(self.save_labels, path, wait=wait)
        if not self._target.is_read and self._is_put_off(again, wait):
            return
        image = self._predictor.image
        layout = layout_on_disk(kept.layer, image)
        table = ObjectTable(tuple(kept.table))
        array, since = kept.shown.array, kept.follow()
        make = partial(save_labels, array, path, table=table, **layout)
        take = partial(self._take_saved, kept, array, since)
        self._have_done(Chore(make, take, partial(kept.forget, since)), wait)

    @in_order
    def open_labels(self, path: str | os.PathLike[str], *, wait: bool = True) -> None:
        """Open OME-Zarr labels on disk, show them, and go on with them and their records.

        Those that a layer shows already are chosen. Other commands wait meanwhile.

        Raises
        ------
        FileNotFoundError, OSError, ValueError
            If there are none, they cannot be written, or do not fit the image.
        """
        self.adopt_image()
        if (image_layer := self._source.layer) is None:
            raise ValueError(NO_IMAGE)
        if (shown := self._target.showing(Path(path))) is not None:
            self._check_labels(shown)
            self._set_labels(shown)
            self._say(f"'{shown.name}' shows {Path(path).name} already.")
            return
        make = partial(_iter_opened, Path(path), self._predictor.image)
        self._rearrange(make, partial(self._take_opened, image_layer), wait)

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
        again = partial(self._widen, wanted, wait)
        if not self._target.is_read and self._is_put_off(again, wait):
            return
        make: Any
        point = PointOfNoReturn()
        if kept.saved is None:
            make = partial(widen_arrays, kept.shown.levels)
        else:
            make = partial(widen_saved, kept.saved, point)
        wider_type(kept.shown.dtype)
        array, since = kept.shown.array, kept.follow()
        take = partial(self._take_wider, kept, array, since)
        self._rearrange(make, take, wait, partial(kept.forget, since), point.call_off)

    # Inside

    @property
    def _kept(self) -> KeptLabels:
        if (kept := self._target.kept) is None:
            raise ValueError("There are no labels yet: keep an object first.")
        return kept

    def _take_saved(
        self, kept: KeptLabels, array: Any, since: list[Change], saved: SavedLabels
    ) -> None:
        kept.forget(since)
        if not kept.shows(array):
            self._say(f"The labels lie in {saved.path} now; their layer is gone, or shows others.")
            return
        kept.move(saved, since)
        self._transcript.add(self._call("save_labels", str(saved.path), about=LABELS))
        self.layers_changed.emit()
        self._say(f"The labels lie in {saved.path} now; each object kept is written there at once.")

    def _take_opened(self, image_layer: ImageLayer, saved: SavedLabels) -> None:
        if self._source.layer is not image_layer:
            return
        layer = labels_on_disk(saved, image_layer)
        kept = self._target.adopt(layer, saved)
        kept.came_by = OPENED.format(str(saved.path))
        self._names.labels(kept, image_layer)  # another may be chosen when it is first spoken of
        insert_above(self.viewer, image_layer, layer)
        self._set_labels(layer)
        self.objects_changed.emit(None)
        self._say(f"Opened {len(saved.objects.table):,} objects from {saved.path.name}.")

    def _take_wider(
        self,
        kept: KeptLabels,
        array: Any,
        since: list[Change],
        wider: SavedLabels | list[Any],
    ) -> None:
        try:
            if kept.shows(array):
                kept.widen(wider, since)
                self._transcript.add(self._call("widen_labels", about=LABELS))
                self._say(f"'{kept.layer.name}' is {kept.shown.dtype} now.")
            else:
                self._say("The labels are others by now, and stay as they are.")
        finally:
            kept.forget(since)


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
