"""The field of cells is an OME-Zarr image like any other, and its labels are true."""

from __future__ import annotations

import numpy as np
import pytest
import yaozarrs
import zarr
from skimage.measure import label, regionprops

from napari_sam.image import Window, open_image
from napari_sam.image.cells import CellStore, cell_field, cell_labels

SHAPE = (3000, 5000)


def test_levels_halve_and_are_plain_zarr_arrays() -> None:
    levels = cell_field(SHAPE)
    assert [level.shape for level in levels] == [
        (3000, 5000), (1500, 2500), (750, 1250), (375, 625), (188, 313),
    ]  # fmt: skip
    assert all(isinstance(level, zarr.Array) and level.chunks == (128, 128) for level in levels)


def test_any_size_costs_nothing_until_it_is_read() -> None:
    far = cell_field((1_000_000, 1_000_000))[0][999_000:999_100, 123_456:123_556]
    assert far.std() > 0


def test_metadata_are_valid_ome_zarr() -> None:
    group = zarr.open_group(CellStore(SHAPE), mode="r")
    for node in (group, group["labels"], group["labels/cells"]):
        yaozarrs.validate_ome_object(dict(node.attrs)["ome"])
    assert sorted(group.keys()) == ["0", "1", "2", "3", "4", "labels"]
    image = open_image(group)
    assert (image.axes, image.shape_yx) == ("yx", SHAPE)
    assert [level.downsample[0] for level in image.levels] == [1, 2, 4, 8, 16]


def test_the_same_every_time_and_across_chunks() -> None:
    levels, again = cell_field(SHAPE), cell_field(SHAPE)
    np.testing.assert_array_equal(levels[0][500:530, 1000:1060], again[0][500:530, 1000:1060])
    assert (cell_field(SHAPE, seed=1)[0][:200, :200] != levels[0][:200, :200]).any()
    # A shape that is seen from both sides of a chunk border is one shape.
    ids = cell_labels(SHAPE)[0][:, 500:524]
    seam = ids[:, 11] == ids[:, 12]
    inside = ids[:, 5] == ids[:, 6]
    assert abs(seam.mean() - inside.mean()) < 0.02


def test_cells_look_like_cells() -> None:
    image, ids = (levels[0][:1024, :2048] for levels in (cell_field(SHAPE), cell_labels(SHAPE)))
    cells = [cell for cell in regionprops(ids) if cell.bbox[0] > 0 and cell.bbox[2] < 1024]
    lengths = [cell.axis_major_length for cell in cells]
    assert len(cells) > 200
    assert 25 < np.median(lengths) < 60
    assert image[ids > 0].mean() > 3 * image[ids == 0].mean()
    assert 0.1 < (ids > 0).mean() < 0.6
    assert image.max() < 255, "nothing is saturated"
    touching = label(ids > 0).max() < 0.9 * len(np.unique(ids))
    assert touching


def test_each_id_is_one_cell() -> None:
    ids = cell_labels(SHAPE)[0][700:1300, 700:1300]
    boxes = [cell.bbox for cell in regionprops(ids)]
    assert max(max(y1 - y0, x1 - x0) for y0, x0, y1, x1 in boxes) < 75
    assert ids.dtype == np.int32


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_coarse_levels_show_the_same_cells(level: int) -> None:
    """A coarse level resembles the average of the finest, in the middle of the image."""
    step, levels = 2**level, cell_field(SHAPE)
    fine = levels[0][1024:2048, 2048:3072].astype(float)
    mean = fine.reshape(1024 // step, step, 1024 // step, step).mean(axis=(1, 3))
    coarse = levels[level][1024 // step : 2048 // step, 2048 // step : 3072 // step]
    assert np.corrcoef(mean.ravel(), coarse.ravel())[0, 1] > 0.8
    assert coarse.mean() == pytest.approx(mean.mean(), rel=0.15)


def test_brightness_goes_on_where_single_cells_fade() -> None:
    levels = cell_field((40_000, 40_000))
    cells, density = (levels[k][: 20_000 >> k, : 20_000 >> k].astype(float) for k in (4, 5))
    assert density.mean() == pytest.approx(cells.mean(), rel=0.25)


def test_coarse_labels_are_the_labels_at_their_centers() -> None:
    fine, coarse = cell_labels(SHAPE)[:2]
    centers = fine[1000:1200, 1000:1200].reshape(100, 2, 100, 2)
    agree = (coarse[500:600, 500:600][:, None, :, None] == centers).any(axis=(1, 3))
    assert agree.mean() > 0.99


def test_a_window_of_a_large_field_opens() -> None:
    image = open_image(cell_field((100_000, 100_000)))
    window = image.read(Window(50_000, 60_000, 64))
    assert window.shape == (1, 64, 64)


def test_the_store_is_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        zarr.open_group(CellStore(SHAPE), mode="r+")
    with pytest.raises(ValueError, match="cannot be written to"):
        cell_field(SHAPE)[0][:10, :10] = 0


@pytest.mark.parametrize("shape", [(0, 10), (10, 2_000_000)])
def test_impossible_sizes_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="between 1 and 1000000 pixels"):
        cell_field(shape)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="found -1"):
        cell_field(SHAPE, seed=-1)
