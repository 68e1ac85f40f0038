"""What is known about labels, and which blocks of them are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_sam.labels import create_labels
from napari_sam.labels.export import label_image
from napari_sam.labels.export.label_image import LabelImage


def test_what_is_not_given_is_one_pixel() -> None:
    found = LabelImage.of(np.zeros((3, 4, 5), np.int32))
    assert (found.axes, found.scale, found.units) == ("zyx", (1, 1, 1), (None,) * 3)
    assert list(found.planes()) == [(0,), (1,), (2,)]
    assert found.named((2,)) == {"z": 2}


def test_a_pyramid_knows_its_axes(tmp_path: Path) -> None:
    units = ["second", "micrometer", "micrometer"]
    pyramid = create_labels(
        tmp_path / "cells.zarr", (2, 30, 40), axes="tyx", scale=(3, 0.5, 0.25), units=units
    )
    found = LabelImage.of(pyramid)
    assert (found.axes, found.scale, list(found.units)) == ("tyx", (3, 0.5, 0.25), units)
    assert LabelImage.of(pyramid, scale=(1, 1, 1)).scale == (1, 1, 1)


def test_only_stored_blocks_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_image, "BLOCK_SIDE", 20)
    array = zarr.create_array({}, shape=(2, 45, 45), chunks=(1, 10, 15), dtype="u2", fill_value=0)
    array[1, 44, 3] = 5
    array[1, 0, 44] = 6
    labels = LabelImage.of(array)
    assert list(labels.blocks((0,))) == []
    assert list(labels.blocks((1,))) == [(0, 30, 20, 45), (40, 0, 45, 15)]
    everywhere = list(LabelImage.of(np.zeros((45, 45), int)).blocks(()))
    assert sum((y1 - y0) * (x1 - x0) for y0, x0, y1, x1 in everywhere) == 45 * 45


@pytest.mark.parametrize("shards", [None, (2, 20, 30)])
def test_shards_are_one_block_for_what_is_stored(shards: tuple[int, ...] | None) -> None:
    array = zarr.create_array(
        {}, shape=(4, 40, 60), chunks=(1, 10, 15), shards=shards, dtype="u2", fill_value=0
    )
    array[3, 39, 59] = 1
    labels = LabelImage.of(array)
    boxes = [(plane, box) for plane in labels.planes() for box in labels.blocks(plane)]
    assert ((3,), (0, 0, 40, 60)) in boxes
    assert not any(plane == (0,) for plane, _ in boxes)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"axes": "zyx"}, "axes 'zyx'; expected one"),
        ({"axes": "xy"}, "ending in 'yx'"),
        ({"scale": (1,)}, "The scale is"),
        ({"scale": (1, 0)}, "expected sizes above 0"),
        ({"units": ("micrometer",)}, "The units is"),
    ],
)
def test_what_does_not_fit_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LabelImage.of(np.zeros((4, 4), int), **arguments)  # type: ignore[arg-type]
