"""Tables of random masks that overlap."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.masks import Mask, MaskTable

SHAPE = (24, 24)
"""A plane that holds all of them."""

_arrays = hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))).filter(np.any)
# Few different scores, so that some are equal.
_scores = st.sampled_from([0.5, 0.75, 0.875, 1.0, float("nan")])
masks = st.builds(
    lambda array, y, x, iou, stability: Mask.from_array(
        array, y, x, predicted_iou=iou, stability_score=stability
    ),
    _arrays,
    st.integers(0, 12),
    st.integers(0, 12),
    _scores,
    _scores,
)
tables = st.lists(masks, max_size=12).map(MaskTable.of)
shares = st.sampled_from([0, 0.1, 0.25, 0.5, 0.7, 1])


def squares(*boxes: tuple[int, int, int, int], scores: list[float] | None = None) -> MaskTable:
    """Return full boxes as masks, each less sure than the one before unless scores are given."""
    given = scores or [1 - 0.01 * i for i in range(len(boxes))]
    return MaskTable.of(
        Mask.from_array(np.ones((y1 - y0, x1 - x0), bool), y0, x0, predicted_iou=score)
        for (y0, x0, y1, x1), score in zip(boxes, given, strict=True)
    )
