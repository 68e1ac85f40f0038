"""Sample data as napari opens it."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer

from napari_sam.widgets import samples
from napari_sam.widgets.layers import open_layer


@pytest.mark.parametrize(
    ("sample", "shape"),
    [("coins", (303, 384)), ("cell", (660, 550)), ("cell_field", (20_000, 20_000))],
)
def test_samples_open_as_images(sample, shape):
    ((data, metadata, kind),) = getattr(samples, sample)()
    layer = Layer.create(data, metadata, kind)
    assert open_layer(layer).shape_yx == shape


def test_any_part_of_the_field_can_be_looked_at():
    ((levels, _, _),) = samples.cell_field()
    part = np.asarray(levels[0][12_000:12_200, 7_000:7_200])
    assert part.std() > 0
    np.testing.assert_array_equal(part, levels[0][12_000:12_200, 7_000:7_200])
