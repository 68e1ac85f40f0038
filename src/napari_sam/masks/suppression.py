"""Of masks that overlap too much, the one with the best score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.overlap import (
    box_ious,
    inclusive,
    intersections,
    overlapping_boxes,
    shared_areas,
)

Measure = Literal["box", "mask", "smaller"]
"""How overlap is measured: IoU of the boxes, as SAM's own generator has it; IoU of the masks; or
the part of the smaller mask that lies in the other, so that no part stays beside its whole."""


def suppress(
    table: MaskTable,
    overlap: float = 0.7,
    by: Measure = "box",
    scores: ArrayLike | None = None,
) -> NDArray[np.int64]:
    """Drop masks that overlap one with a better score.

    Parameters
    ----------
    table : MaskTable
        The masks.
    overlap : float
        How much two kept masks may overlap at most, from 0 to 1.
    by : {"box", "mask", "smaller"}
        How overlap is measured (:data:`Measure`).
    scores : (N,) float array, optional
        Which mask is better. Default: the predicted IoU.

    Returns
    -------
    (K,) int64 array
        Rows that are kept, the best first.
    """
    return Suppression(table, by, scores).rows(overlap)


class Suppression:
    """`suppress` for one table and many overlaps, or many choices of rows.

    Pixels are counted only where it matters, and once: of masks whose boxes and areas let them
    overlap enough, when one of the two has been kept.

    Parameters
    ----------
    table, by, scores
        As for :func:`suppress`.
    """

    def __init__(
        self, table: MaskTable, by: Measure = "box", scores: ArrayLike | None = None
    ) -> None:
        if by not in get_args(Measure):
            raise ValueError(f"Overlap is measured by {by!r}; expected box, mask or smaller.")
        self._table, self._by = table, by
        self._order = best_first(table.predicted_iou if scores is None else np.asarray(scores))
        self._ranks = _by_rank(overlapping_boxes(table.boxes), self._order)
        pairs = self._order[self._ranks]
        if by == "box":
            self._values = self._bounds = box_ious(inclusive(table.boxes), pairs)
        else:
            shared = shared_areas(table.boxes[pairs].astype(np.int64))
            most = np.minimum(shared, table.areas[pairs].min(axis=1))
            self._bounds = self._overlap(most, pairs)
            self._values = np.full(len(pairs), np.nan)

    def rows(self, overlap: float, among: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Return the rows that are kept, the best first.

        Parameters
        ----------
        overlap : float
            How much two of them may overlap at most, from 0 to 1.
        among : (N,) bool array, optional
            Rows that there are; the others suppress none.
        """
        check_overlap(overlap)
        there = np.ones(len(self._order), bool) if among is None else among[self._order]
        return self._order[_keep_best(there, self._ranks, lambda ps: self._above(ps, overlap))]

    def _above(self, places: NDArray[np.int64], overlap: float) -> NDArray[np.int64]:
        """Return those of the pairs of one better mask, at some places, that overlap by more."""
        places = places[self._bounds[places] > overlap]
        new = places[np.isnan(self._values[places])]
        if len(new):
            pairs = self._order[self._ranks[new]]
            shared = intersections(self._table, int(pairs[0, 0]), pairs[:, 1])
            self._values[new] = self._overlap(shared, pairs)
        return places[self._values[places] > overlap]

    def _overlap(self, shared: NDArray[np.int64], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the overlap of pairs of masks that share so many pixels."""
        areas = self._table.areas[pairs]
        whole = areas.min(axis=1) if self._by == "smaller" else areas.sum(axis=1) - shared
        return shared / whole


def box_nms(boxes: ArrayLike, scores: ArrayLike, threshold: float) -> NDArray[np.int64]:
    """Drop boxes whose IoU with one of a better score exceeds a threshold.

    As ``torchvision.ops.nms``: greedy, areas without adding 1, strictly above, equal scores in the
    order given. SAM passes boxes up to and with the last pixel
    (:func:`~napari_sam.masks.overlap.inclusive`), in float32. A box without area suppresses none.

    Parameters
    ----------
    boxes : (N, 4) float array
        (y0, x0, y1, x1) or (x0, y0, x1, y1).
    scores : (N,) float array
        Which box is better.
    threshold : float
        From 0 to 1.

    Returns
    -------
    (K,) int64 array
        Rows that are kept, the best first.
    """
    check_overlap(threshold)
    corners = np.asarray(boxes)
    if corners.dtype.kind != "f":
        corners = corners.astype(np.float64)
    order = best_first(np.asarray(scores))
    pairs = overlapping_boxes(corners)
    ranks = _by_rank(pairs[box_ious(corners, pairs) > threshold], order)
    return order[_keep_best(np.ones(len(order), bool), ranks, lambda places: places)]


def best_first(scores: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the rows from the highest score to the lowest, those without one (NaN) last."""
    return np.argsort(-scores.astype(np.float64), kind="stable")


def check_overlap(overlap: float) -> None:
    """Refuse an overlap that is no share."""
    if not 0 <= overlap <= 1:
        raise ValueError(f"The overlap is {overlap}; expected a number from 0 to 1.")


def _by_rank(pairs: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return pairs of rows as ranks, the better one first, sorted by it."""
    ranks = np.sort(np.argsort(order)[pairs], axis=1)
    return ranks[np.argsort(ranks[:, 0], kind="stable")]


def _keep_best(
    is_kept: NDArray[np.bool_],
    ranks: NDArray[np.int64],
    exclude: Callable[[NDArray[np.int64]], NDArray[np.int64]],
) -> NDArray[np.bool_]:
    """Go through ranks from the best on, and drop what each that is kept excludes.

    Parameters
    ----------
    is_kept : (N,) bool array
        The ranks that there are; changed in place, and returned.
    ranks : (P, 2) int array
        Pairs that may exclude each other, from `_by_rank`.
    exclude : callable
        Given places in `ranks`, all of one better mask, returns those whose pairs do exclude
        each other.
    """
    better, worse = ranks[:, 0], ranks[:, 1]
    starts = np.searchsorted(better, np.arange(len(is_kept) + 1)).tolist()
    for one in np.unique(better).tolist():
        if is_kept[one]:
            start, stop = starts[one], starts[one + 1]
            places = start + np.flatnonzero(is_kept[worse[start:stop]])
            is_kept[worse[exclude(places)]] = False
    return is_kept
