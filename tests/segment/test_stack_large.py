"""A plane with many objects comes back whole, in memory that does not depend on its size."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_sam.labels import open_labels

from . import blobs

PITCH = 70
"""Pixels from disc to disc, on average; touching ones differ in brightness."""


def write_discs(path: Path, side: int) -> int:
    """Write a square image of discs, two rows of them at a time; return how many there are."""
    rng, n = np.random.default_rng(0), side // PITCH
    image = zarr.create_array(path, shape=(side, side), chunks=(512, 512), dtype="uint8")
    for row in range(0, n, 2):
        y, x = np.meshgrid(np.arange(min(2, n - row)), np.arange(n), indexing="ij")
        centers = (np.stack([y, x], axis=-1).reshape(-1, 2) + 0.5) * PITCH
        centers += rng.uniform(-8, 8, centers.shape)
        sizes = rng.uniform(4, 34, len(centers))
        discs = [(cy, cx, r) for (cy, cx), r in zip(centers.tolist(), sizes.tolist(), strict=True)]
        height = PITCH * len(y)
        image[row * PITCH : row * PITCH + height] = blobs.paint_discs((height, side), discs)
    return n * n


def segment(image: Path, out: Path) -> int:
    """Segment in a process of its own, and return its peak memory in MB."""
    script = Path(__file__).with_name("plane_in_tiles.py")
    done = subprocess.run(
        [sys.executable, script, image, out], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="asks the system for the peak")
def test_20_000_objects_in_a_plane_of_10_000_squared(tmp_path: Path) -> None:
    peaks = []
    for name, side in (("small", 4500), ("large", 10_000)):
        image, out = tmp_path / f"{name}.zarr", tmp_path / f"{name}_labels.zarr"
        n_discs = write_discs(image, side)
        peaks.append(segment(image, out))
    labels, pixels = open_labels(out).data, zarr.open_array(image)
    n_found = zarr.open_group(out, mode="r").attrs["napari_sam_segmentation"]["highest_label"]
    assert n_discs == 142**2
    assert abs(n_found - n_discs) <= 0.005 * n_discs
    for start in range(0, 10_000, 2000):  # every pixel, and so every edge on a seam
        band = slice(start, start + 2000)
        assert np.array_equal(labels[band] > 0, pixels[band] > 0)
        right = (labels[band, 1:] != labels[band, :-1]) == (pixels[band, 1:] != pixels[band, :-1])
        assert right.mean() > 0.99999
    assert peaks[1] < peaks[0] + 100, "MB: the plane as uint16 has 200"
