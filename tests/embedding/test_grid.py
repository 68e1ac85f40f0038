"""Tiles answer for every pixel exactly once, and see enough around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from napari_sam.embedding import TileGrid


@st.composite
def grids(draw: st.DrawFn) -> TileGrid:
    size = draw(st.integers(1, 16)) * 8
    step = 2.0 ** draw(st.integers(-3, 4))
    halo = draw(st.integers(0, size // 2 - 1))
    shape = draw(st.tuples(st.integers(1, 600), st.integers(1, 600)))
    unit = max(step, 1)
    assume(size * step / unit - 2 * np.ceil(halo * step / unit) >= 1)
    grid = TileGrid(shape, size, halo, step)
    assume(np.prod(grid.tiles) < 400)
    return grid


def all_tiles(grid: TileGrid) -> list[tuple[int, int]]:
    return list(np.ndindex(grid.tiles))


@given(grids())
def test_cores_partition_the_image(grid: TileGrid) -> None:
    owners = np.zeros(grid.shape_yx, int)
    for row, col in all_tiles(grid):
        y0, x0, y1, x1 = grid.core(row, col)
        assert y0 < y1
        assert x0 < x1
        owners[y0:y1, x0:x1] += 1
    assert (owners == 1).all()


@given(grids())
def test_windows_see_the_core_and_the_halo_where_the_image_goes_on(grid: TileGrid) -> None:
    halo = grid.halo * grid.step
    for row, col in all_tiles(grid):
        extent = np.array(grid.window(row, col).extent).reshape(2, 2)
        core = np.array(grid.core(row, col)).reshape(2, 2)
        shape = np.array(grid.shape_yx)
        assert ((core[0] - extent[0] >= halo) | (extent[0] == 0)).all()
        assert ((extent[1] - core[1] >= halo) | (extent[1] >= shape)).all()
        assert (extent[0] <= core[0]).all()
        assert (extent[1] >= core[1]).all()


@given(grids())
def test_windows_lie_in_the_image_unless_it_is_smaller(grid: TileGrid) -> None:
    side = grid.size * grid.step
    for row, col in all_tiles(grid):
        y0, x0, y1, x1 = grid.window(row, col).extent
        assert min(y0, x0) >= 0
        for start, stop, length in ((y0, y1, grid.shape_yx[0]), (x0, x1, grid.shape_yx[1])):
            assert start == 0 if length <= side else stop < length + grid.step


@given(grids(), st.data())
def test_the_tile_at_a_position_is_the_one_whose_core_holds_it(
    grid: TileGrid, data: st.DataObject
) -> None:
    y, x = (data.draw(st.floats(-0.5, n - 0.5, exclude_max=True)) for n in grid.shape_yx)
    y0, x0, y1, x1 = grid.core(*grid.tile_at(y, x))
    assert y0 - 0.5 <= y < y1 - 0.5
    assert x0 - 0.5 <= x < x1 - 0.5


def test_a_small_image_is_one_tile() -> None:
    grid = TileGrid((300, 512), 512, 64)
    assert grid.tiles == (1, 1)
    assert grid.core(0, 0) == (0, 0, 300, 512)
    assert grid.window(0, 0, (3,)).extent == (0, 0, 512, 512)
    assert grid.window(0, 0, (3,)).plane == (3,)


def test_border_tiles_are_full_windows_moved_inwards() -> None:
    grid = TileGrid((1000, 513), 512, 64)
    assert grid.tiles == (3, 2)
    assert grid.window(2, 1).extent == (488, 1, 1000, 513)
    assert [grid.core(row, 0)[0::2] for row in range(3)] == [(0, 448), (448, 832), (832, 1000)]


def test_a_huge_grid_is_only_numbers() -> None:
    grid = TileGrid((10**9, 10**9), 1024, 128, 2.0)
    row, col = grid.tile_at(123_456_789, 987_654_321)
    y0, x0, y1, x1 = grid.core(row, col)
    assert y0 <= 123_456_789 < y1
    assert x0 <= 987_654_321 < x1


@pytest.mark.parametrize("position", [(-0.6, 0), (0, 99.5), (float("nan"), 0), (0, float("inf"))])
def test_positions_outside_are_refused(position: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="outside the image"):
        TileGrid((100, 100), 64, 8).tile_at(*position)


@pytest.mark.parametrize("tile", [(-1, 0), (0, 3)])
def test_tiles_that_do_not_exist_are_refused(tile: tuple[int, int]) -> None:
    grid = TileGrid((100, 100), 64, 8)
    assert grid.tiles == (2, 2)
    for method in (grid.window, grid.core):
        with pytest.raises(ValueError, match="not one of the 2 by 2 tiles"):
            method(*tile)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((0, 10), 64, 8), "not empty"),
        (((10, 10), 64, 32), "halo"),
        (((10, 10), 64, -1), "halo"),
        (((10, 10), 64, 8, 3.0), "power of two"),
        (((10, 10), 20, 2, 0.125), "whole pixels"),
    ],
)
def test_impossible_grids_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TileGrid(*arguments)
