"""A model whose encoder takes as long as a test wants, and gives way between its blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from napari_sam.embedding import Embeddings
from napari_sam.embedding.view_queue import QueueState
from napari_sam.image import Intensity, Window, open_image
from napari_sam.model.base import Model
from napari_sam.model.features import Features
from napari_sam.model.interrupt import Interrupted, give_way

SIZE = 64

NBYTES = 1024
"""Size of the features of one window."""


class SlowModel(Model):
    """Embeds a window as its mean, block by block while it is held up.

    Attributes
    ----------
    begun, given_up : list of float
        The means of windows whose encoding began, and was interrupted.
    """

    name, image_size, low_res_size = "slow", SIZE, SIZE // 4

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1))
        self.begun: list[float] = []
        self.given_up: list[float] = []
        self.is_busy = threading.Lock()
        self.changed = threading.Condition()
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def encode(self, windows: torch.Tensor) -> Features:
        assert self.is_busy.acquire(blocking=False), "two windows are encoded at once"
        mean = float(windows.mean())
        try:
            with self.changed:
                self.begun.append(mean)
                self.changed.notify_all()
            give_way()
            while not self.may_go_on.wait(0.005):
                give_way()
            return Features((windows.mean(dim=(1, 2, 3), keepdim=True).repeat(1, 256, 1, 1),))
        except Interrupted:
            self.given_up.append(mean)
            raise
        finally:
            self.is_busy.release()

    @contextmanager
    def held_up(self) -> Iterator[None]:
        """Let no encoding end within a ``with`` statement."""
        self.may_go_on.clear()
        try:
            yield
        finally:
            self.may_go_on.set()

    def wait_until_begun(self, n: int) -> None:
        """Wait until as many encodings have begun."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.begun) >= n, 20), self.begun

    def decode(self, *_: Any, **__: Any) -> tuple[torch.Tensor, torch.Tensor]:
        raise AssertionError("nothing is decoded here")


def make(shape: tuple[int, ...] = (300, 400), **options: Any) -> Embeddings:
    """Return embeddings of an image in which every window has another mean."""
    last = np.arange(shape[-1], dtype=np.float32)
    pixels = last + 1000 * np.arange(shape[-2], dtype=np.float32)[:, None]
    for n in shape[-3::-1]:
        pixels = np.broadcast_to(pixels, (n, *pixels.shape))
    limits = Intensity((0,), (float(pixels.max()),))
    image = open_image(pixels, axes="tzyx"[-len(shape) :], intensity=limits)
    return Embeddings(image, SlowModel(), **options)


class Heard:
    """What a queue has told, to wait for."""

    def __init__(self) -> None:
        self.windows: list[Window] = []
        self.states = [QueueState()]
        self.changed = threading.Condition()

    def encoded(self, window: Window) -> None:
        with self.changed:
            self.windows.append(window)
            self.changed.notify_all()

    def state(self, state: QueueState) -> None:
        with self.changed:
            self.states.append(state)
            self.changed.notify_all()

    def wait(self, is_so: Callable[[Heard], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: is_so(self), 20), (self.states, self.windows)
