from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


class CountingArray:
    """An array that remembers what was asked of it."""

    def __init__(
        self, data: np.ndarray, chunks: tuple[int, ...] | None = None, allow_steps: bool = False
    ) -> None:
        self._allow_steps = allow_steps
        self._data = data
        self.shape, self.dtype, self.ndim = data.shape, data.dtype, data.ndim
        self.chunks = chunks
        self.requests: list[tuple[Any, ...]] = []
        self.sizes: list[int] = []

    @property
    def elements(self) -> int:
        return sum(self.sizes)

    def forget(self) -> None:
        self.requests.clear()
        self.sizes.clear()

    def __getitem__(self, index: tuple[Any, ...]) -> np.ndarray:
        assert len(index) == self.ndim
        steps = {part.step for part in index if isinstance(part, slice)}
        assert self._allow_steps or steps <= {None, 1}
        self.requests.append(index)
        part = self._data[index]
        self.sizes.append(part.size)
        return part

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise AssertionError("the whole array was asked for")


@pytest.fixture
def counting() -> Callable[..., CountingArray]:
    return CountingArray


def huge(shape: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    """Return an array of any size that takes no memory."""
    return np.broadcast_to(np.arange(shape[-1]).astype(dtype), shape)


@pytest.fixture
def huge_array() -> Callable[..., np.ndarray]:
    return huge
