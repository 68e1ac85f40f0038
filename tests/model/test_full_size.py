"""Masks of full size equal those of the two official steps of interpolation."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.model.full_size import Interpolation, axis_matrix, full_size_masks
from napari_sam.model.whole_image import target_shape

LOW, WINDOW = 32, 128


def in_two_steps(logits: torch.Tensor, shape_yx: tuple[int, int]) -> torch.Tensor:
    height, width = target_shape(shape_yx, WINDOW)
    window = F.interpolate(logits[None], (WINDOW, WINDOW), mode="bilinear")[..., :height, :width]
    return F.interpolate(window, shape_yx, mode="bilinear")[0]


def at_once(logits: torch.Tensor, shape_yx: tuple[int, int]) -> torch.Tensor:
    resized = target_shape(shape_yx, WINDOW)
    rows, columns = (
        Interpolation(axis_matrix(LOW, WINDOW, *sides))
        for sides in zip(resized, shape_yx, strict=True)
    )
    return torch.from_numpy(full_size_masks(logits.numpy(), rows, columns))


@pytest.mark.parametrize(
    "shape_yx", [(128, 128), (300, 217), (70, 128), (40, 9), (128, 1), (1, 500)], ids=str
)
@pytest.mark.parametrize("kind", ["noise", "objects"])
def test_masks_are_those_of_the_two_steps(shape_yx: tuple[int, int], kind: str) -> None:
    logits = torch.randn(3, LOW, LOW, generator=torch.Generator().manual_seed(0))
    if kind == "objects":
        y, x = torch.meshgrid(torch.arange(LOW), torch.arange(LOW), indexing="ij")
        radii = torch.tensor([1.3, 4.0, 30.0]).view(3, 1, 1)
        logits = radii - torch.hypot(y - 4.3, x - 2.8) + 0.1 * logits
    expected = in_two_steps(logits, shape_yx)
    found = at_once(logits, shape_yx)
    assert found.shape == (3, *shape_yx)
    clear = expected.abs() > 1e-5
    assert clear.float().mean() > 0.99
    assert torch.equal(found[clear], (expected > 0)[clear])


@given(
    y=st.integers(0, LOW - 1),
    x=st.integers(0, LOW - 1),
    height=st.integers(1, 200),
    width=st.integers(1, 200),
)
def test_a_single_sample_reaches_where_the_two_steps_put_it(
    y: int, x: int, height: int, width: int
) -> None:
    """Also where an image of few pixels, or the padding, leaves the sample out."""
    logits = torch.full((1, LOW, LOW), -1.0)
    logits[0, y, x] = 1.5
    expected = in_two_steps(logits, (height, width))
    clear = expected.abs() > 1e-5
    assert torch.equal(at_once(logits, (height, width))[clear], (expected > 0)[clear])


def test_an_object_that_is_nowhere_has_no_pixel() -> None:
    assert not at_once(torch.full((2, LOW, LOW), -3.0), (60, 90)).any()
