"""Where the built-in model looks for an object, and what it keeps of its masks."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from napari_sam.model.nano_decoder import NanoMaskDecoder
from napari_sam.model.neighborhood import (
    BACKGROUND,
    DETAIL_STRIDE,
    EMBEDDING_STRIDE,
    MARGIN,
    SEVERAL,
    SIDE,
    SINGLE,
    PromptTensors,
    decode_near,
    neighborhoods,
)

WINDOW = 512


def point_prompts(points: list[tuple[float, float]]) -> PromptTensors:
    """One positive point for each object."""
    n = len(points)
    return PromptTensors(
        torch.tensor(points)[:, None],
        torch.ones(n, 1, dtype=torch.int64),
        torch.full((n, 4), torch.nan),
        None,
    )


class Stencil:
    """A decoder whose masks are those that the detail map shows: one bit of it for each."""

    N_MASKS = 4

    def __init__(self) -> None:
        self.sides: list[tuple[int, int]] = []

    def __call__(
        self, embedding: Tensor, detail: Tensor, *prompts: Tensor, origin: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Note how many objects were seen on maps of which side."""
        self.sides.append((len(embedding), EMBEDDING_STRIDE * embedding.shape[-1]))
        shown = detail[:, : self.N_MASKS].repeat_interleave(2, 2).repeat_interleave(2, 3)
        is_whole = embedding.shape[-1] * EMBEDDING_STRIDE == WINDOW
        return shown * 10 - 5, torch.full((len(detail), 4), 0.9 if is_whole else 0.6)


def decode_stencil(
    masks: Tensor, prompts: PromptTensors, kept: slice = SEVERAL, **options: object
) -> tuple[Tensor, Tensor, Stencil]:
    """Decode (4, 128, 128) masks."""
    decoder = Stencil()
    maps = torch.zeros(1, 8, WINDOW // EMBEDDING_STRIDE, WINDOW // EMBEDDING_STRIDE), masks[None]
    found = decode_near(cast(NanoMaskDecoder, decoder), maps, prompts, kept, **options)  # type: ignore[arg-type]
    return *found, decoder


def rectangles(*boxes: tuple[int, int, int, int]) -> Tensor:
    """Masks that all show the same rectangles (x0, y0, x1, y1), in samples of the window."""
    one = torch.zeros(WINDOW // DETAIL_STRIDE, WINDOW // DETAIL_STRIDE)
    for box in boxes:
        x0, y0, x1, y1 = (n // DETAIL_STRIDE for n in box)
        one[y0:y1, x0:x1] = 1
    return one.expand(4, -1, -1).clone()


def is_there(logits: Tensor, x: int, y: int) -> bool:
    """Whether a mask holds a sample of the window."""
    return bool(logits[y // 2, x // 2] > 0)


@given(
    st.lists(st.tuples(st.floats(0, 511), st.floats(0, 511)), min_size=1, max_size=4),
    st.lists(st.integers(-1, 1), min_size=4, max_size=4),
)
@settings(deadline=None)
def test_a_neighborhood_holds_its_prompts_with_a_margin(
    points: list[tuple[float, float]], labels: list[int]
) -> None:
    signs = torch.tensor([labels[: len(points)]])
    prompts = PromptTensors(torch.tensor([points]), signs, torch.full((1, 4), torch.nan), None)
    corners, fits = neighborhoods(prompts, WINDOW)
    shown = prompts.points[0][signs[0] >= 0]
    if not len(shown):
        assert not fits
        return
    extent = (shown.amax(0) - shown.amin(0)).max()
    assert bool(fits) == bool(extent <= SIDE - 2 * MARGIN)
    assert ((corners >= 0) & (corners + SIDE <= WINDOW)).all()
    assert not (corners % EMBEDDING_STRIDE).any()
    if fits:
        room = MARGIN - EMBEDDING_STRIDE / 2  # corners are rounded
        first, last = corners[0], corners[0] + SIDE
        assert ((first == 0) | (shown.amin(0) - first >= room)).all()
        assert ((last == WINDOW) | (last - shown.amax(0) >= room)).all()


def test_boxes_and_masks_need_room_too() -> None:
    nowhere = torch.zeros(1, 1, 2), torch.full((1, 1), -1)
    no_box = torch.full((1, 4), torch.nan)
    small, large = torch.tensor([[90.0, 80, 160, 170]]), torch.tensor([[20.0, 80, 300, 170]])
    assert neighborhoods(PromptTensors(*nowhere, small, None), WINDOW)[1].item()
    assert not neighborhoods(PromptTensors(*nowhere, large, None), WINDOW)[1].item()
    mask = torch.full((1, 1, 256, 256), -3.0)
    mask[..., 100:120, 200:230] = 3.0
    corners, fits = neighborhoods(PromptTensors(*nowhere, no_box, mask), WINDOW)
    assert fits.item()
    assert corners.tolist() == [[256.0, 88.0]]
    mask[..., 0, 0] = 3.0
    assert not neighborhoods(PromptTensors(*nowhere, no_box, mask), WINDOW)[1].item()


def test_a_small_object_is_looked_at_in_its_neighborhood_only() -> None:
    masks = rectangles((300, 200, 340, 240))
    logits, predicted_iou, decoder = decode_stencil(masks, point_prompts([(320.0, 220.0)]))
    assert decoder.sides == [(1, SIDE)]
    assert logits.shape == (1, 3, 256, 256)
    assert torch.equal(
        logits[0, 0] > 0, masks[0].repeat_interleave(2, 0).repeat_interleave(2, 1) > 0
    )
    assert logits[0, 0, 0, 0] == BACKGROUND
    assert predicted_iou.tolist() == [pytest.approx([0.6] * 3)]


def test_of_several_objects_only_the_large_ones_are_looked_at_in_the_window() -> None:
    masks = rectangles((20, 20, 60, 60), (200, 300, 508, 360))
    asked = point_prompts([(40.0, 40.0), (220.0, 320.0), (44.0, 36.0)])
    logits, predicted_iou, decoder = decode_stencil(masks, asked)
    assert decoder.sides == [(3, SIDE), (1, WINDOW)]
    assert is_there(logits[1, 0], 500, 350)
    assert not is_there(logits[0, 0], 220, 320)
    assert predicted_iou[:, 0].tolist() == pytest.approx([0.6, 0.9, 0.6])


def test_a_mask_that_is_not_wanted_is_not_looked_at_again() -> None:
    masks = rectangles((200, 300, 240, 340))
    masks[2] = rectangles((4, 300, 508, 360))[0]
    asked = point_prompts([(220.0, 320.0)])
    *_, decoder = decode_stencil(masks, asked, is_wanted=lambda iou: torch.tensor([[1, 0, 0]]) > 0)
    assert decoder.sides == [(1, SIDE)]
    logits, predicted_iou, decoder = decode_stencil(masks, asked)
    assert decoder.sides == [(1, SIDE), (1, WINDOW)]
    assert is_there(logits[0, 1], 500, 350)
    assert predicted_iou.tolist() == [pytest.approx([0.6, 0.9, 0.6])]  # each of where it is from


def test_islands_are_removed_and_no_reason_to_look_farther() -> None:
    masks = rectangles((300, 200, 340, 240), (200, 260, 240, 300), (440, 100, 508, 500))
    logits, _, decoder = decode_stencil(masks, point_prompts([(320.0, 220.0)]))
    assert decoder.sides == [(1, SIDE)]
    assert is_there(logits[0, 0], 320, 220)
    assert not is_there(logits[0, 0], 220, 280)
    assert not is_there(logits[0, 0], 442, 220)


def test_a_mask_beside_its_point_is_kept_as_it_is() -> None:
    logits, _, _ = decode_stencil(rectangles((300, 200, 340, 240)), point_prompts([(280.0, 220.0)]))
    assert is_there(logits[0, 0], 320, 220)


def test_parts_in_a_box_and_parts_of_the_mask_so_far_are_no_islands() -> None:
    masks = rectangles((300, 200, 320, 240), (340, 200, 360, 240), (380, 200, 400, 240))
    box = torch.tensor([[300.0, 200, 360, 240]])
    nowhere = torch.zeros(1, 1, 2), torch.full((1, 1), -1)
    logits, _, _ = decode_stencil(masks, PromptTensors(*nowhere, box, None), SINGLE)
    seen = [is_there(logits[0, 0], x, 220) for x in (310, 350, 390)]
    assert seen == [True, True, False]
    previous = torch.full((1, 1, 256, 256), -3.0)
    previous[..., 110, 192] = 3.0
    point = point_prompts([(310.0, 220.0)])
    logits, _, _ = decode_stencil(masks, point._replace(mask=previous), SINGLE)
    assert [is_there(logits[0, 0], x, 220) for x in (310, 350, 390)] == [True, False, True]
