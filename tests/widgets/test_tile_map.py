"""The map of encoded tiles: small, and exactly where the tiles are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from napari.components import ViewerModel
from napari.layers import Image

from napari_sam.embedding import TileGrid
from napari_sam.widgets.session import scene
from napari_sam.widgets.tile_map import (
    ABSENT,
    GOING_ON,
    IN_MEMORY,
    IN_STORE,
    LEAST_SIDE,
    MOST_SIDE,
    TileMap,
    map_axis,
)

LENGTHS = st.integers(1, 120_000)
STEPS = st.sampled_from([0.25, 0.5, 1, 2, 4, 8])
SIZES = st.sampled_from([(256, 32), (512, 64), (1024, 128), (1024, 0), (1024, 96)])


def edges_of(grid, axis):
    """Where the cores begin, and where the last one ends."""
    tiles = [(k, 0) if axis == 0 else (0, k) for k in range(grid.tiles[axis])]
    cores = [grid.core(*tile) for tile in tiles]
    return np.array([core[axis] for core in cores] + [cores[-1][axis + 2]])


@given(length=LENGTHS, step=STEPS, size=SIZES)
def test_pixels_of_the_map_end_where_cores_end(length, step, size):
    grid = TileGrid((length, 1), *size, step)
    assume(length <= MOST_SIDE * np.gcd(grid.halo_units, grid.core_units) * grid.unit)
    widths, pixel = map_axis(grid, 0)
    drawn = np.concatenate([[0], np.cumsum(widths)]) * pixel
    np.testing.assert_array_equal(drawn[:-1], edges_of(grid, 0)[:-1])
    assert 0 <= length - drawn[-1] < pixel
    assert length // pixel >= LEAST_SIDE or grid.tiles[0] == 1 or pixel % 2


def test_the_map_stays_small_whatever_the_image():
    grid = TileGrid((2_000_000, 133_000), 512, 64, 1)
    assert np.prod(grid.tiles) > 67_000
    for axis in (0, 1):
        widths, _ = map_axis(grid, axis)
        assert widths.sum() <= MOST_SIDE


def test_an_odd_halo_is_drawn_rounded():
    grid = TileGrid((100_000, 100_000), 1024, 101, 1)
    widths, pixel = map_axis(grid, 0)
    drawn = np.concatenate([[0], np.cumsum(widths)]) * pixel
    assert widths.sum() <= MOST_SIDE
    assert np.abs(drawn - edges_of(grid, 0)).max() <= pixel


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"scale": (2.0, 0.5), "translate": (100, -7)},
        {"rotate": 30, "scale": (0.3, 0.3)},
    ],
)
def test_it_lies_on_the_image(where):
    image_layer = Image(np.zeros((700, 900), np.uint8), **where)
    grid = TileGrid((700, 900), 256, 32, 1)
    states = np.zeros(grid.tiles, np.uint8)
    states[1, 2], states[2, 0] = IN_MEMORY, IN_STORE
    tile_map = TileMap()
    layer = tile_map.make(image_layer)
    tile_map.show(image_layer, (), grid, states, (0, 1))
    assert layer.data.nbytes < image_layer.data.nbytes / 2
    for tile, value in {
        (1, 2): IN_MEMORY,
        (2, 0): IN_STORE,
        (0, 1): GOING_ON,
        (1, 1): ABSENT,
    }.items():
        y0, x0, y1, x1 = grid.core(*tile)
        for corner in ((y0 + 3, x0 + 3), (y1 - 4, x1 - 4)):
            assert layer.get_value(image_layer.data_to_world(corner), world=True) == value


def test_it_stands_on_its_plane():
    image_layer = Image(np.zeros((2, 5, 300, 300), np.uint8), scale=(1, 3, 1, 1))
    grid = TileGrid((300, 300), 256, 32, 1)
    tile_map = TileMap()
    layer = tile_map.make(image_layer)
    tile_map.show(image_layer, (1, 3), grid, np.ones(grid.tiles, np.uint8))
    assert layer.data.shape[:2] == (1, 1)
    assert layer.data_to_world((0, 0, 0, 0))[:2] == image_layer.data_to_world((1, 3, 0, 0))[:2]


def test_layers_and_selection_of_the_user_stay(make_session):
    viewer = ViewerModel()
    image_layer = viewer.add_image(np.zeros((300, 300), np.uint8))
    points = viewer.add_points()
    session = make_session(viewer)
    session.adopt_image()
    grid = TileGrid((300, 300), 256, 32, 1)
    scene(viewer).show_tiles((), grid, np.ones(grid.tiles, np.uint8), None)
    layer = scene(viewer).tiles.layer
    assert list(viewer.layers) == [image_layer, layer, points]
    assert set(viewer.layers.selection) == {points}
    assert not layer.editable
    scene(viewer).remove_tiles()
    assert list(viewer.layers) == [image_layer, points]
    assert set(viewer.layers.selection) == {points}
