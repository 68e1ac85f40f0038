"""What the list of objects says of each, in a few characters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_sam.labels.objects import ObjectRecord

REVIEWED = "✓"


@dataclass(frozen=True)
class SizeUnit:
    """In what the size of objects is told.

    Parameters
    ----------
    factor : float
        Of one pixel, in this unit.
    text : str
        Such as "px", "µm²" or "µm³".
    """

    factor: float = 1.0
    text: str = "px"

    @classmethod
    def of(cls, layer: Layer | None) -> SizeUnit:
        """Return the unit that the scale of a layer gives: an area, or a volume in a stack.

        Without units of length it is pixels. An axis of time does not count.
        """
        if layer is None:
            return cls()
        axes = [i for i, unit in enumerate(layer.units) if unit.dimensionality == {"[length]": 1}]
        if not {layer.ndim - 2, layer.ndim - 1} <= set(axes):
            return cls()
        axes, unit = axes[-3:], layer.units[-1]
        sizes = [layer.scale[i] * (1 * layer.units[i]).to(unit).magnitude for i in axes]
        return cls(abs(math.prod(sizes)), f"{unit:~P}{'²' if len(axes) == 2 else '³'}")

    def tell(self, n_pixels: int) -> str:
        """Return the size of so many pixels, without the unit."""
        if self.text == "px":
            return f"{n_pixels:,}"
        size = n_pixels * self.factor
        digits = 0 if size == 0 else max(0, 2 - math.floor(math.log10(size)))
        return f"{size:,.{min(digits, 12)}f}"


def planes_text(row: Any) -> str:
    """Return on which planes an object is, such as "3–17", or "2, 3–17" with an axis before."""
    ranges = zip(row["first"].tolist(), row["last"].tolist(), strict=True)
    return ", ".join(f"{low}" if low == high else f"{low}–{high}" for low, high in ranges)


def score_text(row: Any) -> str:
    """Return the predicted IoU, the lowest of all planes; a dash if it is unknown."""
    return "–" if math.isnan(row["predicted_iou"]) else f"{row['predicted_iou']:.2f}"


def progress_text(n_reviewed: int, n_objects: int) -> str:
    """Say how far the review is; nothing, if there is nothing to review."""
    if not n_objects:
        return ""
    return f"{n_reviewed:,} of {n_objects:,} reviewed"


def made_text(record: ObjectRecord | None) -> str:
    """Say how an object was made, such as "nano, 2 points"; "" if that is not known."""
    if record is None or not record.model:
        return ""
    n_points = len(record.prompts.points)
    points = f"{n_points} point{'s' * (n_points > 1)}" if n_points else ""
    box = "box" if record.prompts.box is not None else ""
    return ", ".join(filter(None, (record.model, points, box)))
