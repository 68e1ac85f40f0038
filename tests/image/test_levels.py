"""Where the levels of a pyramid lie: told by metadata, or by their shapes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.image import Intensity, Window, open_image
from napari_sam.image.level import place_levels
from napari_sam.image.source import Transform

PLAIN = Intensity((0,), (255,))


def place(
    full: int, coarse: int, scale: float, translation: float, pixel: float = 0.325
) -> tuple[float, float]:
    """Factor and offset of a coarse level, from metadata in units of `pixel`."""
    arrays = [np.zeros((4, full)), np.zeros((4, coarse))]
    transforms = [
        Transform((1.0, pixel), (0.0, 5.0)),
        Transform((1.0, scale * pixel), (0.0, 5.0 + translation * pixel)),
    ]
    level = place_levels(arrays, (0, 1), transforms)[1]
    assert (level.downsample[0], level.offset[0]) == (1, 0)
    return level.downsample[1], level.offset[1]


@pytest.mark.parametrize(
    ("full", "coarse", "scale", "translation", "expected"),
    [
        (1000, 500, 2, 0.5, (2, 0)),  # averages of blocks
        (1000, 500, 2, 0, (2, 0)),  # no word on where they lie
        (1001, 500, 2, 0.5, (2, 0)),
        (1001, 501, 2, 0.5, (2, 0)),
        (1001, 500, 2.002, 0.501, (2.002, 0)),  # resized to another shape
        (999, 333, 3, 1, (3, 0)),
        (999, 333, 3, 2, (3, 1)),  # the first pixel is left out
        (1000, 500, 2, 1, (2, 0.5)),
        (1000, 250, 4, 0.001, (4, -1.499)),  # every fourth pixel
        (1000, 500, 1, 0, (2, 0)),  # metadata that can't be
        (1000, 500, 2, 70, (2, 0)),
        (1001, 500, 1, 0, (2, 0)),
    ],
)
def test_metadata_are_believed_where_they_can_be(
    full: int, coarse: int, scale: float, translation: float, expected: tuple[float, float]
) -> None:
    np.testing.assert_allclose(place(full, coarse, scale, translation), expected, atol=1e-6)


def test_levels_of_a_scale_close_to_the_step_are_used() -> None:
    levels = [np.zeros((1001, 1001)), np.zeros((500, 500))]
    transforms = [Transform((s, s), (0.0, 0.0)) for s in (1.0, 2.002)]
    coarse = place_levels(levels, (0, 1), transforms)[1]
    image = open_image(levels)
    image.levels = (image.levels[0], coarse)
    assert image._level_for(2.0) is coarse


@pytest.mark.parametrize("offset", [0.0, 1.0, 3.0, -1.5, 0.5])
@pytest.mark.parametrize("step", [4.0, 2.0, 8.0])
def test_a_ramp_keeps_its_values_in_a_level_that_starts_elsewhere(
    offset: float, step: float
) -> None:
    ramp = np.tile(np.arange(160, dtype=np.float32), (160, 1))
    edges = offset + 4 * np.arange(39)
    coarse = np.tile(edges + 1.5, (39, 1)).astype(np.float32)
    image = open_image([ramp, coarse], intensity=Intensity((0,), (160,)))
    start = (offset, offset)
    image.levels = (image.levels[0], image.levels[1]._replace(downsample=(4, 4), offset=start))
    if step == 2:  # also where a fine window is magnified from the coarse level
        image.levels = image.levels[1:]
        image._pyramid = open_image([coarse])._pyramid
    window = Window(0, 0, int(128 / step), step)
    found = image.read(window)[0] * 160
    x = window.to_image(np.stack([np.zeros(window.size), np.arange(window.size)], -1))[:, 1]
    inner = slice(2, -2)
    np.testing.assert_allclose(
        found[inner, inner], np.tile(x, (window.size, 1))[inner, inner], atol=0.51
    )


FOLLOWING = [(8, 90), (4, 30), (4, 15)]
"""Planes and rows of levels."""


def test_a_level_as_the_image() -> None:
    """Planes are merged too; what is coarser follows, measured in its pixels."""
    levels = [np.arange(n).reshape(1, n, 1) + np.zeros((z, n, n)) for z, n in FOLLOWING]
    image = open_image(levels, axes="zyx", level=1)
    assert (image.plane_shape, image.shape_yx) == ((4,), (30, 30))
    assert (image.scale, image.origin) == ((2, 3, 3), (0.5, 1, 1))
    assert [level.downsample for level in image.levels] == [(1, 1), (2, 2)]
    assert [level.offset for level in image.levels] == [(0, 0), (0, 0)]
    (block,) = image.read_raw([(slice(0, 1), slice(3, 5), slice(0, 1))])
    assert block.ravel().tolist() == [3, 4]
    plain = open_image(levels, axes="zyx")
    assert (plain.plane_shape, plain.scale, plain.origin) == ((8,), (1, 1, 1), (0, 0, 0))
    with pytest.raises(ValueError, match="has levels 0 to 2, and no level 3"):
        open_image(levels, axes="zyx", level=3)
    with pytest.raises(ValueError, match="has a single level, 0, and no level 1"):
        open_image(levels[0], axes="zyx", level=1)
