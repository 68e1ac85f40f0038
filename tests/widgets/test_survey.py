"""What is encoded and what is still to come, in numbers and in words."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sam.embedding import Embeddings
from napari_sam.embedding.view_queue import QueueState
from napari_sam.image import open_image
from napari_sam.image.window import Window
from napari_sam.widgets.foretell import foretell
from napari_sam.widgets.queue_text import NOT_BEGUN, describe_queue
from napari_sam.widgets.survey import Surveying


@pytest.fixture
def stack():
    return open_image(np.random.default_rng(0).integers(0, 255, (3, 400, 300), dtype=np.uint8))


def survey(embeddings, plane=1, step=1.0):
    (found,) = Surveying(embeddings, (plane,), step).iter_answer()
    return found


def test_a_survey_counts_tiles_of_the_plane_and_of_all(stack, model):
    embeddings = Embeddings(stack, model)
    grid = embeddings.grid()
    embeddings.features(grid.window(0, 0, (1,)))
    embeddings.features(grid.window(1, 1, (2,)))
    embeddings.features(embeddings.grid(2).window(0, 0, (0,)))
    embeddings.features(embeddings.window_around((190, 140, 210, 160), plane=1))  # no tile
    found = survey(embeddings)
    assert found.states.tolist() == [[1, 0], [0, 0]]
    full, half = found.levels
    assert (full.n_plane_done, full.n_plane, full.n_stack_done, full.n_stack) == (1, 4, 2, 12)
    assert (half.n_plane_done, half.n_plane, half.n_stack_done, half.n_stack) == (0, 1, 1, 3)
    assert found.memory_bytes == 4 * found.tile_bytes
    assert found.free_bytes is None


def test_a_survey_counts_what_is_stored_once(stack, model, tmp_path):
    store = tmp_path / "stack.zarr"
    window = Embeddings(stack, model).grid().window(0, 0, (1,))
    Embeddings(stack, model, store=store).features(window)
    embeddings = Embeddings(stack, model, store=store)
    embeddings.features(window)  # in memory and in the store
    found = survey(embeddings)
    assert found.states[0, 0] == 2
    assert (found.levels[0].n_plane_done, found.levels[0].n_stack_done) == (1, 1)
    assert found.free_bytes > 0


def test_a_step_that_the_user_asks_for_is_among_the_levels(stack, model):
    assert [level.step for level in survey(Embeddings(stack, model), step=0.5).levels] == [
        0.5,
        1,
        2,
    ]


def test_forecasts(stack, model):
    embeddings = Embeddings(stack, model)
    found = survey(embeddings)
    level = found.level(1.0)

    def say(seconds, **changes):
        return foretell(replace(found, **changes), level, of_stack=True, seconds_per_tile=seconds)

    assert say(None) == "12 tiles to encode; the first tells how long it takes."
    assert say(10.0, tile_bytes=10**6) == "12 tiles to encode, about 2 min, 12 MB of memory."
    assert "120 MB of memory, more than 100 MB: use a folder" in say(
        10.0, tile_bytes=10**7, most_memory_bytes=10**8
    )
    assert "12 MB on disk (9.0 MB free: not enough)." in say(
        10.0, tile_bytes=10**6, free_bytes=9 * 10**6
    )
    done = replace(level, n_plane_done=4)
    assert foretell(found, done, of_stack=False, seconds_per_tile=1.0) == "all 4 tiles are encoded."


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (None, NOT_BEGUN),
        (QueueState(error="The disk is full."), "⚠ The disk is full."),
        (QueueState(reason="all is encoded"), "All is encoded."),
        (QueueState(n_done=3, n_total=9, is_paused=True), "Paused after 3 of 9 tiles."),
        (
            QueueState(window=Window(0, 0, 256, 2.0, (4,)), n_done=3, n_total=9),
            "Encoding at resolution 1/2, plane 4 · 3 of 9 tiles, 12 s left",
        ),
        (
            QueueState(window=Window(0, 0, 256), n_done=9, n_total=9),
            "Encoding at resolution full · around the view",
        ),
    ],
)
def test_what_the_queue_does_is_a_sentence(state, text):
    assert describe_queue(state, 2.0) == text
