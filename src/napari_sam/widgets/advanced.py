"""What few users change: how the model looks, and what it is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSpinBox, QWidget

from napari_sam.widgets.encoding_rows import EncodingRows
from napari_sam.widgets.links import Links
from napari_sam.widgets.looking import StepChoice, resolution_text
from napari_sam.widgets.place_panel import PlacePanel
from napari_sam.widgets.rows import side_by_side

if TYPE_CHECKING:
    from napari_sam.widgets.ahead import Ahead
    from napari_sam.widgets.segment_session import SegmentSession

RESOLUTIONS: dict[str, StepChoice] = {
    "by zoom": "zoom",
    "full": None,
    **{resolution_text(step): step for step in (2.0, 4.0, 8.0, 16.0)},
}
STEP_TIP = (
    "How finely the model looks at the image. By zoom: as finely as the picture on screen, so that "
    "large objects are seen whole from afar. Objects that are larger than its view are looked at "
    "more coarsely anyway."
)
DIAMETER_TIP = (
    "About how large objects are, in pixels of the image; it then suggests the resolution. 0: not "
    "known."
)
NEIGHBORS_TIP = (
    "Where a mask runs into kept objects, they are given to the model as negative points, and it "
    "is asked again. Kept objects stay whole in any case, unless the rule for overlaps says "
    "otherwise."
)
AHEAD_TIP = (
    "While you look at the image, encode what is under the cursor, then what is on screen, then "
    "what lies around, so that clicks are answered at once."
)


class Advanced(QWidget):
    """How the model looks, how the image is encoded, and where that is kept.

    Parameters
    ----------
    session : SegmentSession
        Whose choices these are.
    ahead : Ahead
        Encodes for it.
    links : Links
        Cut when the dock is closed.

    Attributes
    ----------
    place : PlacePanel
        Its lane is to be stopped with the dock.
    """

    def __init__(self, session: SegmentSession, ahead: Ahead, links: Links) -> None:
        super().__init__()
        self._session, self._ahead = session, ahead
        self._build()
        for signal in (session.layers_changed, ahead.changed):
            links.add(signal, self.refresh)
        self._step.activated.connect(self._choose_step)
        self._diameter.valueChanged.connect(self._choose_diameter)
        self._neighbors.clicked.connect(self._choose_neighbors)
        self._is_ahead.clicked.connect(self._choose_ahead)
        self.place.said.connect(self._say)
        self._show()

    def _build(self) -> None:
        self._step, self._diameter = QComboBox(), QSpinBox()
        self._step.addItems(list(RESOLUTIONS))
        self._step.setToolTip(STEP_TIP)
        self._diameter.setRange(0, 1_000_000)
        self._diameter.setSpecialValueText("any")
        self._diameter.setSuffix(" px")
        self._diameter.setKeyboardTracking(False)
        self._diameter.setToolTip(DIAMETER_TIP)
        self._neighbors = QCheckBox("Neighbors are negatives")
        self._neighbors.setToolTip(NEIGHBORS_TIP)
        self._is_ahead = QCheckBox("Encode ahead")
        self._is_ahead.setToolTip(AHEAD_TIP)
        self.place, self._news = PlacePanel(self._session), ""
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Resolution", self._step)
        form.addRow("Object diameter", self._diameter)
        form.addRow(side_by_side(self._neighbors, self._is_ahead, spacing=4))
        self._encoding = EncodingRows(self._session, form)
        form.addRow(self.place)

    def showEvent(self, event: QShowEvent | None) -> None:
        """Show what there is now."""
        super().showEvent(event)
        self._say("")

    def refresh(self, event: Any = None) -> None:
        """Show what there is now, if anybody looks."""
        if self.isVisible():
            self._show()

    def _choose_step(self, index: int) -> None:
        with self._session.telling():
            self._session.step = list(RESOLUTIONS.values())[index]

    def _choose_diameter(self, diameter: int) -> None:
        with self._session.telling():
            self._session.object_diameter = diameter or None

    def _choose_neighbors(self, are_negatives: bool) -> None:
        with self._session.telling():
            self._session.neighbors = are_negatives

    def _choose_ahead(self, is_on: bool) -> None:
        self._ahead.is_on = is_on

    def _say(self, text: str) -> None:
        """Say what became of a choice of a place, until the next one."""
        self._news = text
        self._show()

    def _show(self) -> None:
        steps = list(RESOLUTIONS.values())
        step = self._session.step
        self._step.setCurrentIndex(steps.index(step) if step in steps else -1)
        self._diameter.blockSignals(True)
        self._diameter.setValue(round(self._session.object_diameter or 0))
        self._diameter.blockSignals(False)
        self._neighbors.setChecked(self._session.neighbors)
        self._is_ahead.setChecked(self._ahead.is_on)
        self._encoding.show()
        if self._news:
            self.place.say(self._news)
        else:
            self.place.show_survey(None)
