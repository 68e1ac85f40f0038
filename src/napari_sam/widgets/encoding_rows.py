"""Rows of a form: the tiles that an image is encoded in, the precision, and the normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QComboBox, QFormLayout, QLabel, QSpinBox

from napari_sam.widgets.encoding_settings import Normalization, Precision

if TYPE_CHECKING:
    from napari_sam.embedding import Embeddings
    from napari_sam.widgets.segment_session import SegmentSession

PRECISIONS: dict[str, Precision] = {
    "automatic": "auto",
    "float32": "float32",
    "bfloat16": "bfloat16",
}
NORMALIZATIONS: dict[str, Normalization] = {
    "automatic": "auto",
    "percentiles 1–99.8": "percentiles",
    "min – max": "min-max",
}
CONTRAST = "layer's contrast"
LARGEST_HALO = 511
"""Below half of the largest window there is."""

TILE_TIP = (
    "An image is encoded in tiles of the size that the model sees. Each answers for its core, and "
    "sees the halo around it too."
)
HALO_TIP = (
    "What a tile sees around its core, in samples. A larger halo shows more around objects at the "
    "border of a core, and takes more tiles. Another model begins with an eighth again."
)
PRECISION_TIP = (
    "Of the image encoder. By itself it is bfloat16 where the processor has units for it and masks "
    "stay the same, else float32, the official numbers. Choosing one loads the model again."
)
NORMALIZATION_TIP = (
    "Which values of the image read as black and white. By itself as of the images that the model "
    "learned from. Measured once, on a sample of the whole image; or taken from the layer's "
    "contrast limits as they are at this moment: moving that slider later changes nothing."
)


class EncodingRows:
    """Choices that have the image encoded anew, from the next prompt on.

    Parameters
    ----------
    session : SegmentSession
        Whose choices these are.
    form : QFormLayout
        Gets the rows, and keeps them.
    """

    def __init__(self, session: SegmentSession, form: QFormLayout) -> None:
        self._session = session
        self._tile, self._halo = QLabel(), QSpinBox()
        self._precision, self._normalization, self._limits = QComboBox(), QComboBox(), QLabel()
        self._tile.setToolTip(TILE_TIP)
        self._halo.setToolTip(HALO_TIP)
        self._halo.setRange(-1, LARGEST_HALO)
        self._halo.setSpecialValueText("an eighth")
        self._halo.setSuffix(" samples")
        self._halo.setKeyboardTracking(False)
        self._precision.setToolTip(PRECISION_TIP)
        self._precision.addItems(list(PRECISIONS))
        self._normalization.setToolTip(NORMALIZATION_TIP)
        self._normalization.addItems([*NORMALIZATIONS, CONTRAST])
        for box in (self._precision, self._normalization):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
        form.addRow("Tile", self._tile)
        form.addRow("Halo", self._halo)
        form.addRow("Precision", self._precision)
        form.addRow("Normalization", self._normalization)
        form.addRow("", self._limits)
        self._halo.valueChanged.connect(self._choose_halo)
        self._precision.activated.connect(self._choose_precision)
        self._normalization.activated.connect(self._choose_normalization)
        self.show()

    def _choose_halo(self, halo: int) -> None:
        with self._session.telling():
            self._session.halo = None if halo < 0 else halo

    def _choose_precision(self, index: int) -> None:
        with self._session.telling():
            self._session.precision = list(PRECISIONS.values())[index]
        self.show()

    def _choose_normalization(self, index: int) -> None:
        layer = self._session.image
        with self._session.telling():
            if index < len(NORMALIZATIONS):
                self._session.normalization = list(NORMALIZATIONS.values())[index]
            elif layer is not None:
                low, high = layer.contrast_limits
                self._session.normalization = (float(low), float(high))
        self.show()

    def show(self, event: Any = None) -> None:
        """Show what is chosen, and what that comes to for this image and model, once open."""
        session = self._session
        embeddings = session.predictor.embeddings if session.predictor else None
        self._halo.blockSignals(True)
        self._halo.setMaximum(
            LARGEST_HALO if embeddings is None else (embeddings.model.image_size - 1) // 2
        )
        self._halo.setValue(-1 if session.halo is None else session.halo)
        self._halo.blockSignals(False)
        self._precision.setCurrentIndex(list(PRECISIONS.values()).index(session.precision))
        chosen, names = session.normalization, list(NORMALIZATIONS.values())
        self._normalization.setCurrentIndex(
            names.index(chosen) if chosen in names else len(NORMALIZATIONS)
        )
        self._tile.setText("with the first click" if embeddings is None else tile(embeddings))
        self._limits.setText("" if embeddings is None else limits(embeddings))


def tile(embeddings: Embeddings) -> str:
    """Return what the tiles of an image are, in samples."""
    grid = embeddings.grid(1.0)
    return f"{grid.size} samples, core {grid.core_units}"


def limits(embeddings: Embeddings) -> str:
    """Return which raw values read as black and white, where that has been measured."""
    image = embeddings.image
    if image.channel_axis:  # measured as the channels are looked at
        return "for each channel"
    low, high = (f"{min(values):,.4g}" for values in (image.intensity.low, image.intensity.high))
    return f"black: {low}, white: {high}"
