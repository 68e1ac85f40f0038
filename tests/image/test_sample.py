"""A sample of an image in few chunks decodes each of them once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import zarr

from napari_sam.image import open_image
from napari_sam.image.sample import sample_pixels


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


@pytest.mark.parametrize("side", [64, 100, 128, 200, 256, 300])
def test_every_part_of_an_image_in_chunks_is_sampled(side: int) -> None:
    pixels = np.zeros((512, 512), np.uint8)
    pixels[:256, 256:], pixels[256:, :256], pixels[256:, 256:] = 1, 2, 3
    array = zarr.create_array({}, data=pixels, chunks=(side, side))
    sample = sample_pixels(open_image(array)._pyramid)
    shares = np.bincount(sample.ravel(), minlength=4) / sample.size
    assert shares.min() > 0.1


def test_a_block_lies_in_one_chunk(counting: Any, huge_array: Any) -> None:
    data = counting(huge_array((30_000, 30_000)), chunks=(128, 128))
    _ = open_image(data).intensity
    assert len(data.requests) == 16
    assert all(part.start % 128 == 0 for parts in data.requests for part in parts)
    assert data.elements == 16 * 128**2
