"""What is segmented, with what, and into what: three lists to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Image as ImageLayer
from napari.layers import Labels
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QWidget

from napari_sam.model import list_models
from napari_sam.widgets.installed import installed
from napari_sam.widgets.model_rows import state_text

if TYPE_CHECKING:
    from napari_sam.model import ModelSpec
    from napari_sam.widgets.links import Links
    from napari_sam.widgets.scene import Scene

TO_FETCH = "Fetch it in the Models dock."
OPEN = "Open labels …"
IMAGE_TIP = "The image that is segmented."
MODEL_TIP = "What draws the masks. The dock Models fetches others."
LABELS_TIP = "Where objects are kept: in a new layer, in one of yours, or in labels on disk."


class LayersForm(QWidget):
    """Image, model and labels of a session.

    Parameters
    ----------
    scene : Scene
        Its own layers are not offered.
    links : Links
        Cut when the dock is closed.
    """

    image_chosen = Signal(object)
    labels_chosen = Signal(object)
    labels_wanted = Signal()
    """The user wants to open labels that are no layer yet."""

    def __init__(self, scene: Scene, links: Links) -> None:
        super().__init__()
        self._scene, self._session = scene, scene.session
        self._image, self._model, self._labels = QComboBox(), QComboBox(), QComboBox()
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        for title, combo, tip in (
            ("Image", self._image, IMAGE_TIP),
            ("Model", self._model, MODEL_TIP),
            ("Labels", self._labels, LABELS_TIP),
        ):
            combo.setToolTip(tip)
            combo.setMinimumContentsLength(12)  # names may be long, the dock is narrow
            combo.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            form.addRow(title, combo)
        self._image.activated.connect(self._on_image)
        self._model.activated.connect(self._on_model)
        self._labels.activated.connect(self._on_labels)
        self._link(links)
        self._show_models()
        self._show_layers()

    def _link(self, links: Links) -> None:
        layers = self._session.viewer.layers
        for event in ("inserted", "removed", "reordered", "renamed"):
            links.add(getattr(layers.events, event), self._show_layers)
        links.add(self._session.layers_changed, self._show_layers)
        links.add(installed.changed, self._show_models)

    def _on_image(self, index: int) -> None:
        self.image_chosen.emit(self._image.itemData(index))

    def _on_model(self, index: int) -> None:
        with self._session.telling():
            self._session.model = self._model.itemData(index)
        self._show_models()

    def _on_labels(self, index: int) -> None:
        if self._labels.itemData(index) == OPEN:
            self.labels_wanted.emit()
        else:
            self.labels_chosen.emit(self._labels.itemData(index))
        self._show_layers()

    def _show_models(self) -> None:
        """List the models, those that can be used first; the choice stays."""
        self._model.clear()
        for index, spec in enumerate(sorted(list_models(), key=lambda spec: not spec.installed)):
            is_here = spec.installed or self._is_open(spec)
            state = state_text(spec) if spec.installed or not is_here else "in use, file removed"
            self._model.addItem(f"{spec.name} · {state}", spec.name)
            tip = spec.description if spec.installed else f"{spec.description} {TO_FETCH}"
            self._model.setItemData(index, tip, Qt.ItemDataRole.ToolTipRole)
            self._model.model().item(index).setEnabled(is_here)
        self._model.setCurrentIndex(self._model.findData(self._session.model))

    def _is_open(self, spec: ModelSpec) -> bool:
        """Whether a model is in use, so that its file is not needed any more."""
        predictor = self._session.predictor
        is_open = predictor is not None and predictor.embeddings is not None
        return is_open and spec.name == self._session.model

    def _show_layers(self, event: Any = None) -> None:
        session = self._session
        layers = [layer for layer in session.viewer.layers if layer not in self._scene.layers]
        images = [layer for layer in layers if isinstance(layer, ImageLayer)]
        labels = [layer for layer in layers if isinstance(layer, Labels)]
        _fill(self._image, images, session.image, "choose …" if images else "no image")
        _fill(self._labels, labels, session.labels, "new layer")
        for combo, tip in ((self._image, IMAGE_TIP), (self._labels, LABELS_TIP)):
            combo.setToolTip(f"{combo.currentText()}\n\n{tip}")  # of a long name not all is seen
        self._labels.insertSeparator(self._labels.count())
        self._labels.addItem(OPEN, OPEN)
        self._model.setCurrentIndex(self._model.findData(session.model))


def _fill(combo: QComboBox, layers: list[Any], current: Any, nothing: str) -> None:
    """List layers, after an entry for none."""
    combo.clear()
    combo.addItem(nothing, None)
    for layer in layers:
        combo.addItem(layer.name, layer)
    combo.setCurrentIndex(layers.index(current) + 1 if current in layers else 0)
