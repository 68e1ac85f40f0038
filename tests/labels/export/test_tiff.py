"""A TIFF holds the same labels, tiled, with axes and pixel sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from napari_sam.labels.export import export_labels, tiff

from .scenes import plane, stack


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.uint32])
def test_labels_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: np.typing.DTypeLike
) -> None:
    monkeypatch.setattr(tiff, "TILE", 16)
    monkeypatch.setattr(tiff, "BAND", 32)
    labels = (stack() % 200).astype(dtype)
    path = export_labels(
        labels, tmp_path / "cells.tif", scale=(2, 0.5, 0.25), units=("micrometer",) * 3
    )
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        assert (series.axes, series.dtype, series.shape) == ("ZYX", dtype, labels.shape)
        assert file.pages[0].is_tiled
        assert not file.is_bigtiff
        np.testing.assert_array_equal(series.asarray(), labels)
        assert file.ome_metadata is not None
        for wanted in ('PhysicalSizeX="0.25"', 'PhysicalSizeY="0.5"', 'PhysicalSizeZ="2.0"', "µm"):
            assert wanted in file.ome_metadata


def test_zarr_and_one_plane(tmp_path: Path) -> None:
    array = zarr.create_array({}, shape=plane().shape, chunks=(16, 16), dtype="u4", fill_value=0)
    array[...] = plane()
    path = export_labels(array, tmp_path / "cells.ome.tiff")
    np.testing.assert_array_equal(tifffile.imread(path), plane())


def test_time_and_channels(tmp_path: Path) -> None:
    labels = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    path = export_labels(labels, tmp_path / "cells.tif", axes="tcyx")
    with tifffile.TiffFile(path) as file:
        assert file.series[0].axes == "TCYX"
        np.testing.assert_array_equal(file.series[0].asarray(), labels)


def test_large_files_are_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff, "CLASSIC_BYTES", 1000)
    path = export_labels(plane(), tmp_path / "cells.tif")
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff


def test_long_integers_become_shorter(tmp_path: Path) -> None:
    path = export_labels(plane().astype(np.int64), tmp_path / "cells.tif")
    found = tifffile.imread(path)
    assert found.dtype == np.uint32
    np.testing.assert_array_equal(found, plane())
    with pytest.raises(ValueError, match="do not fit into uint32"):
        export_labels(np.array([[0, 1 << 33]]), tmp_path / "large.tif")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cells.tif"]
