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
    channel_axis : int or None
        The axis of the layer whose positions are channels.
    predictor : Predictor or None
        Another one whenever layer or model change, so that late answers can be told.
    """

    def __init__(self) -> None:
        self.layer: ImageLayer | None = None
        self.channel_axis: int | None = None
        self.model_name = "nano"
        self.predictor: Predictor | None = None
        self._model = lazy_model("nano")
        self._links = Links()

    def open(
        self,
        layer: ImageLayer | None,
        channel_axis: int | None,
        on_data: Callable[[], None],
        on_move: Callable[[], None],
        on_names: Callable[[], None],
    ) -> None:
        """Take an image layer, or none; if it cannot be opened, nothing changes.

        Of three methods, which are held weakly, `on_data` is called when its data become others,
        `on_move` when it comes to lie elsewhere in the world, and `on_names` when its axes are
        named otherwise.
        """
        image = None if layer is None else open_layer(layer, channel_axis)
        self._links.cut()
        if layer is not None:
            self._links.add(layer.events.data, on_data)
            self._links.add(layer.events.axis_labels, on_names)
            for name in PLACE_EVENTS:
                self._links.add(getattr(layer.events, name), on_move)
        self.layer, self.channel_axis = layer, channel_axis
        self.predictor = None if image is None else Predictor(image, self._model, self.model_name)

    def use_channel_axis(self, channel_axis: int | None) -> None:
        """Look at the same layer with a range for each position along another axis, or with one."""
        self.channel_axis = channel_axis
        if self.layer is not None:
            image = open_layer(self.layer, channel_axis)
            self.predictor = Predictor(image, self._model, self.model_name)

    def use_model(self, model: str | Model) -> None:
        """Take a model, by its name in the registry or itself."""
        self._model = lazy_model(model)
        self.model_name = model if isinstance(model, str) else model.name
        if self.predictor is not None:
            self.predictor = Predictor(self.predictor.image, self._model, self.model_name)
