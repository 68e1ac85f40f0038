"""Which labels a session works on: a list of the layers there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox

if TYPE_CHECKING:
    from napari_sam.widgets.links import Links
    from napari_sam.widgets.scene import Scene

TIP = "The labels whose objects are listed."


class LabelsChoice(QComboBox):
    """Lists the Labels layers of a viewer; one is that of the session, or none.

    Parameters
    ----------
    scene : Scene
        Its own layers are not offered.
    links : Links
        Cut when the dock is closed.

    Attributes
    ----------
    failed : Signal of str
        Emitted with the reason why a layer cannot be chosen.
    """

    failed = Signal(str)

    def __init__(self, scene: Scene, links: Links) -> None:
        super().__init__()
        self._scene, self._session = scene, scene.session
        self.setMinimumContentsLength(12)  # names may be long, the dock is narrow
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.activated.connect(self._choose)
        layers = self._session.viewer.layers
        for event in ("inserted", "removed", "reordered", "renamed"):
            links.add(getattr(layers.events, event), self._show)
        links.add(self._session.layers_changed, self._show)
        self._show()

    @property
    def layers(self) -> list[Labels]:
        """The layers to choose from."""
        others = (each for each in self._session.viewer.layers if each not in self._scene.layers)
        return [layer for layer in others if isinstance(layer, Labels)]

    def _choose(self, index: int) -> None:
        try:
            self._session.labels = self.itemData(index)
        except (ValueError, TypeError) as error:
            self.failed.emit(str(error))
        self._show()

    def _show(self, event: Any = None) -> None:
        layers = self.layers
        self.clear()
        self.addItem("choose …" if layers else "no labels", None)
        for layer in layers:
            self.addItem(layer.name, layer)
        current = self._session.labels
        self.setCurrentIndex(layers.index(current) + 1 if current in layers else 0)
        self.setToolTip(f"{self.currentText()}\n\n{TIP}")  # of a long name not all is seen
