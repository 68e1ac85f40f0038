from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pytest import MonkeyPatch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from napari_sam.model.base import Model
from napari_sam.model.device import find_device
from napari_sam.model.nano import Nano
from napari_sam.model.sam import ViTSize, build_sam


def test_auto_is_the_best_there_is(monkeypatch: MonkeyPatch) -> None:
    for cuda, mps, expected in [(1, 1, "cuda"), (1, 0, "cuda"), (0, 1, "mps"), (0, 0, "cpu")]:
        monkeypatch.setattr(torch.cuda, "is_available", lambda here=cuda: bool(here))
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda here=mps: bool(here))
        assert find_device("auto").type == expected
        assert find_device(expected).type == expected


@pytest.mark.parametrize(
    ("device", "message"),
    [("gpu", r"device is 'gpu'; expected .auto."), ("cuda:1", "does not have; it has: cpu")],
)
def test_missing_devices_are_told(device: str, message: str, monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=message):
        find_device(device)


@pytest.mark.parametrize("device", [None, 1.5, "", "OpenVINO"])
def test_what_is_no_device(device: Any) -> None:
    with pytest.raises(ValueError, match=r"expected .auto., .cpu., .openvino. .*, .cuda."):
        find_device(device)


def test_a_gpu_too_many(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert find_device("cuda:1").index == 1
    with pytest.raises(ValueError, match=r"device is 'cuda:2', which this machine"):
        find_device("cuda:2")


class NoFloat64(TorchDispatchMode):
    """A device without float64, such as MPS; turning it into float32 is all that is allowed."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **kwargs or {})
        for made in tree_iter(result):
            assert not (isinstance(made, torch.Tensor) and made.dtype == torch.float64), func
        return result


def small_sam() -> Model:
    return build_sam("small", ViTSize(24, 2, 2, (1,)), image_size=64).eval()


@pytest.mark.parametrize("build", [small_sam, Nano])
def test_nothing_becomes_float64(build: Callable[[], Model]) -> None:
    """Not even for prompts in float64, which numpy makes."""
    model = build().eval()
    size, low_res = 64, model.low_res_size
    points = torch.full((2, 3, 2), 20.0, dtype=torch.float64)
    labels = torch.tensor([[1, 0, -1]] * 2, dtype=torch.int32)
    box = torch.tensor([[3.0, 3, 40, 40]] * 2, dtype=torch.float64)
    mask = torch.zeros(2, 1, low_res, low_res, dtype=torch.float64)
    window = torch.rand(1, 1, size, size)
    with NoFloat64():
        features = model.encode(window)
        logits, predicted_iou = model.decode(features, points, labels, box, mask)
    assert logits.dtype == predicted_iou.dtype == torch.float32


def test_threads_are_left_alone() -> None:
    n_threads = torch.get_num_threads(), torch.get_num_interop_threads()
    model = small_sam()
    points, labels = torch.zeros(1, 1, 2), torch.ones(1, 1, dtype=torch.int64)
    model.decode(model.encode(torch.rand(1, 3, 64, 64)), points, labels)
    assert (torch.get_num_threads(), torch.get_num_interop_threads()) == n_threads
