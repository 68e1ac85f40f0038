"""Who encodes next, when those in line change their minds without a word."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from napari_sam.embedding.turns import A_PREVIEW, SOMEBODY, EncoderTurns, Encoding, Waiter
from napari_sam.model.interrupt import Interrupted

WAIT = 20
"""Seconds after which a test has failed."""


def never() -> bool:
    return False


def take(turns: EncoderTurns, encoding: Encoding) -> bool:
    with turns.take(encoding):
        return True


def test_who_gives_up_in_line_need_not_wait_for_the_one_that_encodes() -> None:
    turns, is_gone = EncoderTurns(), threading.Event()
    with ThreadPoolExecutor(1) as threads, turns.take(Encoding([Waiter(never, SOMEBODY)])):
        standing = threads.submit(take, turns, Encoding([Waiter(is_gone.is_set, SOMEBODY)]))
        is_gone.set()
        with pytest.raises(Interrupted):
            standing.result(WAIT)


def test_nobody_waits_for_ever_if_another_becomes_urgent_between_two_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns, ahead = EncoderTurns(), Encoding([], never)
    is_overtaken = turns._is_overtaken

    def look(encoding: Encoding) -> bool:
        answer = is_overtaken(encoding)
        if answer and encoding is ahead and not turns._is_busy and not ahead.waiting:
            ahead.waiting.append(Waiter(never, SOMEBODY))
        return answer

    monkeypatch.setattr(turns, "_is_overtaken", look)
    encodings = [ahead, Encoding([Waiter(never, A_PREVIEW)])]
    with ThreadPoolExecutor(2) as threads:
        with turns.take(Encoding([Waiter(never, SOMEBODY)])):
            standing = [threads.submit(take, turns, encoding) for encoding in encodings]
        assert all(one.result(WAIT) for one in standing)
