"""How objects are to be found, as the user chooses it; known before the network is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from napari_sam.masks.knobs import Thresholds

if TYPE_CHECKING:
    from napari_sam.segment.settings import FindSettings


@dataclass(frozen=True)
class How:
    """How to look for objects; the rest of `FindSettings` has its default.

    Attributes
    ----------
    mode : {"seeds", "grid", "watershed"}, optional
        None: what suits the model.
    points_per_side : int
        Of a grid.
    step : float, optional
        Level-0 pixels per sample; None: the finest.
    """

    mode: Literal["grid", "seeds", "watershed"] | None = None
    points_per_side: int = 32
    step: float | None = None

    def settings(self, thresholds: Thresholds | None = None) -> FindSettings:
        """Return settings that keep what thresholds keep; None: what suits mode and model.

        Slow the first time, as torch is imported.
        """
        from napari_sam.segment.settings import FindSettings

        mode, points, step = self.mode, self.points_per_side, self.step
        if thresholds is None:
            return FindSettings(mode=mode, points_per_side=points, step=step)
        return FindSettings(
            mode=mode,
            points_per_side=points,
            step=step,
            pred_iou=min(thresholds.predicted_iou, 1.0),
            stability=min(thresholds.stability, 1.0),
            overlap=thresholds.overlap,
            min_area=max(1, int(thresholds.min_area)),
            max_area=int(thresholds.max_area) if thresholds.max_area < math.inf else None,
        )
