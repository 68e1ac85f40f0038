"""What a grid of points looks for."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from napari_sam.model.base import Model


@dataclass(frozen=True)
class GridSettings:
    """How to look for all objects with a grid of points, and which candidates to keep.

    Candidates are kept down to a `margin` below the thresholds, so that these can be moved later
    without asking the network again (:class:`napari_sam.masks.Knobs`).

    Parameters
    ----------
    points_per_side : int
        Points along each side of a window.
    pred_iou : float, optional
        Predicted IoU that an object must exceed. Default: what suits the model, whose predictions
        may be more or less sure of themselves than another's.
    stability : float, optional
        Stability that an object must reach. Default: what suits the model.
    stability_offset : float
        Stability compares the areas at logit thresholds plus and minus this.
    min_area, max_area : float
        Area of an object, in level-0 pixels.
    margin : float
        How far below `pred_iou` and `stability` candidates are kept.
    skip_covered : bool
        Whether points in objects that were already found are left out.
    skip_background : bool
        Whether points are left out around which the model's instance maps, if it has any, show
        nothing.
    exact : bool
        Ask every point, and measure every candidate at full resolution.
    """

    points_per_side: int = 32
    pred_iou: float | None = None
    stability: float | None = None
    stability_offset: float = 1.0
    min_area: float = 0
    max_area: float = inf
    margin: float = 0.1
    skip_covered: bool = True
    skip_background: bool = True
    exact: bool = False

    def __post_init__(self) -> None:
        if self.points_per_side < 1:
            raise ValueError(f"points_per_side is {self.points_per_side}; expected 1 or more.")
        if not 0 <= self.min_area <= self.max_area:
            raise ValueError(
                f"Areas from {self.min_area} to {self.max_area} pixels are asked for; expected "
                "the smaller one first, and none below 0."
            )
        if not (self.margin >= 0 and self.stability_offset >= 0):
            raise ValueError(
                f"margin is {self.margin} and stability_offset {self.stability_offset}; expected 0 "
                "or more."
            )

    def accepted_iou(self, model: Model) -> float:
        """Return what the predicted IoU of an object must exceed."""
        return model.accepted_iou if self.pred_iou is None else self.pred_iou

    def accepted_stability(self, model: Model) -> float:
        """Return what the stability of an object must reach."""
        return model.accepted_stability if self.stability is None else self.stability
