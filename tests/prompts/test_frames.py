from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.prompts import Frame


@dataclass
class Placed:
    """Where a layer lies: world = R (scale * data) + translation, in the units of the layer."""

    scale: np.ndarray
    rotation: np.ndarray
    translation: np.ndarray
    unit: float  # of the layer, in meters

    @property
    def matrix(self) -> np.ndarray:
        n = len(self.scale)
        matrix = np.eye(n + 1)
        matrix[:n, :n] = self.rotation * self.scale
        matrix[:n, n] = self.translation
        return matrix

    def to_meters(self, data: np.ndarray) -> np.ndarray:
        return (self.rotation @ (self.scale * data) + self.translation) * self.unit

    def from_meters(self, world: np.ndarray) -> np.ndarray:
        return self.rotation.T @ (world / self.unit - self.translation) / self.scale


@st.composite
def placed(draw, n: int, image: Placed | None = None) -> Placed:
    """Draw a layer; beside `image`, no further from the origin than 10 000 of its pixels.

    (Further off, float64 itself does not resolve 1e-6 of them.)
    """
    scale = draw(st.lists(st.floats(0.01, 100), min_size=n, max_size=n))
    angles = draw(st.lists(st.floats(-np.pi, np.pi), min_size=n - 1, max_size=n - 1))
    rotation = np.eye(n)
    for axis, angle in enumerate(angles):
        turn = np.eye(n)
        turn[axis : axis + 2, axis : axis + 2] = [
            [np.cos(angle), -np.sin(angle)],
            [np.sin(angle), np.cos(angle)],
        ]
        rotation = rotation @ turn
    unit = draw(st.sampled_from([1e-9, 1e-6, 1e-3]))
    pixel = min(scale) if image is None else image.scale.min() * image.unit / unit
    offsets = np.array(draw(st.lists(st.floats(-1e4, 1e4), min_size=n, max_size=n)))
    return Placed(np.array(scale), rotation, offsets * pixel, unit)


@given(st.data(), st.integers(2, 4))
def test_any_scale_rotation_translation_and_unit(data, n):
    image = data.draw(placed(n))
    layer = data.draw(placed(n, image))
    pixels = np.array(data.draw(st.lists(st.floats(-1e3, 1e4), min_size=n, max_size=n)))
    drawn = layer.from_meters(image.to_meters(pixels))
    frame = Frame.between(layer.matrix, image.matrix, unit_factors=[layer.unit / image.unit] * n)
    np.testing.assert_allclose(frame.map_points([drawn])[0], pixels, rtol=0, atol=1e-6)


@given(st.data())
def test_flat_prompts_over_a_stack_take_the_plane_from_the_slider(data):
    image = data.draw(placed(2))
    layer = data.draw(placed(2, image))
    z_scale, z = data.draw(st.floats(0.01, 100)), data.draw(st.integers(0, 500))
    stack = np.eye(4)
    stack[0, 0] = z_scale
    stack[1:, 1:] = image.matrix
    pixels = np.array(data.draw(st.lists(st.floats(-1e3, 1e4), min_size=2, max_size=2)))
    drawn = layer.from_meters(image.to_meters(pixels))
    frame = Frame.between(
        layer.matrix,
        stack,
        unit_factors=layer.unit / image.unit,
        world_point=[z * z_scale, 123.0, 456.0],
    )
    np.testing.assert_allclose(frame.map_points([drawn])[0], [z, *pixels], rtol=0, atol=1e-6)


def test_further_axes_of_the_prompts_are_dropped():
    layer, image = np.diag([7.0, 2.0, 3.0, 1.0]), np.diag([4.0, 1.0, 1.0])
    frame = Frame.between(layer, image)
    np.testing.assert_allclose(frame.map_points([[5, 6, 8]]), [[3, 24]])


def test_a_rectangle_through_a_rotation_is_boxed_by_all_its_corners():
    angle = np.pi / 4
    layer = np.eye(3)
    layer[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    frame = Frame.between(layer, np.eye(3))
    box = frame.map_box([[0, 0], [0, 10], [10, 10], [10, 0]])
    half = 10 / np.sqrt(2)
    np.testing.assert_allclose(box, [-half, 0, half, 2 * half], atol=1e-12)


def test_no_points_map_to_no_points():
    frame = Frame.between(np.eye(3), np.eye(4), world_point=[3, 0, 0])
    assert frame.map_points([]).shape == (0, 3)
    with pytest.raises(ValueError, match="at least one corner"):
        frame.map_box([])


@pytest.mark.parametrize(
    ("matrices", "point", "sentence"),
    [
        ((np.eye(3)[:2], np.eye(3)), None, r"prompt layer has shape \(2, 3\)"),
        ((np.eye(3), np.diag([0.0, 1.0, 1.0])), None, "image cannot be inverted"),
        ((np.eye(3), np.full((3, 3), np.nan)), None, "image cannot be inverted"),
        ((np.eye(3), np.eye(4)), None, "pass world_point"),
        ((np.eye(3), np.eye(4)), [1, 2], "expected 3 finite numbers"),
    ],
)
def test_bad_frames_are_refused(matrices, point, sentence):
    with pytest.raises(ValueError, match=sentence):
        Frame.between(*matrices, world_point=point)


def test_points_of_another_dimension_are_refused():
    with pytest.raises(ValueError, match=r"expected \(K, 2\)"):
        Frame.between(np.eye(3), np.eye(3)).map_points([[1, 2, 3]])
