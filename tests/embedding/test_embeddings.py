"""Windows follow the prompt, and each is encoded once, however many ask for it."""

from __future__ import annotations

import errno
import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.embedding import Embeddings
from napari_sam.embedding.tiles import StoredTiles
from napari_sam.image import Intensity, Window, open_image
from napari_sam.model.base import Model
from napari_sam.model.features import Features

SIZE = 64


class CountingModel(Model):
    """Returns the mean of each window; counts, and notices two encoders at work at once."""

    name, image_size, low_res_size = "counting", SIZE, SIZE // 4

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.shapes: list[tuple[int, ...]] = []
        self.busy = threading.Lock()
        self.started = threading.Event()
        self.gate: threading.Event | None = None
        self.error: Exception | None = None

    def encode(self, windows: torch.Tensor) -> Features:
        assert self.busy.acquire(blocking=False), "two windows are encoded at once"
        try:
            self.shapes.append(tuple(windows.shape))
            self.started.set()
            if self.gate is not None:
                self.gate.wait(10)
            if self.error is not None:
                raise self.error
            return Features((windows.mean(dim=(1, 2, 3), keepdim=True).repeat(1, 256, 1, 1),))
        finally:
            self.busy.release()

    def decode(self, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        raise AssertionError("nothing is decoded here")


NBYTES = 1024
"""Size of the features of one window."""


def make(shape: tuple[int, ...] = (300, 400), **options: Any) -> Embeddings:
    pixels = np.broadcast_to(np.arange(shape[-1], dtype=np.float32), shape)
    image = open_image(pixels, intensity=Intensity((0,), (shape[-1],)))
    return Embeddings(image, CountingModel(), **options)


@pytest.mark.parametrize(
    ("shape", "step"),
    [
        ((300, 400), 1), ((64, 64), 1), ((33, 20), 1), ((32, 20), 0.5), ((31, 31), 0.5),
        ((16, 10), 0.25), ((5, 9), 0.25), ((1, 1), 0.125), ((10, 2000), 1),
    ],
)  # fmt: skip
def test_small_images_are_magnified_as_far_as_fits(shape: tuple[int, int], step: float) -> None:
    embeddings = make(shape)
    assert embeddings.base_step == step
    assert embeddings.window_at(0, 0).step == step
    if step < 1:
        assert embeddings.grid().tiles == (1, 1)


def test_what_is_no_image_or_no_model_is_refused() -> None:
    with pytest.raises(TypeError, match=r"an Image, as open_image.*; found ndarray"):
        Embeddings(np.zeros((9, 9)), CountingModel())
    with pytest.raises(TypeError, match=r"a Model, as load_model.*; found str"):
        Embeddings(open_image(np.zeros((9, 9))), "nano")


def test_the_tile_of_a_position_and_its_plane() -> None:
    embeddings = make((5, 300, 400))
    assert embeddings.halo == 8
    assert embeddings.window_at(60, 200, plane=3) == Window(48, 192, SIZE, 1.0, (3,))
    assert embeddings.window_at(60, 200, step=2, plane=3).step == 2


shapes = st.tuples(st.integers(10, 900), st.integers(10, 900))


@st.composite
def boxes_in(draw: st.DrawFn, shape: tuple[int, int]) -> tuple[float, float, float, float]:
    (y0, y1), (x0, x1) = (sorted(draw(st.floats(-0.5, n - 0.6)) for _ in range(2)) for n in shape)
    return y0, x0, y1, x1


@given(shapes, st.data())
def test_a_window_around_a_box_shows_it_with_a_margin(
    shape: tuple[int, int], data: st.DataObject
) -> None:
    embeddings = make(shape)
    box = data.draw(boxes_in(shape))
    window = embeddings.window_around(box)
    assert embeddings.holds(window, box)
    first, last = np.array(window.extent).reshape(2, 2)
    start, stop = np.array(box[:2]), np.array(box[2:]) + 1
    margin = embeddings.halo / 2 * window.step
    assert ((start - first >= margin - 1e-9) | (first == 0)).all()
    assert ((last - stop >= margin - 1e-9) | (last >= shape)).all()
    if window.step > embeddings.base_step:
        finer = embeddings.window_around(box, step=window.step / 2)
        assert not embeddings.holds(finer, box)
        core = SIZE - 2 * embeddings.halo
        assert max(stop - start) > core * window.step / 2, "a box that fits a core is not shrunk"


@given(shapes, st.sampled_from([None, 0.5, 1.0, 4.0]), st.data())
def test_windows_around_boxes_lie_in_the_image(
    shape: tuple[int, int], step: float | None, data: st.DataObject
) -> None:
    embeddings = make(shape)
    window = embeddings.window_around(data.draw(boxes_in(shape)), step=step)
    side = SIZE * window.step
    for start, length in zip((window.y, window.x), shape, strict=True):
        assert start == 0 if length <= side else 0 <= start < length - side + window.step


def test_neighbors_share_a_window_and_others_do_not() -> None:
    embeddings = make()
    windows = {embeddings.window_around((y, 200, y + 4, 204)) for y in np.arange(100, 105)}
    assert len(windows) <= 2
    assert embeddings.window_around((150, 200, 154, 204)) not in windows
    centered = embeddings.window_around((150, 200, 150, 200))
    assert np.abs(centered.to_window([150, 200]) - SIZE / 2).max() <= embeddings.halo / 2 + 1


def test_window_around_at_the_border_is_the_border_tile() -> None:
    embeddings = make()
    assert embeddings.window_around((0, 0, 3, 3)) == embeddings.window_at(0, 0)
    assert embeddings.window_around((297, 397, 299, 399)) == embeddings.window_at(299, 399)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((0, 0, 1), "A box is"),
        ((5, 0, 1, 1), "A box is"),
        ((0, 0, np.nan, 1), "A box is"),
        ((0, 500, 5, 510), "outside the image"),
        ((-9, 0, -2, 5), "outside the image"),
    ],
)
def test_boxes_that_are_none(box: tuple[float, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make().window_around(box)


def test_features_are_encoded_once_and_kept() -> None:
    embeddings = make()
    window = embeddings.window_at(10, 20)
    assert not embeddings.is_encoded(window)
    first = embeddings.features(window)
    assert embeddings.is_encoded(window)
    assert embeddings.features(window) is first
    assert embeddings.model.shapes == [(1, 1, SIZE, SIZE)]
    assert first.maps[0][0, 0] == pytest.approx(31.5 / 400)


def test_the_only_plane_is_the_same_window() -> None:
    embeddings = make((1, 300, 400))
    features = embeddings.features(Window(0, 0, SIZE))
    assert embeddings.features(Window(0, 0, SIZE, 1.0, (0,))) is features


def test_memory_stays_within_its_bound() -> None:
    embeddings = make(cache_bytes=3 * NBYTES)
    windows = [Window(y, 0, SIZE) for y in range(6)]
    for window in windows:
        embeddings.features(window)
    assert [embeddings.is_encoded(window) for window in windows] == [False] * 3 + [True] * 3


def test_features_larger_than_the_cache_are_returned_and_not_kept() -> None:
    embeddings = make(cache_bytes=NBYTES - 1)
    window = embeddings.window_at(0, 0)
    assert embeddings.features(window).nbytes == NBYTES
    assert not embeddings.is_encoded(window)
    embeddings.features(window)
    assert len(embeddings.model.shapes) == 2


@settings(max_examples=30)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40))
def test_threads_never_encode_a_window_twice_nor_two_at_once(order: list[int]) -> None:
    embeddings = make()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda y: embeddings.features(Window(y, y, SIZE)), order))
    assert len(embeddings.model.shapes) == len(set(order))
    for y, features in zip(order, found, strict=True):
        assert features is embeddings.features(Window(y, y, SIZE))


def test_an_error_reaches_all_who_wait_and_leaves_nothing_behind() -> None:
    embeddings = make()
    model, window = embeddings.model, Window(0, 0, SIZE)
    model.gate, model.error = threading.Event(), RuntimeError("out of memory")
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(embeddings.features, window) for _ in range(4)]
        assert model.started.wait(10)
        model.gate.set()
        assert {str(future.exception()) for future in asked} == {"out of memory"}
    assert not embeddings.is_encoded(window)
    tried = len(model.shapes)
    model.error = None
    assert embeddings.features(window).nbytes == NBYTES
    assert len(model.shapes) == tried + 1


def test_an_image_that_cannot_be_read_is_tried_again() -> None:
    embeddings = Embeddings(open_image(np.full((80, 80), np.nan)), CountingModel())
    for _ in range(2):
        with pytest.raises(ValueError, match="finite"):
            embeddings.features(Window(0, 0, SIZE))
    assert embeddings.model.shapes == []


def test_other_planes_positions_and_windows_are_refused() -> None:
    embeddings = make((5, 300, 400))
    with pytest.raises(ValueError, match="no plane 5"):
        embeddings.window_at(0, 0, plane=5)
    with pytest.raises(ValueError, match=r"no plane \(\)"):
        embeddings.window_around((0, 0, 5, 5))
    with pytest.raises(ValueError, match=r"no plane \(9,\)"):
        embeddings.features(Window(0, 0, SIZE, 1.0, (9,)))
    with pytest.raises(ValueError, match="outside the image"):
        embeddings.window_at(300, 0, plane=0)
    with pytest.raises(ValueError, match="windows of 64 samples, found one of 32"):
        embeddings.features(Window(0, 0, 32, 1.0, (0,)))
    with pytest.raises(ValueError, match="halo"):
        make(halo=32)


@pytest.mark.parametrize("given", [None, Intensity((0,), (1000,))])
def test_the_model_decides_how_it_sees_the_image(given: Intensity | None) -> None:
    pixels = np.full((SIZE, SIZE), 10, np.uint16)
    pixels[0, 0], pixels[0, 1] = 0, 1000  # extremes, but no percentiles
    model = CountingModel()
    model.conversion = "min-max"
    image = open_image(pixels, intensity=given)
    embeddings = Embeddings(image, model)
    window = embeddings.window_at(0, 0)
    found = float(embeddings.features(window).maps[0].mean())
    levels = np.floor(pixels.astype(np.float32) / 1000 * 255) / 255
    expected = pixels / 1000 if given else levels
    assert found == pytest.approx(expected.mean(), rel=1e-5)
    assert Embeddings(image, CountingModel()).image is image


def test_a_store_outlives_the_process(tmp_path: Path) -> None:
    first = make(store=tmp_path / "image.zarr")
    window = first.window_at(10, 10)
    expected = first.features(window)
    again = make(store=tmp_path / "image.zarr")
    assert again.is_encoded(window)
    torch.testing.assert_close(again.features(window).maps, expected.maps, rtol=0, atol=0)
    assert again.model.shapes == []


def test_a_window_that_is_not_stored_is_as_exact_as_the_model(tmp_path: Path) -> None:
    stored, plain = make(store=tmp_path / "image.zarr"), make()
    tile, between = plain.window_at(100, 100), plain.window_around((100, 113, 110, 118))
    for window, is_exact in ((tile, False), (between, True)):
        found, expected = (each.features(window).maps[0] for each in (stored, plain))
        assert torch.equal(found, expected) == is_exact
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=0)


def test_computing_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    first = make((2, 300, 400), store=tmp_path / "image.zarr")
    n_tiles = 2 * math.prod(first.grid().tiles)
    for progress in first.iter_compute(range(2)):
        assert progress.n_tiles == n_tiles
        if progress.n_done == 5:
            break
    again = make((2, 300, 400), store=tmp_path / "image.zarr")
    done = [progress.n_done for progress in again.iter_compute(range(2))]
    assert done == list(range(6, n_tiles + 1))
    assert len(again.model.shapes) == n_tiles - 5
    assert list(again.iter_compute(range(2))) == []


def test_a_store_of_another_image_is_refused(tmp_path: Path) -> None:
    make((300, 400), store=tmp_path / "image.zarr")
    with pytest.raises(ValueError, match=r"shapes of the image's levels"):
        make((300, 410), store=tmp_path / "image.zarr")


def test_without_a_store_there_is_nothing_to_fill() -> None:
    with pytest.raises(ValueError, match=r"no store to fill.*store=PATH"):
        next(make().iter_compute())


def test_a_click_is_answered_though_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = make(store=tmp_path / "image.zarr")

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(StoredTiles, "write", full)
    with pytest.warns(UserWarning, match=r"(?s)full.*kept in memory only"):
        embeddings.features(embeddings.window_at(10, 10))
    embeddings.features(embeddings.window_at(290, 390))  # said once
    with pytest.raises(OSError, match="full"):
        list(make(store=tmp_path / "other.zarr").iter_compute())


@pytest.mark.parametrize(
    ("planes", "expected"),
    [(2, [2]), (np.int64(1), [1]), (range(2), [0, 1]), ([(1,), 0, 1], [1, 0]), (None, [0, 1, 2])],
)
def test_planes_are_one_or_several_or_all(planes: Any, expected: list[int], tmp_path: Path) -> None:
    embeddings = make((3, 64, 64), store=tmp_path / "image.zarr")
    done = list(embeddings.iter_compute(planes))
    assert [progress.window.plane[0] for progress in done] == expected
    assert [progress.n_done for progress in done] == [*range(1, len(expected) + 1)]
    assert done[-1].n_tiles == len(expected)


def test_the_only_plane_of_an_image_without_more(tmp_path: Path) -> None:
    embeddings = make((64, 64), store=tmp_path / "image.zarr")
    assert [progress.window.plane for progress in embeddings.iter_compute()] == [()]
    assert not list(embeddings.iter_compute([()]))


def test_steps_are_one_or_several(tmp_path: Path) -> None:
    embeddings = make((300, 400), store=tmp_path / "image.zarr")
    assert {progress.window.step for progress in embeddings.iter_compute(steps=4)} == {4}
    assert {progress.window.step for progress in embeddings.iter_compute(steps=[4, 8])} == {8}


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"planes": 3}, ValueError, r"no plane 3 in the image.*such as plane=1"),
        ({"planes": [(0, 1)]}, ValueError, r"no plane \(0, 1\).*one index for each axis"),
        ({"planes": 1.5}, TypeError, r"The plane is 1.5; expected an integer"),
        ({"planes": "all"}, TypeError, r"The plane is 'a'; expected an integer"),
        ({"planes": 1, "steps": 3}, ValueError, "power of two"),
        ({"planes": 1, "steps": [1, 0]}, ValueError, "power of two"),
    ],
)
def test_planes_and_steps_that_do_not_exist_are_refused(
    options: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    embeddings = make((3, 300, 400), store=tmp_path / "image.zarr")
    with pytest.raises(error, match=message):
        next(embeddings.iter_compute(**options))
    assert embeddings.model.shapes == []
