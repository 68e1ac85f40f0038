"""What few users change: how finely the model looks, and what it is told; opens on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtGui import QIcon
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QSpinBox, QWidget
from superqt import QCollapsible

from napari_sam.widgets.links import Links
from napari_sam.widgets.looking import StepChoice, resolution_text

if TYPE_CHECKING:
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


class Advanced(QCollapsible):
    """Resolution, size of objects and neighbors of a session.

    Parameters
    ----------
    session : SegmentSession
        Whose choices these are.
    links : Links
        Cut when the dock is closed.
    """

    def __init__(self, session: SegmentSession, links: Links) -> None:
        # Signs of the text have its color; superqt's icons are dark in dark themes too.
        super().__init__(expandedIcon=QIcon(), collapsedIcon=QIcon())
        self._session = session
        self.toggled.connect(self._name)
        self._name(False)
        self.setDuration(0)
        self.layout().setContentsMargins(0, 0, 0, 0)
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
        content = QWidget()
        form = QFormLayout(content)
        form.setContentsMargins(0, 0, 0, 0)
        form.addRow("Resolution", self._step)
        form.addRow("Object diameter", self._diameter)
        form.addRow(self._neighbors)
        self.addWidget(content)
        links.add(session.layers_changed, self._show)
        self._step.activated.connect(self._choose_step)
        self._diameter.valueChanged.connect(self._choose_diameter)
        self._neighbors.clicked.connect(self._choose_neighbors)
        self._show()

    def _name(self, is_open: bool) -> None:
        self.setText(f"{'▾' if is_open else '▸'} Advanced")

    def _choose_step(self, index: int) -> None:
        with self._session.telling():
            self._session.step = list(RESOLUTIONS.values())[index]

    def _choose_diameter(self, diameter: int) -> None:
        with self._session.telling():
            self._session.object_diameter = diameter or None

    def _choose_neighbors(self, are_negatives: bool) -> None:
        with self._session.telling():
            self._session.neighbors = are_negatives

    def _show(self, event: Any = None) -> None:
        steps = list(RESOLUTIONS.values())
        step = self._session.step
        self._step.setCurrentIndex(steps.index(step) if step in steps else -1)
        self._diameter.blockSignals(True)
        self._diameter.setValue(round(self._session.object_diameter or 0))
        self._diameter.blockSignals(False)
        self._neighbors.setChecked(self._session.neighbors)
