"""What the user looks at is encoded first, and everything else as far as memory goes."""

from __future__ import annotations

import errno
import gc
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam.embedding import Embeddings
from napari_sam.embedding.tiles import StoredTiles
from napari_sam.embedding.view import View, count_in_view, view_order
from napari_sam.embedding.view_queue import ViewQueue

from .slow_model import NBYTES, Heard, make

CORNER = View((), (0, 0, 70, 70), (60, 60), 1.0)
FAR = View((), (230, 330, 299, 399), (290, 390), 1.0)


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[ViewQueue, Heard]]]:
    """Return a function that starts a queue; all are stopped afterwards."""
    queues: list[ViewQueue] = []

    def start(embeddings: Embeddings, budget: int = 1000) -> tuple[ViewQueue, Heard]:
        heard = Heard()
        queue = ViewQueue(
            embeddings,
            budget_bytes=budget * NBYTES,
            on_encoded=heard.encoded,
            on_state=heard.state,
        )
        queues.append(queue)
        return queue, heard

    yield start
    for queue in queues:
        queue.stop()
        queue._thread.join(20)
        assert not queue._thread.is_alive()


def is_idle(heard: Heard) -> bool:
    return bool(heard.states[-1].reason)


def is_done(heard: Heard) -> bool:
    state = heard.states[-1]
    return state.n_total > 0 and state.n_done == state.n_total and bool(state.reason)


def test_tiles_are_encoded_in_the_order_of_the_view(start: Any) -> None:
    embeddings = make((2, 100, 150))
    view = View((1,), (0, 0, 60, 60), (90, 10), 1.0)
    queue, heard = start(embeddings)
    queue.look(view)
    heard.wait(is_idle)
    assert heard.windows == list(view_order(embeddings, view))
    assert heard.states[-1].reason == "all tiles around the view are encoded"
    assert heard.states[-1].window is None
    assert all(state.window in [*heard.windows, None] for state in heard.states)
    assert queue.seconds_per_tile > 0


@pytest.mark.parametrize("budget", [0, 3, 7])
def test_prefetching_ends_at_the_budget(start: Any, budget: int) -> None:
    embeddings = make()
    queue, heard = start(embeddings, budget)
    queue.look(CORNER)
    heard.wait(is_idle)
    assert len(heard.windows) == max(budget, 1)
    assert "as memory is kept for" in heard.states[-1].reason
    before = list(heard.windows)
    queue.look(FAR)
    heard.wait(lambda h: is_idle(h) and len(h.windows) == 2 * max(budget, 1))
    assert not set(before) & set(heard.windows[len(before) :])


def test_what_is_on_screen_is_never_forgotten_for_the_rest(start: Any) -> None:
    embeddings = make(cache_bytes=8 * NBYTES)
    queue, heard = start(embeddings)  # a budget larger than the memory
    for view in (CORNER, FAR, CORNER):
        n_told = len(heard.states)
        queue.look(view)
        heard.wait(lambda h, n=n_told: is_idle(h) and len(h.states) > n)
        n_near = count_in_view(embeddings.grid(1), view)
        assert n_near == 4
        near = list(view_order(embeddings, view))[:n_near]
        assert all(window in embeddings.memory for window in near)
    assert len(heard.windows) <= 3 * 8


def test_a_moved_cursor_overtakes(start: Any) -> None:
    embeddings = make()
    queue, heard = start(embeddings)
    with embeddings.model.held_up():
        queue.look(CORNER)
        embeddings.model.wait_until_begun(1)
        queue.look(FAR)
        embeddings.model.wait_until_begun(2)
        assert len(embeddings.model.given_up) == 1
    heard.wait(is_idle)
    assert heard.windows[0] == embeddings.window_at(*FAR.cursor)


def test_what_is_on_screen_still_is_finished(start: Any) -> None:
    embeddings = make()
    queue, heard = start(embeddings)
    with embeddings.model.held_up():
        queue.look(View((), (0, 0, 299, 399), (150, 200), 1.0))
        embeddings.model.wait_until_begun(1)
        queue.look(View((), (0, 0, 299, 399), (151, 201), 1.0))
        queue.look(View((), (0, 0, 299, 300), None, 1.0))
        heard.changed.acquire()
        heard.changed.wait(0.1)
        heard.changed.release()
    heard.wait(is_idle)
    assert not embeddings.model.given_up
    assert heard.windows[0] == embeddings.window_at(150, 200)


def test_a_click_goes_first_and_the_queue_goes_on(start: Any) -> None:
    embeddings = make((100, 150))
    queue, heard = start(embeddings)
    clicked: list[Any] = []
    last = embeddings.window_at(99, 149)
    click = threading.Thread(target=lambda: clicked.append(embeddings.features(last)))
    with embeddings.model.held_up():
        queue.look(View((), (0, 0, 60, 60), (0, 0), 1.0))
        embeddings.model.wait_until_begun(1)
        click.start()
        embeddings.model.wait_until_begun(2)
        assert len(embeddings.model.given_up) == 1
    click.join(20)
    heard.wait(is_idle)
    assert clicked[0] is embeddings.features(last)
    assert embeddings.encoded_tiles().all()
    assert last not in heard.windows


def test_a_job_comes_after_the_screen_and_before_the_neighbors(start: Any, tmp_path: Path) -> None:
    embeddings = make((2, 300, 400), store=tmp_path / "store.zarr")
    n_tiles = embeddings.encoded_tiles(0).size
    view = View((1,), (0, 0, 60, 60), (0, 0), 1.0)
    n_near = count_in_view(embeddings.grid(1), view)
    queue, heard = start(embeddings, budget=n_near + 2)
    queue.pause()
    queue.look(view)
    queue.compute(0)
    queue.resume()
    heard.wait(is_done)
    planes = [window.plane for window in heard.windows]
    assert planes == [(1,)] * n_near + [(0,)] * n_tiles + [(1,)] * 2
    assert (embeddings.encoded_tiles(0) == 2).all()
    told = [(state.n_done, state.n_total) for state in heard.states]
    assert all((k, n_tiles) in told for k in range(n_tiles + 1))


@pytest.mark.parametrize("has_store", [False, True])
def test_jobs_of_a_part_a_plane_and_a_stack(start: Any, has_store: bool, tmp_path: Path) -> None:
    embeddings = make((2, 300, 400), store=tmp_path / "store.zarr" if has_store else None)
    n_tiles = embeddings.encoded_tiles(0).size
    queue, heard = start(embeddings)
    queue.compute([0], [1, 2], region=(0, 0, 70, 30))
    heard.wait(is_done)
    assert len(heard.windows) == 3
    assert np.argwhere(embeddings.encoded_tiles(0)).tolist() == [[0, 0], [1, 0]]
    assert np.argwhere(embeddings.encoded_tiles(0, 2)).tolist() == [[0, 0]]
    queue.compute([0])
    heard.wait(lambda h: is_done(h) and h.states[-1].n_total == n_tiles)
    assert embeddings.encoded_tiles(0).all() and not embeddings.encoded_tiles(1).any()
    queue.compute()
    heard.wait(lambda h: is_done(h) and h.states[-1].n_total == 2 * n_tiles)
    assert embeddings.encoded_tiles(1).all()
    assert len(heard.windows) == len(set(heard.windows))


def test_tiles_that_the_view_encodes_count_for_the_job_at_once(start: Any) -> None:
    embeddings = make()
    queue, heard = start(embeddings)
    queue.pause()
    queue.look(CORNER)
    queue.compute([()], region=CORNER.screen)
    queue.resume()
    heard.wait(is_done)
    counts = [state.n_done for state in heard.states if state.n_total]
    assert sorted(set(counts)) == list(range(heard.states[-1].n_total + 1))
    assert counts == sorted(counts)


def test_a_job_that_memory_cannot_hold_is_refused(start: Any) -> None:
    embeddings = make()
    queue, heard = start(embeddings, budget=5)
    queue.compute()
    heard.wait(lambda h: bool(h.states[-1].error))
    assert "memory is kept for 5.12 kB" in heard.states[-1].error
    assert "choose a store" in heard.states[-1].error
    assert len(embeddings.model.begun) <= 1, "the first one tells the size"
    queue.compute(region=(0, 0, 50, 50))
    heard.wait(is_done)
    assert not heard.states[-1].error


def test_pause_resume_and_cancel(start: Any, tmp_path: Path) -> None:
    embeddings = make(store=tmp_path / "store.zarr")
    queue, heard = start(embeddings)
    with embeddings.model.held_up():
        queue.compute()
        embeddings.model.wait_until_begun(1)
        queue.pause()
        heard.wait(lambda h: h.states[-1].is_paused and h.states[-1].window is None)
        assert len(embeddings.model.given_up) == 1
        assert heard.states[-1].reason == "paused"
        queue.look(CORNER)
        queue.resume()
        embeddings.model.wait_until_begun(2)
        assert not queue.state.is_paused
        queue.look(None)
        queue.cancel()
    heard.wait(lambda h: is_idle(h) and h.states[-1].n_total == 0)
    assert heard.states[-1].reason == "nothing is on screen"
    assert len(embeddings.model.begun) <= 3


def test_cancelling_a_job_gives_its_tile_up(start: Any, tmp_path: Path) -> None:
    embeddings = make(store=tmp_path / "store.zarr")
    queue, heard = start(embeddings)
    with embeddings.model.held_up():
        queue.compute()
        embeddings.model.wait_until_begun(1)
        queue.cancel()
        heard.wait(lambda h: is_idle(h) and h.states[-1].n_total == 0)
    assert len(embeddings.model.given_up) == 1 and not heard.windows


def test_a_full_disk_is_told_and_tried_again(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = make(store=tmp_path / "store.zarr")
    n_tiles = embeddings.encoded_tiles().size

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(StoredTiles, "write", full)
        queue, heard = start(embeddings)
        queue.compute()
        heard.wait(lambda h: "full" in h.states[-1].error and is_idle(h))
        assert heard.states[-1].n_done == 0
        assert len(embeddings.model.begun) == 1
    queue.resume()
    heard.wait(is_done)
    assert heard.states[-1].n_done == n_tiles and not heard.states[-1].error
    assert (embeddings.encoded_tiles() == 2).all()


def test_a_store_that_vanishes_is_told(start: Any, tmp_path: Path) -> None:
    embeddings = make(store=tmp_path / "store.zarr")
    queue, heard = start(embeddings)
    with embeddings.model.held_up():
        queue.compute()
        embeddings.model.wait_until_begun(1)
        shutil.rmtree(tmp_path / "store.zarr")
    heard.wait(lambda h: "has vanished: bring back its disk" in h.states[-1].error and is_idle(h))
    assert not (tmp_path / "store.zarr").exists()


def test_a_tile_that_cannot_be_read_does_not_stop_the_others(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = make((100, 150))
    read, broken = embeddings.image.read, embeddings.window_at(0, 0)

    def read_others(window: Any) -> Any:
        if window == broken:
            raise OSError("Level 0 can't be read at [0:64, 0:64]: copy it again.")
        return read(window)

    monkeypatch.setattr(embeddings.image, "read", read_others)
    queue, heard = start(embeddings)
    queue.look(View((), (0, 0, 99, 149), (0, 0), 1.0))
    heard.wait(is_idle)
    assert "copy it again" in heard.states[-1].error
    assert embeddings.encoded_tiles().sum() == embeddings.encoded_tiles().size - 1
    monkeypatch.undo()
    queue.resume()
    heard.wait(lambda h: bool(embeddings.encoded_tiles().all()))


def test_where_nothing_can_be_encoded_only_what_is_on_screen_is_tried(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    embeddings = make((9, 100, 150))
    tried = []

    def refuse(window: Any) -> Any:
        tried.append(window)
        raise OSError("the server was silent for 20 s.")

    monkeypatch.setattr(embeddings.image, "read", refuse)
    queue, heard = start(embeddings)
    view = View((4,), (0, 0, 60, 60), (5, 5), 1.0)
    queue.look(view)
    heard.wait(is_idle)
    assert "silent" in heard.states[-1].error
    assert heard.states[-1].reason == "what is on screen cannot be encoded"
    assert len(tried) == count_in_view(embeddings.grid(), view)
    monkeypatch.undo()
    queue.resume()
    heard.wait(lambda h: is_idle(h) and not h.states[-1].error)
    assert embeddings.encoded_tiles(8).all()


def test_an_error_of_who_listens_is_told_and_the_queue_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    embeddings, heard = make((100, 150)), Heard()

    def gone(window: Any) -> None:
        raise RuntimeError("the widget has been deleted")

    queue = ViewQueue(embeddings, budget_bytes=1 << 20, on_encoded=gone, on_state=heard.state)
    queue.look(View((), None, (0, 0), 1.0))
    heard.wait(is_idle)
    queue.stop()
    queue._thread.join(20)
    assert len(told) == embeddings.encoded_tiles().sum() == embeddings.encoded_tiles().size
    assert {str(one.exc_value) for one in told} == {"the widget has been deleted"}


def test_planes_that_do_not_exist_are_told(start: Any) -> None:
    queue, heard = start(make((2, 300, 400)))
    queue.look(View((2,), None, (0, 0), 1.0))
    heard.wait(lambda h: "no plane" in h.states[-1].error)
    queue.look(View((1,), None, (0, 0), 1.0))
    heard.wait(lambda h: not h.states[-1].error)
    queue.compute(5)
    heard.wait(lambda h: "no plane 5" in h.states[-1].error)
    queue.compute(0, 3)
    heard.wait(lambda h: "power of two" in h.states[-1].error)


def test_nothing_is_heard_or_held_after_the_end(start: Any) -> None:
    embeddings = make()
    heard = Heard()
    queue = ViewQueue(
        embeddings, budget_bytes=1 << 20, on_encoded=heard.encoded, on_state=heard.state
    )
    with embeddings.model.held_up():
        queue.look(CORNER)
        embeddings.model.wait_until_begun(1)
        queue.stop()
        n_told = len(heard.states)
        queue._thread.join(20)
    assert not queue._thread.is_alive()
    assert len(embeddings.model.given_up) == 1
    assert len(heard.states) == n_told and not heard.windows
    gone = weakref.ref(embeddings)
    del embeddings, queue
    gc.collect()
    assert gone() is None


def test_a_process_ends_though_a_queue_is_busy() -> None:
    program = """
import torch
from tests.embedding.slow_model import make
from napari_sam.embedding.view import View
from napari_sam.embedding.view_queue import ViewQueue
embeddings = make()
embeddings.model.may_go_on.clear()
queue = ViewQueue(embeddings, budget_bytes=1 << 20)
queue.look(View((), None, (0, 0), 1.0))
embeddings.model.wait_until_begun(1)
print("end")
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "end\n", "")
