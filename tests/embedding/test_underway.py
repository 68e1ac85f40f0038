"""How far an encoding is, by its stops and by the time that others took."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from napari_sam.embedding.underway import Underway

from .slow_model import make


@pytest.fixture
def time() -> list[float]:
    return [0.0]


def test_stops_tell_how_far_the_first_window_is(time: list[float]) -> None:
    underway = Underway(4, clock=lambda: time[0])
    assert underway.share == 0
    assert underway.seconds_left is None
    underway.note_stop()  # before the first block
    assert underway.seconds_left is None
    time[0] = 2
    underway.note_stop()
    assert underway.share == 0.25
    assert underway.seconds_left == 6
    for _ in range(9):
        underway.note_stop()
    assert underway.share == 1


def test_later_windows_take_as_long_as_the_one_before(time: list[float]) -> None:
    underway = Underway(4, 10.0, clock=lambda: time[0])
    time[0] = 4
    assert (underway.share, underway.seconds_left) == (0.4, 6)
    time[0] = 12
    assert (underway.share, underway.seconds_left) == (1, 0)


def test_without_either_nothing_is_told() -> None:
    assert Underway(0).share is None
    assert Underway(0).seconds_left is None


def test_embeddings_tell_what_is_underway() -> None:
    embeddings = make()
    here, there = embeddings.window_at(0, 0), embeddings.window_at(150, 200)
    assert embeddings.underway is None
    with ThreadPoolExecutor(1) as pool:
        for n, window in enumerate((here, there), 1):
            with embeddings.model.held_up():
                pool.submit(embeddings.features, window)
                embeddings.model.wait_until_begun(n)
                assert embeddings.underway is not None
                assert (embeddings.underway.share is None) == (window is here)
            embeddings.features(window)
    assert embeddings.underway is None
