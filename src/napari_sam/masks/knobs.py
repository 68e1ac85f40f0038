"""Thresholds that act on a table of masks at once, without asking the model again."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import numpy as np
from numpy.typing import NDArray

from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.suppression import Measure, Suppression, check_overlap


@dataclass(frozen=True)
class Thresholds:
    """What a mask must have to be kept. A mask without a score passes the threshold for it.

    Parameters
    ----------
    predicted_iou : float, optional
        Must be exceeded, unless it is 0 or less. Default: what suits the model that found the mask
        (`MaskTable.accepted`).
    stability : float, optional
        Must be reached, unless it is 0 or less. The default as of `predicted_iou`.
    min_area, max_area : float
        In pixels, both included.
    overlap : float
        How much two kept masks may overlap at most, from 0 to 1.
    """

    predicted_iou: float | None = None
    stability: float | None = None
    min_area: float = 0
    max_area: float = inf
    overlap: float = 0.7

    def __post_init__(self) -> None:
        check_overlap(self.overlap)
        if not 0 <= self.min_area <= self.max_area:
            raise ValueError(
                f"The areas run from {self.min_area} to {self.max_area} pixels; expected 0 or "
                f"more, and the smaller one first."
            )


class Knobs:
    """The masks of one table that pass thresholds, quickly again when one of these moves.

    Parameters
    ----------
    table : MaskTable
        All candidates.
    by : {"mask", "smaller", "box"}
        How overlap is measured (:data:`~napari_sam.masks.suppression.Measure`).
    """

    def __init__(self, table: MaskTable, by: Measure = "mask") -> None:
        self.table = table
        self._suppression = Suppression(table, by)

    def rows(self, thresholds: Thresholds | None = None) -> NDArray[np.int64]:
        """Return the rows that pass, from the highest predicted IoU to the lowest."""
        thresholds = thresholds or Thresholds()
        return self._suppression.rows(thresholds.overlap, among=self._passes(thresholds))

    def _passes(self, thresholds: Thresholds) -> NDArray[np.bool_]:
        """Whether each row passes all thresholds but that of the overlap."""
        table, (iou, stability) = self.table, self.table.accepted.tolist()
        iou = iou if thresholds.predicted_iou is None else thresholds.predicted_iou
        stability = stability if thresholds.stability is None else thresholds.stability
        passes = (table.areas >= thresholds.min_area) & (table.areas <= thresholds.max_area)
        if iou > 0:
            passes &= ~(table.predicted_iou <= np.float32(iou))
        if stability > 0:
            passes &= ~(table.stability < np.float32(stability))
        return passes
