"""roifile reads the regions back."""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import roifile
import shapely

from napari_sam.labels.export import export_labels

from .scenes import LABELS, SHAPE, plane, stack


def pixels_of(region: roifile.ImagejRoi) -> np.ndarray:
    """Return the pixels whose centers lie inside an odd number of rings."""
    rings = region.coordinates(multi=True)
    y, x = np.indices(SHAPE) + 0.5
    inside = [shapely.contains_xy(shapely.Polygon(ring), x, y) for ring in rings]
    return reduce(np.logical_xor, inside)


def test_one_plane(tmp_path: Path) -> None:
    labels = plane()
    regions = roifile.roiread(export_labels(labels, tmp_path / "cells.zip"))
    assert {int(region.name) for region in regions} == set(LABELS)
    for region in regions:
        is_object = labels == int(region.name)
        np.testing.assert_array_equal(pixels_of(region), is_object)
        rows, columns = np.nonzero(is_object)
        assert (region.top, region.left) == (rows.min(), columns.min())
        assert (region.bottom, region.right) == (rows.max() + 1, columns.max() + 1)
        assert (region.roitype == roifile.ROI_TYPE.POLYGON) == (int(region.name) > 2)


def test_slices_and_times(tmp_path: Path) -> None:
    labels = stack()
    path = export_labels(np.stack([np.zeros_like(labels), labels]), tmp_path / "cells.zip")
    regions = roifile.roiread(path)
    assert len(regions) == 7
    for region in regions:
        *_, label = region.name.split("-")
        assert (region.c_position, region.t_position) == (2, 0)
        np.testing.assert_array_equal(
            pixels_of(region), labels[region.z_position - 1] == int(label)
        )


def test_what_lies_too_far_out_is_refused(tmp_path: Path) -> None:
    labels = np.zeros((2, 33_000), np.uint8)
    labels[0, -1] = 9
    with pytest.raises(ValueError, match=r"Object 9 reaches to \(1, 33000\).*GeoJSON instead"):
        export_labels(labels, tmp_path / "cells.zip")
    assert not list(tmp_path.iterdir())
