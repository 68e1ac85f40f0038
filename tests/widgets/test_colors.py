"""The colors that mean different things look different to all eyes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_sam.widgets import tile_map
from napari_sam.widgets.automatic_layer import vivid_colors
from napari_sam.widgets.candidates_bar import GROUND_RGBA, MASK_RGBA
from napari_sam.widgets.colors import BLUE, ORANGE, SKY_BLUE, VERMILION, YELLOW, as_hex
from napari_sam.widgets.score_knob import DROPPED

APART = 20
"""CIEDE2000; 2 can just be seen, side by side."""

EYES = {
    "all cones": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
"""What is seen of linear red, green and blue, after Machado, Oliveira and Fernandes (2009)."""

DARK, LIGHT = (38 / 255, 41 / 255, 48 / 255), (235 / 255, 232 / 255, 230 / 255)
"""Behind the docks, in napari's themes."""


def linear(color):
    color = np.asarray(color, float)
    return np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)


def seen(color, eyes):
    """Return a color as others see it."""
    light = np.clip(np.asarray(EYES[eyes]) @ linear(color), 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def distance(one, other, eyes):
    """Return by how much two colors differ to some eyes."""
    return float(deltaE_ciede2000(rgb2lab(seen(one, eyes)), rgb2lab(seen(other, eyes))))


def over(color, ground):
    """Return what is seen of a color with an opacity on an opaque one."""
    *color, opacity = color
    return opacity * np.array(color) + (1 - opacity) * np.array(ground)


def contrast(one, other):
    """Return the contrast of two colors as WCAG 2 defines it."""
    dark, light = sorted(linear(color) @ [0.2126, 0.7152, 0.0722] for color in (one, other))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("eyes", EYES)
def test_what_lies_on_an_image_is_told_apart(eyes):
    for one, other in combinations((SKY_BLUE, VERMILION, YELLOW), 2):
        assert distance(one, other, eyes) >= APART


@pytest.mark.parametrize("gray", [0.05, 0.25, 0.5])
@pytest.mark.parametrize("eyes", EYES)
def test_tiles_of_the_map_are_told_apart_on_any_image(eyes, gray):
    states = tile_map.IN_MEMORY, tile_map.IN_STORE, tile_map.GOING_ON, tile_map.ABSENT
    drawn = [over(tile_map.COLORS[state], (gray,) * 3) for state in states]
    assert min(distance(*pair, eyes) for pair in combinations(drawn, 2)) >= APART


@pytest.mark.parametrize("ground", [DARK, LIGHT])
@pytest.mark.parametrize("eyes", EYES)
def test_what_is_kept_is_told_from_what_is_dropped(eyes, ground):
    assert distance(BLUE, over(DROPPED.getRgbF(), ground), eyes) >= APART
    assert distance(BLUE, ORANGE, eyes) >= APART


def test_what_docks_draw_has_contrast_in_both_themes():
    assert min(contrast(BLUE, DARK), contrast(BLUE, LIGHT)) >= 3
    assert contrast(np.array(MASK_RGBA[:3]) / 255, np.array(GROUND_RGBA[:3]) / 255) >= 3


def test_colors_are_written_as_style_sheets_have_them():
    assert as_hex((0, 0.5, 1)) == "#0080ff"


def test_no_candidate_is_gray():
    """As the images are that it lies on."""
    colors = vivid_colors().colors
    assert len(colors) > 25
    assert np.ptp(colors[:, :3], axis=1).min() > 0.3
