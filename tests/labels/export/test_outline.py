"""An outline encloses the pixels of its mask, and nothing else."""

from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis.extra import numpy as hnp

from napari_sam.labels.export.outline import pixel_outline
from napari_sam.masks import Mask

from .scenes import plane

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=10)).filter(np.any)


@given(masks)
def test_pixels_inside_and_outside(array: np.ndarray) -> None:
    outline = pixel_outline(Mask.from_array(array, 3, 5))
    assert outline.is_valid
    assert outline.area == array.sum()
    y, x = np.indices((16, 18)) + 0.5
    inside = shapely.contains_xy(outline, x, y)
    np.testing.assert_array_equal(inside, Mask.from_array(array, 3, 5).to_array(inside.shape))


def test_a_ring_with_an_island() -> None:
    outline = pixel_outline(Mask.from_array(plane() == 1))
    assert [len(part.interiors) for part in outline.geoms] in ([1, 0], [0, 1])
    ring = max(outline.geoms, key=lambda part: part.area)
    assert len(ring.exterior.coords) == 5  # nothing but the corners


def test_a_thousand_rows_are_one_rectangle() -> None:
    outline = pixel_outline(Mask.from_array(np.ones((1000, 3), bool)))
    assert outline.equals(shapely.box(0, 0, 3, 1000))
    assert len(outline.exterior.coords) == 5
