"""A sample of an image in few chunks decodes each of them once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_sam.image import open_image


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [
        ((30_000, 30_000), (30_000, 30_000)),
        ((50_000, 3000), (50_000, 3000)),
        ((200, 2000, 2000), (200, 2000, 2000)),
        ((16, 2000, 2000), (1, 2000, 2000)),
        ((5, 7, 900, 900), (5, 7, 900, 900)),
    ],
)
def test_each_chunk_is_read_once(
    shape: tuple[int, ...], chunks: tuple[int, ...], counting: Any, huge_array: Any
) -> None:
    data = counting(huge_array(shape), chunks=chunks, allow_steps=True)
    intensity = open_image(data, axes="tzyx"[-len(shape) :]).intensity
    decoded = [
        tuple((part if isinstance(part, int) else part.start) // side for part, side in parts)
        for parts in (zip(request, chunks, strict=True) for request in data.requests)
    ]
    assert len(decoded) == len(set(decoded))
    assert data.elements <= 16 * 256**2
    assert data.elements > 4 * 256**2
    # The values rise from 0 along x.
    low, high = intensity.low[0] / shape[-1], intensity.high[0] / shape[-1]
    assert low < 0.1
    assert high > 0.85


def test_a_small_image_is_read_at_once_for_its_extremes(counting: Any) -> None:
    data = counting(np.arange(4 * 50 * 60, dtype=np.uint16).reshape(4, 50, 60), chunks=(4, 50, 60))
    intensity = open_image(data).converted("min-max").intensity
    assert (intensity.low, intensity.high) == ((0,), (11_999,))
    assert len(data.requests) == 1
