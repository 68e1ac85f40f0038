"""What a session shows in its viewer: clicks, box, the object being made, the hover outline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_sam.widgets.automatic_layer import CandidatesLayer
from napari_sam.widgets.box_layer import BoxLayer
from napari_sam.widgets.call_later import call_later
from napari_sam.widgets.hand import Hand
from napari_sam.widgets.hover_outline import HoverOutline
from napari_sam.widgets.insert_layer import insert_layer
from napari_sam.widgets.key_choices import key_choices
from napari_sam.widgets.keys import bind_keys
from napari_sam.widgets.layers import screen_px
from napari_sam.widgets.points_layer import PointsLayer
from napari_sam.widgets.preview import EDGE, FILL, MaskPreview
from napari_sam.widgets.review import Review
from napari_sam.widgets.tile_map import TileMap

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer
    from napari.layers import Layer, Points

    from napari_sam.embedding import TileGrid
    from napari_sam.masks import Mask
    from napari_sam.widgets.automatic_find import Found
    from napari_sam.widgets.lanes import Lanes
    from napari_sam.widgets.mouse import Mouse
    from napari_sam.widgets.segment_session import SegmentSession

    Mirror = TileMap | CandidatesLayer | MaskPreview | BoxLayer | PointsLayer


class Scene:
    """The layers that mirror a session; each is made when there is first something in it.

    The layers are held by reference: users may rename, move, hide or remove them.

    Parameters
    ----------
    session : SegmentSession
        What to show.

    Attributes
    ----------
    mouse : Mouse or None
        What listens to the mouse, for all docks of the viewer; made by the first one.
    lanes : Lanes or None
        What does the work, for all docks Segment of the viewer; made by the first one.
    """

    def __init__(self, session: SegmentSession) -> None:
        self.session = session
        self.hand = Hand(self)
        self.review = Review(session)
        self.tiles = TileMap()
        self.found = CandidatesLayer()
        self.object = MaskPreview("object")
        self.hover = HoverOutline(session.viewer)
        self.box = BoxLayer(session)
        self.points = PointsLayer()
        self.mouse: Mouse | None = None
        self.lanes: Lanes | None = None
        self._is_open = session.image is not None
        session.draft_changed.connect(self._show_draft)
        self.review.moved.connect(self._show_draft)
        session.hover_changed.connect(self._show_hover)
        session.layers_changed.connect(self._show_or_hide)
        key_choices.changed.connect(self._bind_keys)

    @property
    def layers(self) -> list[Layer]:
        """The layers that there are now, from bottom to top."""
        return [mirror.layer for mirror in self._mirrors if mirror.layer is not None]

    @property
    def _mirrors(self) -> tuple[Mirror, ...]:
        return self.tiles, self.found, self.object, self.box, self.points

    def _remove_misfits(self, image_layer: ImageLayer) -> None:
        """Take away what shows something of an image with other axes."""
        misfits = (
            mirror
            for mirror in self._mirrors
            if mirror.layer is not None and mirror.layer.ndim != image_layer.ndim
        )
        self._forget(*misfits)

    def ensure_clicks(self) -> Points | None:
        """Return the layer of clicks, which has the keys; None without an image."""
        image_layer = self.session.image
        if image_layer is None:
            return None
        self._ensure(self.points, image_layer)
        return self.points.layer

    def ensure_box(self) -> None:
        """Make the layer that boxes and strokes are drawn in, if there is an image."""
        if self.session.image is not None:
            self._ensure(self.box, self.session.image)

    def iter_ahead(self) -> Iterator[Layer]:
        """Make the layers that the first click shows something in.

        Each takes napari some 0.1 s, which nobody is to wait for with the mouse in the hand.
        """
        for mirror in (self.object, self.box):
            if self.session.is_in_use and (image_layer := self.session.image) is not None:
                yield self._ensure(mirror, image_layer)

    def _ensure(self, mirror: Mirror, image_layer: ImageLayer) -> Layer:
        """Return the layer of a mirror; makes it if it is not there, or has other axes."""
        layers = self.session.viewer.layers
        layer = mirror.layer
        if layer is not None and layer in layers and layer.ndim == image_layer.ndim:
            self._lift(layer, image_layer)
            return layer
        old, layer = layer, mirror.make(image_layer)
        if old is not None and old in layers:
            layers.remove(old)  # no longer the mirror's: nobody is to think that the user did it
        insert_layer(layers, self._position(layer, image_layer), layer)
        if isinstance(mirror, PointsLayer | BoxLayer):
            bind_keys(layer, self.hand)
        return layer

    def _lift(self, layer: Layer, image_layer: ImageLayer) -> None:
        """Move a layer above the image that it mirrors, if another image is chosen by now."""
        layers = self.session.viewer.layers
        place, above = layers.index(layer), layers.index(image_layer)
        if place < above:
            layers.move(place, above + 1)

    def _position(self, layer: Layer, image_layer: ImageLayer) -> int:
        """Return where a new layer goes: the map on the image, others on all but their like."""
        layers = self.session.viewer.layers
        if layer is self.tiles.layer:
            return int(layers.index(image_layer)) + 1
        above = [other for other in self.layers[self.layers.index(layer) + 1 :] if other in layers]
        return min(map(layers.index, above), default=len(layers))

    def show_tiles(
        self,
        plane: tuple[int, ...],
        grid: TileGrid,
        states: NDArray[np.uint8],
        going_on: tuple[int, int] | None,
    ) -> None:
        """Show the map of encoded tiles; see `TileMap.show`."""
        image_layer = self.session.image
        if image_layer is not None and image_layer.ndim == len(plane) + 2:
            self._ensure(self.tiles, image_layer)
            self.tiles.show(image_layer, plane, grid, states, going_on)

    def remove_tiles(self) -> None:
        """Take the map of encoded tiles away."""
        self._remove(self.tiles.layer)

    def show_found(self, found: Found, rows: NDArray[np.int64]) -> None:
        """Show some of the candidates that were found; see `CandidatesLayer.show`."""
        image_layer = self.session.image
        if image_layer is not None and image_layer.ndim == len(found.finding.plane) + 2:
            self._ensure(self.found, image_layer)
            self.found.show(image_layer, found, rows)

    def remove_found(self) -> None:
        """Take the candidates away."""
        self._remove(self.found.layer)

    def show_stroke(
        self, path: NDArray[np.float64], plane: tuple[int, ...], positive: bool
    ) -> None:
        """Show what is being drawn; see `BoxLayer.show_stroke`."""
        viewer, image_layer = self.session.viewer, self.session.image
        if image_layer is not None:
            self._ensure(self.box, image_layer)
            self.box.show_stroke(viewer, image_layer, path, plane, positive)

    def end_stroke(self) -> None:
        """Show the box again, if there is one."""
        if self.session.image is not None:
            self.box.show(self.session.viewer, self.session.image, self.session.draft)

    def _bind_keys(self) -> None:
        for mirror in (self.box, self.points):
            if mirror.layer is not None:
                bind_keys(mirror.layer, self.hand)

    def _forget(self, *mirrors: Mirror) -> None:
        """Take layers away that are no longer the mirrors': nobody is to think the user did it."""
        layers = [mirror.layer for mirror in mirrors]
        for mirror in mirrors:
            mirror.layer = None
        self._remove(*layers)

    def _remove(self, *layers: Layer | None) -> None:
        """Take layers away, together: napari looks for garbage once then, which takes it 0.2 s."""
        there = self.session.viewer.layers
        gone = [layer for layer in layers if layer is not None and layer in there]
        if gone:
            with there.batched_update():
                for layer in gone:
                    there.remove(layer)

    def _show_or_hide(self) -> None:
        """Hide all while there is no image for them to lie on; else leave them as they are.

        But for their units, which are those of the image, seen or not: napari shows none, and warns
        of it at each change, as long as those of any two layers differ.
        """
        image_layer = self.session.image
        is_open = image_layer is not None
        if image_layer is not None:
            for layer in self.layers:
                if layer.ndim == image_layer.ndim and layer.units != image_layer.units:
                    layer.units = image_layer.units
        if is_open != self._is_open:
            self._is_open = is_open
            for layer in self.layers:
                layer.visible = is_open
            if not is_open:
                call_later(self._clear_away)

    def _clear_away(self) -> None:
        """Remove what is hidden: of another unit than the next image, it would make napari warn.

        If it has fewer axes and is removed after that has come, napari has crashed. Later than the
        image, as napari goes through the layers while it removes them.
        """
        if not self._is_open and self.session.is_in_use:
            self._forget(*self._mirrors)

    def _show_draft(self) -> None:
        draft, image_layer = self.session.draft, self.session.image
        if image_layer is not None:
            self._remove_misfits(image_layer)
        if image_layer is not None and draft.mask is not None:
            self._draw(self.object, image_layer, draft.mask, draft.plane, EDGE, FILL)
        elif image_layer is not None and (current := self.review.current_mask) is not None:
            self._draw(self.object, image_layer, *current, EDGE, 0)
        else:
            self.object.hide()
        if image_layer is None:
            return
        if len(draft.prompts.points):
            self._ensure(self.points, image_layer)
        if draft.prompts.box is not None:
            self._ensure(self.box, image_layer)
        self.points.show(image_layer, draft)
        self.box.show(self.session.viewer, image_layer, draft)

    def _show_hover(self) -> None:
        hovered, image_layer = self.session.hovered, self.session.image
        if hovered is None or image_layer is None:
            self.hover.hide()
        else:
            self.hover.show(image_layer, *hovered)

    def _draw(
        self,
        preview: MaskPreview,
        image_layer: ImageLayer,
        mask: Mask,
        plane: tuple[int, ...],
        edge: int,
        fill: int,
    ) -> None:
        self._ensure(preview, image_layer)
        pixel = screen_px(self.session.viewer, image_layer)
        preview.show(image_layer, pixel, mask, plane, edge=edge, fill=fill)
