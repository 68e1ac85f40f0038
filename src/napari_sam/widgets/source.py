"""What is segmented and with what: an image layer, a model, and the predictor of the two."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from napari_sam.widgets.layers import open_layer
from napari_sam.widgets.links import Links
from napari_sam.widgets.predictor import Predictor, lazy_model

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

    from napari_sam.model.base import Model

PLACE_EVENTS = ("scale", "translate", "rotate", "shear", "affine", "units")
"""Of a layer, when it comes to lie elsewhere in the world."""


class Source:
    """An image layer and a model; neither is opened before the predictor is first asked.

    Attributes
    ----------
    layer : Image layer or None
        What is segmented.
    model_name : str
        With what.
    predictor : Predictor or None
        Another one whenever layer or model change, so that late answers can be told.
    """

    def __init__(self) -> None:
        self.layer: ImageLayer | None = None
        self.model_name = "nano"
        self.predictor: Predictor | None = None
        self._model = lazy_model("nano")
        self._links = Links()

    def open(
        self, layer: ImageLayer | None, on_data: Callable[[], None], on_move: Callable[[], None]
    ) -> None:
        """Take an image layer, or none; if it cannot be opened, nothing changes.

        Of two methods, which are held weakly, `on_data` is called when its data become others, and
        `on_move` when it comes to lie elsewhere in the world.
        """
        image = None if layer is None else open_layer(layer)
        self._links.cut()
        if layer is not None:
            self._links.add(layer.events.data, on_data)
            for name in PLACE_EVENTS:
                self._links.add(getattr(layer.events, name), on_move)
        self.layer = layer
        self.predictor = None if image is None else Predictor(image, self._model, self.model_name)

    def use_model(self, model: str | Model) -> None:
        """Take a model, by its name in the registry or itself."""
        self._model = lazy_model(model)
        self.model_name = model if isinstance(model, str) else model.name
        if self.predictor is not None:
            self.predictor = Predictor(self.predictor.image, self._model, self.model_name)
