"""What is known about objects besides their pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sam.masks.mask_table import MaskTable

COLUMNS = ("predicted_iou", "stability", "point")


@dataclass(frozen=True)
class Scores:
    """Scores of objects by label.

    Attributes
    ----------
    rows : dict
        Label → row of the columns.
    columns : dict
        "predicted_iou" and "stability" (N,), "point" (N, 2) as (row, column); any may be missing.
    """

    rows: Mapping[int, int]
    columns: Mapping[str, NDArray[Any]]

    @classmethod
    def parse(cls, scores: Mapping[str, ArrayLike] | None) -> Scores:
        """Return scores of the columns "label" and any of "predicted_iou", "stability", "point".

        Raises
        ------
        ValueError
            If there is another column, a label is listed twice, or the lengths differ.
        """
        if scores is None:
            return cls({}, {})
        columns = {name: np.asarray(column) for name, column in scores.items()}
        labels = columns.pop("label", None)
        if labels is None or set(columns) - set(COLUMNS):
            raise ValueError(
                f"The scores have the columns {', '.join(scores)}; expected label and any of "
                f"{', '.join(COLUMNS)}."
            )
        for name, column in columns.items():
            expected = (len(labels), 2) if name == "point" else (len(labels),)
            if column.shape != expected:
                raise ValueError(
                    f"The scores are for {len(labels)} labels, and the column {name} has shape "
                    f"{column.shape}; expected {expected}."
                )
        rows = {int(label): row for row, label in enumerate(labels)}
        if len(rows) < len(labels):
            raise ValueError("The scores list a label twice; expected one row for each object.")
        return cls(rows, columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Columns of a table: those there are, a point as its row and its column."""
        split = {"point": ("point_y", "point_x")}
        present = (name for name in COLUMNS if name in self.columns)
        return tuple(part for name in present for part in split.get(name, (name,)))

    def of(self, label: int) -> dict[str, float]:
        """Return the scores of an object under their `names`; NaN where there is none."""
        row = self.rows.get(label)
        if row is None:
            return dict.fromkeys(self.names, nan)
        parts = [np.atleast_1d(self.columns[n][row]) for n in COLUMNS if n in self.columns]
        values = np.concatenate(parts).tolist() if parts else []
        return dict(zip(self.names, values, strict=True))


def table_scores(table: MaskTable, labels: ArrayLike | None = None) -> dict[str, NDArray[Any]]:
    """Return the scores of a table of masks, as the functions that export labels take them.

    Parameters
    ----------
    table : MaskTable
        The masks.
    labels : (N,) int array, optional
        Number of each in the labels. Default: 1, 2, …, as `paint` numbers them.
    """
    numbers = np.arange(1, len(table) + 1) if labels is None else np.asarray(labels)
    return {
        "label": numbers,
        "predicted_iou": table.predicted_iou,
        "stability": table.stability,
        "point": table.points,
    }
