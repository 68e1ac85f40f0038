"""Tables hold what scikit-image measures on the whole array, in physical units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
from skimage.measure import regionprops

from napari_sam.image import open_image
from napari_sam.labels.export import export_labels, write_histograms

from .scenes import LABELS, image, plane, stack

SAME_NAMES = {
    "area": "area",
    "eccentricity": "eccentricity",
    "major_axis": "axis_major_length",
    "minor_axis": "axis_minor_length",
    "perimeter": "perimeter",
    "solidity": "solidity",
    "mean_0": "intensity_mean",
    "min_0": "intensity_min",
    "max_0": "intensity_max",
}


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_one_plane(tmp_path: Path, suffix: str) -> None:
    path = export_labels(
        plane(),
        tmp_path / f"cells.{suffix}",
        image=open_image(image(), axes="yx"),
        scale=(0.5, 0.5),
        units=("micrometer", "micrometer"),
        scores={"label": [7, 1], "predicted_iou": [0.25, 0.5], "point": [[31, 45], [6, 7]]},
    )
    table = pd.read_csv(path) if suffix == "csv" else pd.read_parquet(path)
    table = table.set_index("label")
    assert sorted(table.index) == list(LABELS)
    for expected in regionprops(plane().astype(int), image(), spacing=(0.5, 0.5)):
        row = table.loc[expected.label]
        for ours, theirs in SAME_NAMES.items():
            assert row[ours] == pytest.approx(expected[theirs], abs=1e-6), ours
        assert (row.centroid_y, row.centroid_x) == pytest.approx(expected.centroid)
        assert tuple(row[["y0", "x0", "y1", "x1"]]) == expected.bbox
        assert row.n_pixels == expected.area * 4
    assert set(table.unit) == {"micrometer"}
    assert table.predicted_iou[1] == 0.5
    assert np.isnan(table.predicted_iou[2])
    assert (table.point_y[7], table.point_x[7]) == (31, 45)


def test_columns_have_types(tmp_path: Path) -> None:
    path = export_labels(stack(), tmp_path / "cells.parquet", axes="tyx")
    schema = pyarrow.parquet.read_schema(path)
    assert [str(schema.field(name).type) for name in ("label", "t", "area", "unit")] == [
        "int64",
        "int64",
        "double",
        "string",
    ]
    table = pd.read_parquet(path)
    assert table.t.tolist() == [1] * 4 + [2] * 3
    assert set(table.unit) == {"pixel"}


def test_a_stack_has_volumes(tmp_path: Path) -> None:
    labels, pixels = stack(), image(n_planes=4)
    labels[2][labels[2] == 7] = 0
    labels[2, 39, 49] = 7
    path = export_labels(
        labels,
        tmp_path / "cells.csv",
        image=open_image(pixels, axes="zyx"),
        scale=(2, 0.5, 0.5),
    )
    table = pd.read_csv(path).set_index("label")
    for expected in regionprops(labels.astype(int), pixels, spacing=(2, 0.5, 0.5)):
        row = table.loc[expected.label]
        assert row.volume == pytest.approx(expected.area)
        centroid = (row.centroid_z, row.centroid_y, row.centroid_x)
        assert centroid == pytest.approx(expected.centroid)
        assert tuple(row[["z0", "y0", "x0", "z1", "y1", "x1"]]) == expected.bbox
        assert (row.mean_0, row.min_0, row.max_0) == pytest.approx(
            (expected.intensity_mean, expected.intensity_min, expected.intensity_max)
        )
    in_plane = {one.label: one for one in regionprops(labels[1].astype(int), spacing=(0.5, 0.5))}
    assert table.major_axis[7] == pytest.approx(in_plane[7].axis_major_length)


def test_a_label_at_two_times_is_two_rows(tmp_path: Path) -> None:
    labels = np.stack([stack(), stack()])
    path = export_labels(labels, tmp_path / "cells.csv", axes="tzyx")
    table = pd.read_csv(path)
    assert len(table) == 8
    assert table.groupby("t").volume.sum().tolist() == [(stack() > 0).sum()] * 2


def test_pixels_that_are_not_square_have_no_perimeter(tmp_path: Path) -> None:
    path = export_labels(plane(), tmp_path / "cells.csv", scale=(1, 2))
    table = pd.read_csv(path)
    assert table.perimeter.isna().all()
    assert table.area.sum() == 2 * (plane() > 0).sum()


def test_units_that_differ_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected one unit for z, y and x"):
        export_labels(plane(), tmp_path / "cells.csv", units=("micrometer", "nanometer"))


def test_without_a_unit_for_all_axes_sizes_are_in_pixels(tmp_path: Path) -> None:
    """As of a stack whose distance from plane to plane is not known."""
    units, scale = (None, "micrometer", "micrometer"), (1, 0.5, 0.5)
    known = {"scale": scale, "units": units}
    with pytest.warns(UserWarning, match="as one is not known, sizes are in pixels"):
        table = pd.read_csv(export_labels(stack(), tmp_path / "cells.csv", **known))
    assert set(table.unit) == {"pixel"}
    assert table.volume.sum() == (stack() > 0).sum()
    with pytest.warns(UserWarning, match="as one is not known"):
        assert write_histograms(stack(), tmp_path / "cells.png", **known).is_file()
