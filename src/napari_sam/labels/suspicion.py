"""Which object to look at first, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_sam.labels.object_rows import Rows

LOW_IOU = 0.8
LOW_STABILITY = 0.9
"""Below these the model itself is in doubt; SAM drops masks below 0.88 and 0.95 by default."""

ODD = 3.5
"""Modified z-score from which a size is odd (Iglewicz and Hoaglin, How to detect and handle
outliers, 1993)."""

LEAST_RATIO = 2.0
"""What differs less from the usual is never odd, however alike the others are."""

LEAST_OBJECTS = 5
"""Fewer do not tell what is usual."""

LOW_FILLED = 0.2
"""An object that fills so little of its box is thin, or in several parts."""

Severity = NDArray[np.float64]


@dataclass(frozen=True)
class UsualSize:
    """Median of the logarithm of the areas, and their spread: 1.4826 times the median deviation.

    The logarithm, because half the size is as odd as twice; medians, because some odd ones must not
    change what is usual.
    """

    log_area: float
    spread: float

    @classmethod
    def of(cls, areas: NDArray[np.int64]) -> UsualSize | None:
        """Return what is usual among objects; None if there are too few."""
        areas = areas[areas > 0]
        if len(areas) < LEAST_OBJECTS:
            return None
        logs = np.log(areas)
        middle = float(np.median(logs))
        return cls(middle, 1.4826 * float(np.median(np.abs(logs - middle))))

    def ratio(self, areas: Any) -> Any:
        """Return how many times the usual size that is."""
        return np.maximum(areas, 1) / np.exp(self.log_area)


def suspicion(rows: Rows, usual: UsualSize | None) -> NDArray[np.float64]:
    """Return how suspicious objects are, from 0 (nothing is odd) to 1; to sort by.

    Every hint has a severity s in [0, 1), and they add up as independent chances that something is
    wrong: 1 − Π(1 − s). So each more makes an object more suspicious, and many slight ones weigh as
    much as a grave one:

    ===============================  ==============================================
    predicted IoU below 0.8          up to 0.9, at 0
    a plane missing in between       0.6
    odd size                         0.3 and more, the farther from the usual
    stability score below 0.9        up to 0.6, at 0
    ends where tiles meet            0.35
    thin, or in parts                0.25
    touches the border of the image  0.15
    ===============================  ==============================================

    Parameters
    ----------
    rows : (N,) structured array
        See `row_dtype`.
    usual : UsualSize, optional
        Without it, no size is odd.

    Returns
    -------
    (N,) float array
        In [0, 1).
    """
    doubt = np.ones(len(rows))
    for hint in HINTS:
        doubt *= 1 - hint.severity(rows, usual)
    return 1 - doubt


def reasons(rows: Rows, index: int, usual: UsualSize | None) -> list[str]:
    """Say why an object is suspicious, a short phrase for each hint, the gravest first."""
    row = rows[index : index + 1]
    found = [(float(hint.severity(row, usual)[0]), hint) for hint in HINTS]
    found.sort(key=lambda pair: -pair[0])
    return [hint.phrase(row[0], usual) for severity, hint in found if severity > 0]


def _low_iou(rows: Rows, usual: UsualSize | None) -> Severity:
    return 0.9 * _below(rows["predicted_iou"], LOW_IOU)


def _low_stability(rows: Rows, usual: UsualSize | None) -> Severity:
    return 0.6 * _below(rows["stability_score"], LOW_STABILITY)


def _odd_size(rows: Rows, usual: UsualSize | None) -> Severity:
    if usual is None:
        return np.zeros(len(rows))
    log_ratio = np.abs(np.log(usual.ratio(rows["area"])))
    least = max(ODD * usual.spread, float(np.log(LEAST_RATIO)))
    return np.where(log_ratio >= least, 0.9 - 0.6 * least / np.maximum(log_ratio, least), 0.0)


def _missing(rows: Rows, usual: UsualSize | None) -> Severity:
    return np.where(rows["n_missing"] > 0, 0.6, 0.0)


def _at_seam(rows: Rows, usual: UsualSize | None) -> Severity:
    return np.where(rows["is_at_seam"], 0.35, 0.0)


def _in_parts(rows: Rows, usual: UsualSize | None) -> Severity:
    return np.where(rows["filled"] < LOW_FILLED, 0.25, 0.0)


def _at_border(rows: Rows, usual: UsualSize | None) -> Severity:
    return np.where(rows["is_at_border"], 0.15, 0.0)


def _below(scores: NDArray[np.float64], low: float) -> Severity:
    """Return how far below a limit, from 0 to 1; 0 if unknown."""
    return np.clip(1 - np.nan_to_num(scores, nan=low) / low, 0, 1)


def _size_phrase(row: Any, usual: UsualSize | None) -> str:
    ratio = float(usual.ratio(row["area"])) if usual else 1.0
    times = f"{ratio:.0f}×" if ratio >= 1 else f"1/{1 / ratio:.0f}"  # never odd below 2
    return f"{times} usual size"  # short, as there is little room in a list


def _missing_phrase(row: Any, usual: UsualSize | None) -> str:
    more = f" and {row['n_missing'] - 1:,} more" if row["n_missing"] > 1 else ""
    return f"gap at plane {row['missing']}{more}"


class Hint(NamedTuple):
    """Something odd: how grave it is for each row, and how to say it of one."""

    severity: Callable[[Rows, UsualSize | None], Severity]
    phrase: Callable[[Any, UsualSize | None], str]


HINTS = (
    Hint(_low_iou, lambda row, usual: f"low IoU {row['predicted_iou']:.2f}"),
    Hint(_missing, _missing_phrase),
    Hint(_odd_size, _size_phrase),
    Hint(_low_stability, lambda row, usual: f"low stability {row['stability_score']:.2f}"),
    Hint(_at_seam, lambda row, usual: "ends at a seam of tiles"),
    Hint(_in_parts, lambda row, usual: f"fills {row['filled']:.0%} of its box"),
    Hint(_at_border, lambda row, usual: "touches the border"),
)
