"""What is segmented and with what: an image layer, a model, and the predictor of the two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from napari_sam.widgets.encoding_settings import EncodingSettings
from napari_sam.widgets.layers import open_layer
from napari_sam.widgets.links import Links
from napari_sam.widgets.predictor import Predictor, lazy_model

if TYPE_CHECKING:
    from napari.layers import Image as ImageLayer

    from napari_sam.image import Image
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
    model : Model or str
        As it was given.
    sliders : str
        A letter of "ptcz" for each axis of the layer in front of rows and columns.
    settings : EncodingSettings
        How the image is encoded.
    is_tuned : bool
        Whether `settings` have ever been others than those to begin with.
    predictor : Predictor or None
        Another one whenever layer, model or settings change, so that late answers can be told.
    """

    def __init__(self) -> None:
        self.layer: ImageLayer | None = None
        self.sliders = ""
        self.model: Model | str = "nano"
        self.model_name = "nano"
        self.settings = EncodingSettings()
        self.is_tuned = False
        self.predictor: Predictor | None = None
        self._model = lazy_model("nano")
        self._links = Links()

    def open(
        self,
        layer: ImageLayer | None,
        sliders: str,
        on_data: Callable[[], None],
        on_move: Callable[[], None],
        on_names: Callable[[], None],
    ) -> None:
        """Take an image layer, or none; if it cannot be opened, nothing changes.

        Of three methods, which are held weakly, `on_data` is called when its data become others,
        `on_move` when it comes to lie elsewhere in the world, and `on_names` when its axes are
        named otherwise.
        """
        image = None if layer is None else open_layer(layer, sliders)
        self._links.cut()
        if layer is not None:
            self._links.add(layer.events.data, on_data)
            self._links.add(layer.events.axis_labels, on_names)
            for name in PLACE_EVENTS:
                self._links.add(getattr(layer.events, name), on_move)
        if layer is not self.layer and self.settings.limits is not None:  # of the image before
            self.settings = replace(self.settings, normalization="auto")
        self.layer, self.sliders = layer, sliders
        self._predict_on(image)

    def use_sliders(self, sliders: str) -> None:
        """Look at the same layer with its axes understood in another way."""
        if self.layer is not None:
            self._predict_on(open_layer(self.layer, sliders))
        self.sliders = sliders

    def use_model(self, model: str | Model) -> None:
        """Take a model, by its name in the registry or itself; the halo follows its window."""
        self.model = model
        self.model_name = model if isinstance(model, str) else model.name
        self._use(replace(self.settings, halo=None))

    def use_settings(self, settings: EncodingSettings) -> None:
        """Have the image encoded in another way."""
        self.is_tuned = True
        self._use(settings)

    def _use(self, settings: EncodingSettings) -> None:
        self.settings = settings
        self._model = lazy_model(self.model, settings.precision)
        self._predict_on(None if self.predictor is None else self.predictor.image)

    def _predict_on(self, image: Image | None) -> None:
        name, settings = self.model_name, self.settings
        self.predictor = None if image is None else Predictor(image, self._model, name, settings)
