"""The order in which tiles are wanted."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.embedding import Embeddings, TileGrid
from napari_sam.embedding.view import View, _ring, count_in_view, view_order

from .slow_model import make

coordinates = st.floats(-200, 900).map(lambda value: value + 0.0)  # no -0.0


@st.composite
def views(draw: st.DrawFn) -> tuple[Embeddings, View]:
    plane_shape = draw(st.sampled_from([(), (3,), (2, 3)]))
    embeddings = make((*plane_shape, draw(st.integers(40, 600)), draw(st.integers(40, 600))))
    (y0, y1), (x0, x1) = (sorted(draw(st.tuples(coordinates, coordinates))) for _ in "yx")
    screen = draw(st.sampled_from([None, (y0, x0, y1, x1)]))
    cursor = draw(st.none() | st.tuples(st.floats(y0, y1), st.floats(x0, x1)))
    plane = tuple(draw(st.integers(0, n - 1)) for n in plane_shape)
    return embeddings, View(plane, screen, cursor, draw(st.sampled_from([1.0, 2.0])))


@given(views())
def test_every_tile_comes_once_and_those_on_screen_first(case: tuple[Embeddings, View]) -> None:
    embeddings, view = case
    grid = embeddings.grid(view.step)
    order = list(view_order(embeddings, view))
    n_near = count_in_view(grid, view)
    if not n_near:
        assert not order
        return
    everywhere = {
        grid.window(*index[-2:], index[:-2])
        for index in np.ndindex(*embeddings.image.plane_shape, *grid.tiles)
    }
    assert len(order) == len(everywhere) and set(order) == everywhere
    y0, x0, y1, x1 = view.area
    on_screen = {
        grid.window(row, column, view.plane)
        for row, column in np.ndindex(grid.tiles)
        for top, left, bottom, right in [grid.core(row, column)]
        if y0 < bottom - 0.5 and x0 < right - 0.5 and y1 >= top - 0.5 and x1 >= left - 0.5
    }
    assert set(order[:n_near]) == on_screen
    if view.cursor and (np.floor(np.add(view.cursor, 0.5)) == grid_pixel(grid, view.cursor)).all():
        assert order[0] == embeddings.window_at(*view.cursor, step=view.step, plane=view.plane)


def grid_pixel(grid: TileGrid, yx: tuple[float, float]) -> np.ndarray:
    """Return the pixel of the plane that is closest to a position."""
    return np.floor(np.add(yx, 0.5)).clip(0, np.array(grid.shape_yx) - 1)


def distance(grid: TileGrid, shown: tuple[range, range], row: int, column: int) -> int:
    return max(
        max(part.start - k, k - part.stop + 1, 0)
        for part, k in zip(shown, (row, column), strict=True)
    )


@given(views())
def test_neighbors_come_by_their_distance(case: tuple[Embeddings, View]) -> None:
    embeddings, view = case
    grid = embeddings.grid(view.step)
    order = list(view_order(embeddings, view))
    if order:
        shown = grid.tiles_in(view.area)
        between = [
            sum(abs(a - b) for a, b in zip(window.plane, view.plane, strict=True))
            for window in order
        ]
        away = [
            distance(grid, shown, *grid.tile_of(window)) + n
            for window, n in zip(order, between, strict=True)
        ]
        ranks = list(zip(away, between, strict=True))
        assert ranks == sorted(ranks)


def test_on_screen_the_nearest_to_the_cursor_come_first() -> None:
    embeddings = make((300, 400))
    view = View((), (0, 0, 299, 399), (150, 20), 1.0)
    centers = [
        np.array(window.extent).reshape(2, 2).mean(axis=0)
        for window in view_order(embeddings, view)
    ]
    distances = [np.hypot(*(center - view.cursor)) for center in centers]
    assert distances[0] == min(distances)
    rough = np.array(distances[1:])
    assert (rough[1:] >= rough[:-1] - 24).all()  # windows at the border are moved inwards


def test_an_image_without_end_is_ordered_lazily() -> None:
    pixels = np.broadcast_to(np.uint8(0), (1000, 1000, 100_000, 100_000))
    from napari_sam.image import Intensity, open_image

    embeddings = Embeddings(
        open_image(pixels, axes="tzyx", intensity=Intensity((0,), (1,))), make().model
    )
    view = View((500, 500), (50_000, 50_000, 50_100, 50_100), None, 1.0)
    first = list(islice(view_order(embeddings, view), 100))
    assert len(set(first)) == 100
    n_near = count_in_view(embeddings.grid(1), view)
    assert {window.plane for window in first[:n_near]} == {(500, 500)}
    assert (500, 501) in {window.plane for window in first}


def test_a_screen_without_end_is_ordered_lazily() -> None:
    grid = TileGrid((10**6, 10**6), 64, 8)
    tiles = _ring(grid, (range(grid.tiles[0]), range(50)), 0, (5e5, 100))
    first = np.array(list(islice(tiles, 2000)))
    assert len(np.unique(first, axis=0)) == 2000
    assert np.abs(first - first[0]).max() < 60


def test_a_plane_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="no plane"):
        next(view_order(make((3, 300, 400)), View((3,), None, (0, 0), 1.0)))
