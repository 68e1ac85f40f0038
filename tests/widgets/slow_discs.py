"""A model that knows discs, and takes as long to encode as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from napari_sam.model.interrupt import Interrupted, give_way

from .disc_model import DiscModel


class SlowDiscs(DiscModel):
    """Encodes in four blocks; while it is held up, it stays before the third.

    Attributes
    ----------
    n_begun, n_given_up : int
        Windows whose encoding began, and was interrupted.
    """

    name = "slow discs"
    n_stops = 4

    def __init__(self) -> None:
        super().__init__()
        self.n_begun = self.n_given_up = 0
        self._may_go_on = threading.Event()
        self._may_go_on.set()

    def encode(self, windows):
        self.n_begun += 1
        try:
            for _ in range(3):
                give_way()
            while not self._may_go_on.wait(0.002):
                self._wait()
            give_way()
        except Interrupted:
            self.n_given_up += 1
            raise
        return super().encode(windows)

    def _wait(self) -> None:
        """Look whether to give way, as blocks do that take long; not a stop of its own."""
        give_way()

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Let no encoding end within a ``with`` statement."""
        self._may_go_on.clear()
        try:
            yield
        finally:
            self._may_go_on.set()
