"""What an earlier session has left behind that ended in a crash: looked for, and made again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from napari_sam.labels.levels import Levels
from napari_sam.labels.recovery import Recovery, find_recovery
from napari_sam.widgets.arranging import Arranging
from napari_sam.widgets.chore import Chore
from napari_sam.widgets.in_order import in_order
from napari_sam.widgets.labels_layer import ShownLabels, insert_above, make_labels
from napari_sam.widgets.transcript import LABELS

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image as ImageLayer
    from napari.layers import Labels

    from napari_sam.image import Image
    from napari_sam.labels.store import ObjectStore

RECOVERED = """\
# What an earlier session had left when it ended in a crash, if it is still there.
session.recover()"""


class Recovering(Arranging):
    """The part of a session that offers what an earlier one has left.

    Parameters
    ----------
    viewer : napari.Viewer or ViewerModel
        Kept by weak reference.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__(viewer)
        self._identified: Image | None = None
        self._recovery: Recovery | None = None

    @property
    def recoverable(self) -> int:
        """How many objects an earlier session that ended in a crash has left for this image."""
        return 0 if self._recovery is None else self._recovery.n_objects

    @in_order
    def recover(self, *, wait: bool = True) -> None:
        """Make these objects again; other commands wait meanwhile.

        In a new labels layer; or, if they were made in labels that held something before, in those,
        if they are in the viewer and nothing has been done to them yet: pixels that hold something
        else by now than they held before are left alone. Labels on disk need no recovery.

        Raises
        ------
        OSError, ValueError
            If that cannot be done: because of the type of these labels, for example.
        """
        self.adopt_image()
        if wait and (looking := self.look_for_recovery()) is not None:
            looking.do()
        recovery, layer = self._recovery, self._source.layer
        if recovery is None or layer is None:
            self._say("There is nothing to recover.")
            return
        base = self._base_of(recovery)
        labels = base or make_labels(layer, self._predictor.image, at_least=recovery.highest)
        levels = Levels(ShownLabels(labels).levels)
        recovery.check(levels)
        self._recovery = None  # it is offered once
        was_editable = None if base is None else base.editable
        if base is not None:
            base.editable = False  # nobody paints there meanwhile
        self._rearrange(
            partial(_iter_recovered, recovery, levels, base is not None),
            partial(self._take_recovered, recovery, layer, labels, was_editable),
            wait,
            partial(self._offer_again, recovery, base, was_editable),
            lambda: base is None,
        )

    def discard_recovery(self) -> None:
        """Forget what an earlier session has left."""
        if self._recovery is not None:
            self._recovery.discard()
            self._recovery = self._identified = None  # there may be more
            self.layers_changed.emit()
            self.prepare()

    def look_for_recovery(self) -> Chore[Any] | None:
        """Return the work of finding out what there is to recover; None if that is known."""
        predictor = self._source.predictor
        if predictor is None or self._identified is predictor.image:
            return None
        self._identified = predictor.image
        identify = partial(_identify, predictor.image)
        return Chore(identify, self._take_identity, self._end_looking)

    # Inside

    def _base_of(self, recovery: Recovery) -> Labels | None:
        """Return the labels that changes were made in, if they are there as they were before.

        Those of the same name, or else those that are chosen.
        """
        from napari.layers import Labels

        if recovery.over is None:
            return None
        layers = [each for each in self.viewer.layers if each.name == recovery.over]
        for layer in (*layers, self.labels):
            if isinstance(layer, Labels) and ShownLabels(layer).fits(self._predictor.image):
                kept = self._target.of(layer)
                if not (kept.is_changed or kept.is_on_disk):
                    return layer
        return None

    def _take_recovered(
        self,
        recovery: Recovery,
        image_layer: ImageLayer,
        labels: Labels,
        was_editable: bool | None,
        objects: ObjectStore,
    ) -> None:
        is_new = was_editable is None
        if was_editable is not None:
            labels.editable = was_editable
        if not (self._source.layer is image_layer if is_new else labels in self.viewer.layers):
            recovery.release()
            return
        kept = self._target.of(labels)
        kept.note_in(recovery, objects)
        if is_new:
            kept.ids.set_highest(recovery.highest)
            kept.came_by = RECOVERED
            self._names.labels(kept, image_layer)
            insert_above(self.viewer, image_layer, labels)
        else:
            labels.refresh(extent=False, highlight=False)
        self._identified = None  # there may be more
        self._set_labels(labels)
        if not is_new:
            self._transcript.add(self._call("recover", about=LABELS))
        self.objects_changed.emit(None)
        self._say(f"Recovered {recovery.n_objects:,} objects in '{labels.name}'.")

    def _offer_again(
        self, recovery: Recovery, base: Labels | None, was_editable: bool | None
    ) -> None:
        if base is not None:
            base.editable = was_editable
        recovery.release()
        self._identified = None  # so that it is looked for again
        if not self.is_deserted:
            self.prepare()

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


def _iter_recovered(
    recovery: Recovery, levels: Levels, is_over: bool
) -> Iterator[str | ObjectStore]:
    yield "Recovering objects …"
    yield recovery.apply(levels, is_over=is_over)


def _identify(image: Image) -> Iterator[str | tuple[Image, str, Recovery | None]]:
    """Find out what tells an image from others, and what was left of work on it."""
    from napari_sam.embedding.key import hash_content  # torch, which is slow to import

    yield "Looking for objects of an earlier session …"
    identity = hash_content(image)
    shape = (*image.plane_shape, *image.shape_yx)
    yield image, identity, find_recovery(identity, shape)
