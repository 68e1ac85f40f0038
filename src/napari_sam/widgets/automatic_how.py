"""How objects are to be found, as the user chooses it; known before the network is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_sam.masks.knobs import Thresholds

if TYPE_CHECKING:
    from napari_sam.embedding import Embeddings
    from napari_sam.segment.settings import FindSettings


Way = Literal["grid", "seeds", "watershed", "exact"]
"""A mode of `FindSettings`, or "exact": the grid of SAM's own generator over whole planes."""


@dataclass(frozen=True)
class How:
    """How to look for objects; the rest of `FindSettings` has its default.

    Attributes
    ----------
    mode : {"seeds", "grid", "watershed", "exact"}, optional
        None: what suits the model.
    points_per_side : int
        Of a grid.
    step : float, optional
        Level-0 pixels per sample; None: the finest. Not of "exact".
    """

    mode: Way | None = None
    points_per_side: int = 32
    step: float | None = None

    def settings(self, thresholds: Thresholds | None = None) -> FindSettings:
        """Return settings that keep what thresholds keep; None: what suits mode and model.

        Slow the first time, as torch is imported.
        """
        from napari_sam.segment.settings import FindSettings

        chosen: dict[str, Any] = {"points_per_side": self.points_per_side, "step": self.step}
        chosen |= {"exact": True} if self.mode == "exact" else {"mode": self.mode}
        if thresholds is None:
            return FindSettings(**chosen)
        if self.mode != "exact":  # its overlap is the official one
            chosen["overlap"] = thresholds.overlap
        return FindSettings(
            **chosen,
            pred_iou=min(thresholds.predicted_iou or 0, 1.0),
            stability=min(thresholds.stability or 0, 1.0),
            min_area=max(1, int(thresholds.min_area)),
            max_area=int(thresholds.max_area) if thresholds.max_area < math.inf else None,
        )

    def tile_step(self, embeddings: Embeddings) -> float | None:
        """Return the step of the tiles that are searched, None for the finest."""
        if self.mode != "exact":
            return self.step
        from napari_sam.segment.exact import whole_step

        return whole_step(embeddings)
