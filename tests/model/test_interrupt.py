"""Every image encoder can be stopped in the middle, and is none the worse for it."""

from __future__ import annotations

import threading

import pytest
import torch

from napari_sam.model.base import Model
from napari_sam.model.interrupt import Interrupted, count_stops, give_way, interruptible
from napari_sam.model.nano import Nano
from napari_sam.model.sam import TinyViTSize, ViTSize, build_mobile_sam, build_sam

SIZE = 64
TINY = TinyViTSize((8, 16, 24, 32), (1, 2, 2, 1), (1, 2, 3, 4), (3, 3, 3, 3))


@pytest.mark.parametrize(
    ("model", "n_asked"),
    [
        (build_sam("vit", ViTSize(16, 4, 2, global_blocks=(1,)), SIZE, channels=32), 8),
        (build_mobile_sam("tiny", TINY, SIZE, channels=32), 6),
        (Nano(), 11),
    ],
    ids=["ViT", "TinyViT", "nano"],
)
def test_encoders_give_way_between_their_blocks(model: Model, n_asked: int) -> None:
    model.eval()
    windows = torch.rand(1, 1, SIZE, SIZE)
    expected = model.encode(windows).maps
    asked: list[int] = []

    def is_third() -> bool:
        asked.append(len(asked))
        return len(asked) == 3

    with interruptible(is_third), pytest.raises(Interrupted):
        model.encode(windows)
    asked += [0]  # past the third
    with interruptible(is_third):
        torch.testing.assert_close(model.encode(windows).maps, expected, rtol=0, atol=0)
    assert len(asked) == 4 + n_asked
    assert count_stops(model) == n_asked


def test_interruptions_stay_in_their_thread() -> None:
    give_way()
    with interruptible(lambda: True):
        with pytest.raises(Interrupted):
            give_way()
        failed: list[BaseException] = []

        def elsewhere() -> None:
            try:
                give_way()
            except Interrupted as error:
                failed.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(20)
        assert not failed
        with interruptible(lambda: False):
            give_way()
        with pytest.raises(Interrupted):
            give_way()
    give_way()
