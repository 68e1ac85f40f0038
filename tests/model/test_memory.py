from __future__ import annotations

import pytest
import torch
from pytest import MonkeyPatch
from torch import nn

from napari_sam.model import memory
from napari_sam.model.memory import in_batches, place
from napari_sam.model.nano import Nano

CPU_MESSAGE = "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 G"


class Device:
    """A network on a "GPU" that has memory for a few items only."""

    def __init__(self, monkeypatch: MonkeyPatch, limit: int, error: Exception) -> None:
        self.network = nn.Linear(1, 1)
        self.limit, self.error = limit, error
        self.is_gpu = True
        self.batches: list[int] = []
        monkeypatch.setattr(memory, "move_to_cpu", self.move_to_cpu)

    def move_to_cpu(self, network: nn.Module) -> None:
        assert network is self.network and self.is_gpu
        self.is_gpu = False

    def work(self, some: slice) -> tuple[torch.Tensor, torch.Tensor]:
        items = torch.arange(10.0)[some]
        if self.is_gpu and len(items) > self.limit:
            raise self.error
        self.batches.append(len(items))
        return items, 2 * items[:, None]


ERRORS = [
    torch.OutOfMemoryError("CUDA: no more"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError(CPU_MESSAGE),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
]


@pytest.mark.parametrize("error", ERRORS, ids=str)
@pytest.mark.parametrize(
    ("limit", "batches"), [(99, [8, 2]), (5, [4, 4, 2]), (1, [1] * 10), (0, [1] * 10)]
)
def test_less_at_a_time_then_the_cpu(
    limit: int, batches: list[int], error: Exception, monkeypatch: MonkeyPatch
) -> None:
    device = Device(monkeypatch, limit, error)
    items, doubles = in_batches(device.network, device.work, 10, batch=8)
    assert items.tolist() == list(range(10))
    assert torch.equal(doubles, 2 * items[:, None])
    assert device.batches == batches
    assert device.is_gpu == (limit > 0)


def test_other_errors_are_not_hidden(monkeypatch: MonkeyPatch) -> None:
    device = Device(monkeypatch, 0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        in_batches(device.network, device.work, 10, batch=8)
    assert device.is_gpu


def test_nothing_to_work_on(monkeypatch: MonkeyPatch) -> None:
    device = Device(monkeypatch, 0, RuntimeError("never"))
    items, doubles = in_batches(device.network, lambda some: device.work(slice(0, 0)), 0, batch=8)
    assert items.shape == (0,) and doubles.shape == (0, 1)


def test_nowhere_to_go() -> None:
    def work(some: slice) -> tuple[torch.Tensor, ...]:
        raise RuntimeError(CPU_MESSAGE)

    with pytest.raises(MemoryError, match=r"not enough free memory for the model\. Close other"):
        in_batches(nn.Linear(1, 1), work, 3, batch=3)


def test_moving_warns_and_moves() -> None:
    network = nn.Linear(1, 1, device="meta")  # stands for a GPU
    moves: list[str] = []
    network.to = moves.append  # type: ignore[method-assign, assignment]
    with pytest.warns(UserWarning, match=r"meta has not enough free memory.*on the CPU"):
        memory.move_to_cpu(network)
    assert moves == ["cpu"]


def test_a_network_that_another_thread_moves_is_asked_again() -> None:
    network = nn.Linear(1, 1, device="meta")  # stands for a GPU
    tries: list[int] = []

    def work(some: slice) -> tuple[torch.Tensor, ...]:
        tries.append(some.stop - some.start)
        if len(tries) == 2:
            network.to_empty(device="cpu")
            raise RuntimeError("Expected all tensors to be on the same device")
        return (torch.arange(10.0)[some],)

    (items,) = in_batches(network, work, 10, batch=4)
    assert items.tolist() == list(range(10))
    assert tries == [4, 4, 4, 4]


class Large(nn.Linear):
    """A network that a "GPU" has too little memory for."""

    def __init__(self, error: RuntimeError) -> None:
        super().__init__(1, 1)
        self.error, self.moves = error, list[str]()

    def to(self, device: object) -> nn.Module:  # type: ignore[override]
        self.moves.append(str(device))
        if str(device) != "cpu":
            raise self.error
        return self


def test_a_network_that_does_not_fit_stays_on_the_cpu() -> None:
    network = Large(torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.warns(UserWarning, match="cuda has not enough free memory"):
        place(network, torch.device("cuda"))
    assert network.moves == ["cuda", "cpu"]
    with pytest.raises(RuntimeError, match="no kernel"):
        place(Large(RuntimeError("no kernel image")), torch.device("cuda"))


def test_a_model_encodes_and_decodes_in_the_memory_there_is(monkeypatch: MonkeyPatch) -> None:
    nano = Nano().eval()
    windows, points = torch.rand(3, 1, 64, 64), torch.rand(5, 1, 2) * 64
    labels = torch.ones(5, 1, dtype=torch.int64)
    expected = nano.encode(windows)
    expected_logits, expected_iou = nano.decode(expected[0], points, labels)

    def for_two(forward: nn.Module) -> object:
        def limited(first: torch.Tensor, *others: object, **more: object) -> object:
            if len(first) > 2:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return forward.__class__.forward(forward, first, *others, **more)

        return limited

    for part in (nano.image_encoder, nano.mask_decoder):
        monkeypatch.setattr(part, "forward", for_two(part))
    found = nano.encode(windows)
    for found_map, expected_map in zip(found.maps, expected.maps, strict=True):
        torch.testing.assert_close(found_map, expected_map, atol=1e-4, rtol=1e-4)
    logits, iou = nano.decode(found[0], points, labels)
    torch.testing.assert_close(logits, expected_logits, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(iou, expected_iou, atol=1e-4, rtol=1e-4)
