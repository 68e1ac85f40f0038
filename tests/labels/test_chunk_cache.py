"""Many changes of a zarr array through the chunks that are held in memory."""

from __future__ import annotations

import numpy as np
import pytest
import zarr

from napari_sam.labels import chunk_cache
from napari_sam.labels.chunk_cache import chunk_by_chunk
from napari_sam.labels.levels import Levels, update_levels

SHAPE = (3, 70, 90)


def random_region(rng):
    """Return a plane, rows and columns."""
    (y0, y1), (x0, x1) = (np.sort(rng.choice(n + 1, 2, replace=False)) for n in SHAPE[1:])
    return int(rng.integers(3)), slice(int(y0), int(y1)), slice(int(x0), int(x1))


@pytest.mark.parametrize("n_held", [1, 3, 100])
@pytest.mark.parametrize("shards", [None, (2, 64, 64)])
def test_it_reads_and_writes_as_the_array_itself(monkeypatch, n_held, shards):
    rng = np.random.default_rng(0)
    chunks = (1, 32, 32)
    monkeypatch.setattr(chunk_cache, "MOST_BYTES", n_held * 2 * int(np.prod(shards or chunks)))
    array = zarr.create_array({}, shape=SHAPE, chunks=chunks, shards=shards, dtype="uint16")
    expected = np.zeros(SHAPE, np.uint16)
    with chunk_by_chunk(array) as labels:
        for _ in range(60):
            region = random_region(rng)
            np.testing.assert_array_equal(labels[region], expected[region])
            expected[region] = rng.integers(9, size=expected[region].shape)
            labels[region] = expected[region]
            assert len(labels._chunks) <= n_held
    np.testing.assert_array_equal(array[:], expected)


def test_coarser_levels_are_as_if_made_after_each_change():
    rng = np.random.default_rng(1)
    shapes = SHAPE, (3, 35, 45), (3, 12, 15)
    made, expected = (
        [zarr.create_array({}, shape=s, chunks=(1, 16, 16), dtype="uint16") for s in shapes]
        for _ in range(2)
    )
    with chunk_by_chunk(Levels(made)) as labels:
        for label in range(1, 20):
            region = random_region(rng)
            labels[region] = np.full(expected[0][region].shape, label)
            expected[0][region] = label
            update_levels(expected, region)
    for one, other in zip(made, expected, strict=True):
        np.testing.assert_array_equal(one[:], other[:])


def test_what_was_changed_before_an_error_is_there():
    array = zarr.create_array({}, shape=SHAPE, chunks=(1, 32, 32), dtype="uint16")
    with pytest.raises(OSError, match="no more"), chunk_by_chunk(array) as labels:
        labels[1, 2:4, 5:7] = np.full((2, 2), 8)
        raise OSError("no more")
    assert np.count_nonzero(array[:] == 8) == 4


def test_arrays_without_chunks_are_changed_at_once():
    array = np.zeros(SHAPE, np.uint16)
    with chunk_by_chunk(array) as labels:
        assert labels is array
