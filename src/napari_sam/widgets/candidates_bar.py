"""The masks that one prompt may mean, side by side, to choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QToolButton, QWidget

from napari_sam.widgets.colors import BLUE, SKY_BLUE, as_hex
from napari_sam.widgets.keys import LARGER, SMALLER

if TYPE_CHECKING:
    from napari_sam.masks import Candidates, Mask

SIDE = 56
SIZES = ("small", "medium", "large")
NO_MASK_RGBA, GROUND_RGBA = (128, 128, 128, 60), (10, 10, 12, 255)
MASK_RGBA = (*(round(255 * part) for part in SKY_BLUE), 255)
"""The pictures are dark in light themes too, as the masks are seen so on most images."""
STYLE = f"""
QToolButton {{ border: 2px solid transparent; border-radius: 3px; padding: 2px; }}
QToolButton:checked {{ border-color: {as_hex(BLUE)}; }}
"""
TIP = (
    "The {} mask that the prompts may mean, and its predicted IoU. Alt + wheel, or {} and {}: the "
    "next larger and smaller one."
)
PREFERRED_TIP = (
    "Chosen by hand, so new objects begin with the {} mask. Press again to have the model choose."
)


class CandidatesBar(QWidget):
    """Three pictures of masks with their predicted IoU; one is chosen."""

    chosen = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setStyleSheet(STYLE)
        self._group = QButtonGroup(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for index in range(len(SIZES)):
            button = QToolButton()
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(QSize(SIDE, SIDE))
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setMinimumWidth(SIDE + 16)
            self._group.addButton(button, index)
            row.addWidget(button, 1)
        self._group.idClicked.connect(self.chosen)
        self.show_candidates(None, 0)

    def show_candidates(
        self, candidates: Candidates | None, rank: int, preferred: int | None = None
    ) -> None:
        """Show candidates, small to large: that at `rank` as chosen, `preferred` with a star."""
        masks = list(candidates or ())
        names = SIZES if len(masks) != 1 else ("mask",)
        self._group.setExclusive(False)
        for index, button in enumerate(self._group.buttons()):
            there = index < len(masks)
            button.setEnabled(there)
            button.setChecked(there and index == rank)
            mask = masks[index] if there else None
            button.setIcon(_icon(mask, masks, self.devicePixelRatioF()))
            name = names[index] if index < len(names) else "–"
            is_preferred = index == preferred and name in SIZES
            button.setText(f"{name}{' ★' * is_preferred}\n{_score_text(mask)}")
            tip = PREFERRED_TIP if is_preferred else TIP
            button.setToolTip(tip.format(name, LARGER.key, SMALLER.key))
        self._group.setExclusive(bool(masks))


def _score_text(mask: Mask | None) -> str:
    """Return the predicted IoU; nothing, if it is not known, as of objects found elsewhere."""
    return f"{mask.predicted_iou:.2f}" if mask and np.isfinite(mask.predicted_iou) else ""


def _icon(mask: Mask | None, masks: list[Mask], ratio: float) -> QIcon:
    """Draw a mask in the box around all of them, so that their sizes compare.

    `ratio` is how many pixels of the screen one of Qt's takes.
    """
    side = round(SIDE * ratio)
    picture = np.full((side, side, 4), GROUND_RGBA if mask else NO_MASK_RGBA, np.uint8)
    if mask is not None:
        picture[thumbnail(mask, masks, side)] = MASK_RGBA
    image = QImage(picture.tobytes(), side, side, 4 * side, QImage.Format.Format_RGBA8888)
    image.setDevicePixelRatio(ratio)
    return QIcon(QPixmap.fromImage(image))


def thumbnail(mask: Mask, masks: list[Mask], side: int) -> NDArray[np.bool_]:
    """Return a mask at (side, side), in the square around the boxes of all masks."""
    boxes = np.array([other.box for other in masks])
    start, stop = boxes[:, :2].min(0), boxes[:, 2:].max(0)
    step = (stop - start).max() * 1.1 / side
    corner = (start + stop) / 2 - step * side / 2
    rows, columns = (
        np.floor(corner[axis] + (np.arange(side) + 0.5) * step).astype(int) - mask.box[axis]
        for axis in (0, 1)
    )
    inside_rows = (rows >= 0) & (rows < mask.array.shape[0])
    inside_columns = (columns >= 0) & (columns < mask.array.shape[1])
    picture = np.zeros((side, side), bool)
    picture[np.ix_(inside_rows, inside_columns)] = mask.array[
        np.ix_(rows[inside_rows], columns[inside_columns])
    ]
    return picture
