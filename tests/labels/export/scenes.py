"""Small labels with what makes exports go wrong: holes, islands, corners, edges and large ids."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

SHAPE = (40, 50)

LABELS = (1, 2, 7, 70_000)

planes = hnp.arrays(
    np.uint32,
    st.tuples(st.integers(1, 14), st.integers(1, 14)),
    elements=st.sampled_from([0, 0, 0, 1, 2, 70_000]),
)


def plane() -> np.ndarray:
    """Return a ring with an island in its hole, two corners that touch, an edge and a bar."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[5:20, 5:20] = 1
    labels[9:16, 9:16] = 0
    labels[11:13, 11:13] = 1
    labels[25, 25] = labels[26, 26] = 2
    labels[30:, 44:] = 7
    labels[22:24, 2:48] = 70_000
    return labels


def stack() -> np.ndarray:
    """Return four planes: empty, the plane, the plane without label 1, empty."""
    other = plane()
    other[other == 1] = 0
    return np.stack([np.zeros_like(other), plane(), other, np.zeros_like(other)])


def image(n_planes: int | None = None) -> np.ndarray:
    """Return a ramp along both axes, brighter from plane to plane."""
    y, x = np.indices(SHAPE)
    one = (y + 100 * x).astype(np.uint16)
    return one if n_planes is None else np.stack([one + 10_000 * z for z in range(n_planes)])
