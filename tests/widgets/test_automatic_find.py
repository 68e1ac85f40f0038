"""Candidates of what is on screen, and many objects into the labels, without a window."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from napari.layers import Shapes
from skimage import data

from napari_sam.image import open_image
from napari_sam.labels.reordered import Reordered
from napari_sam.masks import Mask
from napari_sam.masks.knobs import Thresholds
from napari_sam.masks.mask_table import MaskTable
from napari_sam.masks.paint import paint
from napari_sam.model import load_model
from napari_sam.segment import SegmentSettings, exact, find, read_record
from napari_sam.segment.find import find_objects
from napari_sam.segment.settings import FindSettings
from napari_sam.widgets import automatic_find
from napari_sam.widgets.automatic_find import Finding, Found, Searching
from napari_sam.widgets.automatic_forecast import Foretelling
from napari_sam.widgets.automatic_how import How
from napari_sam.widgets.automatic_preview import small_hint
from napari_sam.widgets.automatic_run import Applying, default_out, region_of
from napari_sam.widgets.automatic_scope import Scope, scopes
from napari_sam.widgets.layers import open_layer
from napari_sam.widgets.predictor import Predictor, lazy_model
from napari_sam.widgets.thinning import thinned

from .bright_discs import PixelModel, draw_discs, find_discs, spread

SHAPE = (600, 700)


@pytest.fixture(autouse=True)
def discs(monkeypatch):
    monkeypatch.setitem(find.FINDERS, "seeds", find_discs)


@pytest.fixture
def predictor():
    picture = draw_discs(SHAPE, spread(SHAPE, 300))
    return Predictor(open_image(picture), lazy_model(PixelModel()), "pixels")


def last(finding):
    *_, found = finding.iter_answer()
    assert isinstance(found, Found)
    return found


def test_every_object_on_screen_is_found_once(predictor):
    found = last(Finding(predictor, (), (-50, -50, 800, 900), 1.0, How()))
    assert found.is_complete
    assert found.n_tiles == 12
    rows = found.knobs.rows(Thresholds(0, 0, overlap=0.5))
    assert len(rows) == 300
    assert found.settings.mode == "seeds"
    assert found.cost.encode_s > 0


def test_only_what_is_on_screen(predictor):
    found = last(Finding(predictor, (), (0, 0, 90, 120), 1.0, How()))
    assert found.n_tiles == found.n_on_screen == 1
    assert len(found.table) == 3 * 4
    with pytest.raises(ValueError, match="not on screen"):
        last(Finding(predictor, (), (2000, 0, 2100, 90), 1.0, How()))


def test_what_is_kept_already_is_left_out(predictor):
    kept = np.zeros(SHAPE, np.uint8)
    kept[:90, :60] = 1
    found = last(Finding(predictor, (), (0, 0, 90, 120), 1.0, How(), kept))
    assert len(found.table) == 3 * 2


@pytest.mark.parametrize(("step", "hint"), [(1.0, ""), (2.0, "resolution full"), (4.0, "1/2")])
def test_small_objects_hint_at_a_finer_resolution(predictor, step, hint):
    found = last(Finding(predictor, (), (0, 0, 90, 120), 1.0, How(step=step)))
    assert hint in small_hint(found)
    assert bool(small_hint(found)) == bool(hint)


def test_it_ends_after_a_tile_and_tells_what_it_has(predictor):
    finding = Finding(predictor, (), (0, 0, *SHAPE), 1.0, How())
    finding.stop()
    found = last(finding)
    assert found.n_tiles == 1
    assert not found.is_complete
    assert 0 < len(found.table) < 300


def test_of_a_large_screen_only_the_middle(predictor, monkeypatch):
    monkeypatch.setattr(automatic_find, "MOST_TILES", 2)
    found = last(Finding(predictor, (), (0, 0, *SHAPE), 1.0, How()))
    assert (found.n_tiles, found.n_on_screen) == (2, 12)
    middles = (found.table.boxes[:, :2] + found.table.boxes[:, 2:]) / 2
    assert np.abs(middles - np.array(SHAPE) / 2).max() < 300


def test_modes_that_the_model_cannot(predictor):
    predictor = Predictor(predictor.image, lazy_model(_without_maps()), "plain")
    with pytest.raises(ValueError, match="instance"):
        last(Finding(predictor, (), (0, 0, *SHAPE), 1.0, How("seeds")))


def _without_maps():
    model = PixelModel()
    model.has_instance_maps = False
    return model


@pytest.mark.parametrize("thinning", [2, 3, 7])
def test_thinned_masks_are_the_picture_with_fewer_pixels(thinning):
    random = np.random.default_rng(thinning)
    masks = [
        Mask.from_array(random.random((20, 25)) < 0.7, y, x)
        for y, x in [(0, 0), (15, 10), (37, 41)]
    ]
    table = MaskTable.of(masks)
    side = 9 * thinning
    whole = paint(table, [0, 1, 2], (0, 0, side, side))
    small = paint(thinned(table, thinning), [0, 1, 2], (0, 0, 9, 9))
    middle = thinning // 2
    assert np.array_equal(small, whole[middle::thinning, middle::thinning])


def test_a_mask_smaller_than_a_pixel_of_the_picture_stays():
    table = MaskTable.of([Mask.from_array(np.ones((1, 1), bool), 10, 11)])
    assert thinned(table, 8).boxes.tolist() == [[1, 1, 2, 2]]


def test_settings_keep_what_the_sliders_keep():
    how = How("grid", points_per_side=8, step=2.0)
    settings = how.settings(Thresholds(0.8, 0.9, 12, 400, 0.6))
    assert (settings.pred_iou, settings.stability, settings.overlap) == (0.8, 0.9, 0.6)
    assert (settings.min_area, settings.max_area) == (12, 400)
    assert (settings.mode, settings.points_per_side, settings.step) == ("grid", 8, 2.0)
    assert how.settings(Thresholds(0, 0)).max_area is None
    assert how.settings().pred_iou is None


def test_sams_own_generator_as_the_command_line_has_it(tmp_path):
    """Preview and apply find what --exact finds, by the same settings; of a store nothing."""
    image = open_image(data.coins()[:90, :120])
    lazy = lazy_model(load_model("nano", device="cpu"))
    predictor = Predictor(image, lazy, "nano").kept_in(tmp_path / "tiles")
    how = How("exact", points_per_side=6)
    found = last(Finding(predictor, (), (40, 40, 50, 50), 1.0, how))
    assert (found.n_tiles, found.n_px, found.is_complete) == (1, 90 * 120, True)
    embeddings = predictor.embeddings
    settings = FindSettings(exact=True, points_per_side=6)
    for thresholds, limits in (
        (found.defaults, {}),
        (Thresholds(0.4, 0.5, 0, 900, 0.7), {"pred_iou": 0.4, "stability": 0.5, "max_area": 900}),
    ):
        expected = find_objects(embeddings, embeddings.window_at(0, 0), replace(settings, **limits))
        table = found.table.select(found.knobs.rows(thresholds))
        assert len(table) > 1
        assert table.boxes.tolist() == expected.boxes.tolist()
        assert how.settings(thresholds).resolved(embeddings.model, 0.25) == replace(
            settings, **limits
        ).resolved(embeddings.model, 0.25)
    out = tmp_path / "labels.zarr"
    *_, labels = Applying(predictor, how, None, Scope(()), None, out, "coins").iter_answer()
    assert np.any(labels.data)
    plain = SegmentSettings(settings).resolved(embeddings.model, embeddings.base_step, "")
    assert read_record(out)["settings"] == plain.to_dict()
    assert not list((tmp_path / "tiles").glob("step*"))


def test_sams_own_generator_tells_how_many_points_it_has_asked(monkeypatch):
    monkeypatch.setattr(automatic_find, "POINTS_S", 0)
    image = open_image(data.coins()[:90, :120])
    predictor = Predictor(image, lazy_model(load_model("nano", device="cpu")), "nano")
    finding = Finding(predictor, (), (0, 0, 90, 120), 1.0, How("exact", points_per_side=6))
    told = [news for news in finding.iter_answer() if not isinstance(news, str)]
    *points, tile, found = told
    asked = [searching.n_done for searching in points]
    assert {(searching.n_wanted, searching.unit) for searching in points} == {(36, "points")}
    assert len(asked) > 5 and asked == sorted(set(asked)) and asked[-1] == 36
    assert tile == Searching(1, 1)
    assert found.is_complete


def test_planes_that_are_too_large_for_sams_own_generator(predictor, monkeypatch):
    monkeypatch.setattr(exact, "MAX_PIXELS", 10_000)
    with pytest.raises(ValueError, match="find objects in another way, tile by tile"):
        last(Finding(predictor, (), (0, 0, *SHAPE), 1.0, How("exact")))


@pytest.fixture
def foretell(tmp_path):
    def foretell(found, embeddings, scope=None, region=None):
        out = tmp_path / "labels.zarr"
        scope = scope or Scope()
        *_, forecast = Foretelling(
            embeddings, None, scope, region, out, "discs", found, Thresholds(0, 0), encode_s=2.0
        ).iter_answer()
        return forecast

    return foretell


def test_the_forecast_goes_with_the_tiles(predictor, foretell):
    found = last(Finding(predictor, (), (0, 0, 200, 200), 1.0, How()))
    foretell = partial(foretell, embeddings=predictor.embeddings)
    everything = foretell(found)
    assert everything.n_tiles == 12
    cost = found.cost
    expected = 12 / found.n_tiles * cost.find_s + (12 - everything.n_encoded) * cost.encode_s
    assert everything.seconds == pytest.approx(expected)
    assert foretell(found, region=np.array([(0, 0), (0, 50), (50, 50)])).n_tiles == 1
    assert "preview tells" in str(foretell(None))
    assert "12 tiles" in str(everything)


def test_where_nothing_is_found_it_may_take_longer_elsewhere(foretell):
    empty = Predictor(open_image(np.zeros(SHAPE, np.uint8)), lazy_model(PixelModel()), "pixels")
    found = last(Finding(empty, (), (0, 0, 50, 50), 1.0, How()))
    assert "at least" in str(foretell(found, empty.embeddings))


class Clock:
    """Stands still but for what is done."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now


@pytest.mark.parametrize("mode", ["grid", "seeds"])
@pytest.mark.parametrize("screen", [(0, 0, *SHAPE), (250, 300, 290, 330), (90, 90, 91, 91)])
def test_the_forecast_is_right_whatever_is_on_screen(foretell, monkeypatch, mode, screen):
    """A grid takes its time for the points on screen, the others for a window."""
    everywhere = open_image(draw_discs(SHAPE, spread(SHAPE, 20 * 23)))
    predictor = Predictor(everywhere, lazy_model(PixelModel()), "pixels")
    clock = Clock()
    monkeypatch.setattr(automatic_find, "time", clock)

    def candidates(embeddings, grid, tile, settings, finding):
        core = np.array(grid.core(*tile), float)
        (y0, x0), (y1, x1) = (
            pick(core.reshape(2, 2)[i], finding.screen[2 * i : 2 * i + 2])
            for i, pick in enumerate((np.maximum, np.minimum))
        )
        clock.now += 0.3 + ((y1 - y0) * (x1 - x0) * 1e-3 if mode == "grid" else 5)
        return find_discs(embeddings, grid.window(*tile, finding.plane), settings)

    monkeypatch.setattr(automatic_find, "tile_candidates", candidates)
    found = last(Finding(predictor, (), screen, 1.0, How(mode)))
    forecast = foretell(found, predictor.embeddings)
    seconds = 12 * 0.3 + (600 * 700 * 1e-3 if mode == "grid" else 12 * 5)
    assert 1 / 1.5 < forecast.seconds / seconds < 1.5
    whole = last(Finding(predictor, (), (0, 0, *SHAPE), 1.0, How(mode)))
    nbytes = 2 * whole.table.select(whole.knobs.rows(Thresholds(0, 0))).nbytes
    assert 1 / 1.5 < forecast.nbytes / nbytes < 1.5


def test_labels_go_beside_the_image_and_upon_nothing(predictor, tmp_path):
    np.save(tmp_path / "cells.npy", np.zeros((20, 30), np.uint8))
    image = open_image(np.load(tmp_path / "cells.npy", mmap_mode="r"))
    first = default_out(image, "my cells")
    assert first == tmp_path / "my_cells-labels.zarr"
    first.mkdir()
    assert default_out(image, "my cells") == tmp_path / "my_cells-2-labels.zarr"
    assert "napari-sam" in default_out(predictor.image, "discs").parts


def test_the_selected_shape_is_the_region(viewer):
    image = viewer.add_image(np.zeros((3, 60, 80)), scale=(1, 2, 2))
    boxes = [np.array([(y, y), (y, y + 9), (y + 9, y + 9), (y + 9, y)]) * 2 for y in (5, 20)]
    shapes = Shapes(boxes, shape_type="rectangle")
    assert region_of(shapes, image, (1,)).min(axis=0) == pytest.approx((20, 20))
    shapes.selected_data = {0}
    assert region_of(shapes, image, (1,)).max(axis=0) == pytest.approx((14, 14))
    with pytest.raises(ValueError, match="draw one"):
        region_of(Shapes([np.array([(0, 0), (5, 5)])], shape_type="line"), image, (1,))


def test_an_ellipse_is_no_rectangle(viewer):
    image = viewer.add_image(np.zeros((60, 80)))
    shapes = Shapes([np.array([(0, 0), (0, 20), (10, 20), (10, 0)])], shape_type="ellipse")
    region = region_of(shapes, image, ())
    radii = np.hypot((region[:, 0] - 5) / 5, (region[:, 1] - 10) / 10)
    assert radii == pytest.approx(1)


def test_many_objects_are_one_step(viewer, make_session, picture):
    session = make_session(viewer)
    viewer.add_image(picture)
    session.click(100, 100)
    session.commit()
    disc = np.ones((10, 10), bool)
    table = MaskTable.of(
        [Mask.from_array(disc, y, x) for y, x in [(96, 96), (10, 10), (10, 40), (150, 200)]]
    )
    before = session.labels.data.copy()
    assert session.commit_all(table) == 3  # one lies on the object that is there
    assert {record.model for record in session.objects} == {"discs"}
    assert session.next_label == 5
    assert set(np.unique(session.labels.data)) == {0, 1, 2, 3, 4}
    assert "3 objects" in session.status
    session.undo()
    assert np.array_equal(session.labels.data, before)
    assert session.next_label == 2
    session.redo()
    assert session.labels.data.max() == 4
    assert session.next_label == 5
    assert session.commit_all(table) == 0
    assert session.commit_all(MaskTable.of()) == 0


@pytest.mark.parametrize(
    ("sliders", "shape", "offered"),
    [
        ("", (), {"": 1}),
        ("z", (5,), {"": 1, "z": 5}),
        ("c", (3,), {"": 1, "p": 3}),
        ("tz", (2, 5), {"": 1, "z": 5, "t": 2, "tz": 10}),
        ("zc", (5, 3), {"": 1, "z": 5, "zp": 15}),
        ("tcz", (2, 3, 5), {"": 1, "z": 5, "t": 2, "tz": 10, "tzp": 30}),
        ("tcz", (1, 3, 5), {"": 1, "z": 5, "zp": 15}),
    ],
)
def test_which_planes_can_be_chosen(viewer, sliders, shape, offered):
    layer = viewer.add_image(np.zeros((*shape, 20, 30), np.uint8))
    image = open_layer(layer, sliders)
    plane = tuple(n - 1 for n in shape)
    scope_of = {axes: Scope.of(image, axes, plane) for axes, _ in scopes(image)}
    assert {axes: scope.n_planes for axes, scope in scope_of.items()} == offered
    for axes, scope in scope_of.items():
        assert plane in scope.planes
        assert len(set(scope.planes)) == offered[axes]


@pytest.mark.parametrize("order", [(0,), (1, 0), (2, 0, 1)])
def test_labels_in_another_order_of_axes(order):
    labels = np.arange(np.prod(range(2, 2 + len(order))) * 30).reshape(
        *range(2, 2 + len(order)), 5, 6
    )
    view = Reordered(labels, order)
    expected = labels.transpose(*order, -2, -1)
    assert view.shape == expected.shape
    for region in [
        ...,
        (1,) * len(order),
        (*(1,) * len(order), slice(1, 3), slice(0, 2)),
        (slice(0, 2), *(1,) * (len(order) - 1), 2),
    ]:
        parts = () if region is ... else region
        np.testing.assert_array_equal(view[parts], expected[region])
