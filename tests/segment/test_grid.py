"""A grid of points, in one window and over a plane."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.image.window import Window
from napari_sam.masks import Knobs, MaskTable, Thresholds
from napari_sam.model.point_decoder import PointDecoder
from napari_sam.segment.grid import GridSearch, grid_points, window_masks
from napari_sam.segment.grid_settings import GridSettings
from napari_sam.segment.point_grid import coarse_to_fine, unit_grid
from napari_sam.segment.segment_grid import segment_grid

SETTINGS = GridSettings(points_per_side=16, pred_iou=0.55, stability=0.3, margin=0)
CENTERS = [(20, 30), (20, 80), (64, 64), (100, 20), (95, 100)]


def disks(shape, centers, radius=11):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return np.any([np.hypot(y - cy, x - cx) < radius for cy, cx in centers], axis=0)


@pytest.fixture
def search(embed):
    """Return a function from a boolean image to embeddings whose model answers many points."""

    def make(bright):
        embeddings = embed(bright)
        answer = embeddings.model.decode

        def decode(features, points, labels):
            each = [answer(features, p[None], s[None]) for p, s in zip(points, labels, strict=True)]
            return tuple(map(torch.cat, zip(*each, strict=True)))

        embeddings.model.decode = decode
        return embeddings

    return make


def find(embeddings, settings=SETTINGS, **kwargs):
    window = embeddings.grid().window(0, 0)
    features, shape = embeddings.features(window), embeddings.image.shape_yx
    return window_masks(embeddings.model, features, window, shape, settings, **kwargs)


def count_objects(table: MaskTable, centers) -> int:
    """How many disks the best masks are, one for one."""
    best = table.select(Knobs(table).rows(Thresholds(predicted_iou=0.7, stability=0.3)))
    assert len(best) <= len(centers)
    return sum(any(mask.contains(y, x) for mask in best) for y, x in centers)


def test_every_object_of_a_window_is_found(search):
    bright = disks((128, 128), CENTERS)
    embeddings = search(bright)
    table = find(embeddings)
    assert count_objects(table, CENTERS) == len(CENTERS)
    best = table.select(Knobs(table).rows(Thresholds(predicted_iou=0.7, stability=0.3)))
    painted = np.any([mask.to_array(bright.shape) for mask in best], axis=0)
    assert (painted & bright).sum() / (painted | bright).sum() > 0.9
    assert np.isin(table.predicted_iou, np.float32([0.6, 0.9])).all()  # not the third mask, of 0.4
    assert all(mask.contains(*point) for mask, point in zip(table, table.points, strict=True))


def test_points_in_objects_that_were_found_are_left_out(search):
    bright = disks((128, 128), CENTERS)
    every, few = search(bright), search(bright)
    find(every, GridSettings(**{**vars(SETTINGS), "skip_covered": False}))
    table = find(few)
    assert count_objects(table, CENTERS) == len(CENTERS)
    assert len(every.model.decoded) == 16**2
    in_disks = bright.sum() / 8**2
    assert len(few.model.decoded) < 16**2 - in_disks / 2
    asked = np.array([call["points"][0, 0].flip(0).tolist() for call in few.model.decoded])
    for center in CENTERS:  # one point alone may have been mistaken
        assert np.sum(np.hypot(*(asked - center).T) < 11) >= 2


@pytest.mark.parametrize("batch", [3, 64, 256])
def test_how_many_points_are_asked_at_once_changes_nothing(search, monkeypatch, batch):
    bright = disks((128, 128), CENTERS)
    monkeypatch.setattr(PointDecoder, "batch", 1)
    one_by_one = find(search(bright))
    monkeypatch.setattr(PointDecoder, "batch", batch)
    at_once = find(search(bright))
    np.testing.assert_array_equal(at_once.points, one_by_one.points)
    np.testing.assert_array_equal(at_once.boxes, one_by_one.boxes)
    np.testing.assert_array_equal(at_once.areas, one_by_one.areas)


def test_points_where_instance_maps_show_nothing_are_left_out(search):
    bright = disks((128, 128), CENTERS)
    embeddings = search(bright)
    model = embeddings.model
    model.has_instance_maps = True
    model.instance_maps = lambda features: features.maps[0].repeat(1, 3, 1, 1)[..., ::4, ::4]
    assert count_objects(find(embeddings), CENTERS) == len(CENTERS)
    asked = np.array([call["points"][0, 0].flip(0).tolist() for call in model.decoded])
    from_disks = [np.hypot(*(asked - center).T) - 11 for center in CENTERS]
    assert np.min(from_disks, axis=0).max() < 2**0.5 * 12
    everywhere = GridSettings(**vars(SETTINGS) | {"skip_covered": False, "skip_background": False})
    model.decoded.clear()
    find(embeddings, everywhere)
    assert len(model.decoded) == 16**2


def test_large_objects_do_not_hide_others(search):
    bright = np.ones((128, 128), bool)
    embeddings = search(bright)
    find(embeddings)
    assert len(embeddings.model.decoded) == 16**2


def test_occupied_points_are_left_out(search):
    bright = disks((128, 128), CENTERS)
    embeddings = search(bright)
    table = find(embeddings, occupied=lambda points: points[:, 0] < 50)
    assert table.points[:, 0].min() > 50
    assert count_objects(table, CENTERS[2:]) == 3


def test_candidates_pass_the_thresholds_or_nearly(search):
    embeddings = search(disks((128, 128), CENTERS))
    assert set(find(embeddings).predicted_iou) == {np.float32(0.6), np.float32(0.9)}
    strict = GridSettings(16, pred_iou=0.85, stability=0.3, margin=0)
    assert set(find(embeddings, strict).predicted_iou) == {np.float32(0.9)}
    with_margin = GridSettings(16, pred_iou=0.85, stability=0.3, margin=0.3)
    assert set(find(embeddings, with_margin).predicted_iou) == {np.float32(0.6), np.float32(0.9)}
    small = GridSettings(16, pred_iou=0.55, stability=0.3, max_area=420)
    assert find(embeddings, small).areas.max() <= 420
    assert len(find(embeddings, GridSettings(16, pred_iou=2.0))) == 0


@pytest.mark.parametrize("exact", [False, True])
def test_exactly_or_fast_the_same_objects(search, exact):
    settings = GridSettings(16, pred_iou=0.55, stability=0.3, exact=exact)
    embeddings = search(disks((128, 128), CENTERS))
    assert count_objects(find(embeddings, settings), CENTERS) == len(CENTERS)
    assert (len(embeddings.model.decoded) == 16**2) == exact


def test_a_search_can_be_left(search):
    embeddings = search(disks((128, 128), CENTERS))
    window = embeddings.grid().window(0, 0)
    run = GridSearch(
        embeddings.model, embeddings.features(window), window, (128, 128), SETTINGS
    ).iter_masks(grid_points(window, (128, 128), 16))
    next(run)
    run.close()
    assert len(embeddings.model.decoded) <= 2


@given(
    y=st.integers(0, 3).map(lambda k: 96 * k),
    step=st.sampled_from([0.5, 1.0, 2.0]),
    shape=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    n=st.integers(1, 40),
)
def test_points_lie_in_window_and_image_and_fill_both(y, step, shape, n):
    window = Window(y * step, 0, 128, step)
    points = grid_points(window, shape, n)
    spacing = 128 * step / n
    stop = np.minimum(window.extent[2:], shape)
    assert ((points >= np.array([window.y, 0]) - 0.5) & (points < stop - 0.5)).all()
    area = np.prod(np.maximum(stop - (window.y, 0), 0))
    sides = np.maximum(stop - (window.y, 0), 0) / spacing
    assert np.prod(np.maximum(sides - 1, 0)) <= len(points) <= np.prod(sides + 1) + 1e-6 * area
    assert len(np.unique(points, axis=0)) == len(points)


@pytest.mark.parametrize("step", [0.5, 1.0, 4.0])
def test_the_grid_of_a_window_is_the_official_one(step):
    """Half a sample beside it, one object in twenty would not be found again."""
    window = Window(0, 0, 128, step)
    points = window.to_window(grid_points(window, (1000, 1000), 16))
    assert np.allclose(points[np.lexsort(points.T[::-1])], unit_grid(16) * 128)


def test_coarse_points_come_first():
    indices = np.stack(np.meshgrid(np.arange(32), np.arange(32), indexing="ij"), -1).reshape(-1, 2)
    ordered = indices[coarse_to_fine(indices)]
    for n, stride in ((4, 16), (16, 8), (64, 4), (256, 2), (1024, 1)):
        assert set(map(tuple, ordered[:n])) == {
            (i, j) for i in range(0, 32, stride) for j in range(0, 32, stride)
        }


PLANE_CENTERS = [(y, x) for y in range(20, 300, 40) for x in range(15, 340, 45)]


def test_a_plane_of_tiles(search):
    """Objects on seams are found in both tiles, and kept once."""
    embeddings = search(disks((300, 340), PLANE_CENTERS))
    assert np.prod(embeddings.grid().tiles) > 4
    table = segment_grid(embeddings, settings=SETTINGS)
    assert count_objects(table, PLANE_CENTERS) == len(PLANE_CENTERS)
    assert len(np.unique(table.tiles, axis=0)) == np.prod(embeddings.grid().tiles)
    for row in range(len(table)):
        assert embeddings.grid().tile_at(*table.points[row]) == tuple(table.tiles[row])


def test_plain_thresholds_are_those_that_suit_the_model(search, monkeypatch):
    """Not those of SAM, which hardly anything passes that another model finds."""
    embeddings = search(disks((128, 128), CENTERS))
    monkeypatch.setattr(embeddings.model, "accepted_iou", 0.65)
    monkeypatch.setattr(embeddings.model, "accepted_stability", 0.2)
    table = segment_grid(embeddings, points_per_side=16)
    plain = Knobs(table).rows(Thresholds(min_area=3))
    assert plain.tolist() == Knobs(table).rows(Thresholds(0.65, 0.2)).tolist()
    assert 0 < len(plain) < len(Knobs(table).rows(Thresholds(0, 0)))
    asked = segment_grid(embeddings, settings=SETTINGS)
    assert asked.accepted.tolist() == [SETTINGS.pred_iou, SETTINGS.stability]


def test_a_region(search):
    embeddings = search(disks((300, 340), PLANE_CENTERS))
    table = segment_grid(embeddings, region=(0, 0, 40, 80), settings=SETTINGS)
    assert embeddings.model.n_encoded == 1
    assert (table.points < (40, 80)).all()
    assert count_objects(table, [(20, 15), (20, 60)]) == 2


def test_nothing_is_an_empty_table(search):
    assert len(segment_grid(search(np.zeros((140, 150), bool)), settings=SETTINGS)) == 0


@pytest.mark.parametrize("region", [(0, 0, 0, 5), (400, 0, 500, 50), (0, 0, np.nan, 5), (1, 2)])
def test_regions_that_are_refused(search, region):
    with pytest.raises(ValueError, match=r"The region is .* image of 128 rows and 130 columns"):
        segment_grid(search(np.zeros((128, 130), bool)), region=region)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"points_per_side": 0}, "points_per_side is 0"),
        ({"min_area": 9, "max_area": 3}, "Areas from 9 to 3"),
        ({"margin": -0.1}, "margin is -0.1"),
    ],
)
def test_settings_that_are_refused(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        GridSettings(**wrong)


def test_arguments_of_another_kind(search):
    with pytest.raises(TypeError, match="Expected GridSettings, found dict"):
        segment_grid(search(np.zeros((9, 9), bool)), settings={})
    with pytest.raises(TypeError, match="Expected Embeddings"):
        segment_grid(np.zeros((5, 5)))
