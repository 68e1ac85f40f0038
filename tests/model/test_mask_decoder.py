from __future__ import annotations

import pytest
import torch

from napari_sam.model.mask_decoder import MaskDecoder

from .comparison import spread

CHANNELS, GRID = 256, 6


@pytest.fixture(scope="module")
def decoder() -> MaskDecoder:
    decoder = MaskDecoder(CHANNELS).eval().requires_grad_(False)
    spread(decoder)
    return decoder


@pytest.fixture
def image() -> tuple[tuple[torch.Tensor], torch.Tensor]:
    random = torch.Generator().manual_seed(1)
    embedding, positions = torch.randn(2, 1, CHANNELS, GRID, GRID, generator=random)
    return (embedding,), positions


Image = tuple[tuple[torch.Tensor], torch.Tensor]


@pytest.mark.parametrize("n_prompts", [0, 2, 9, 20])
@pytest.mark.parametrize("n_objects", [1, 2, 5])
def test_objects_may_share_an_image_or_have_one_each(
    decoder: MaskDecoder, image: Image, n_objects: int, n_prompts: int
) -> None:
    """One dense embedding for all, as without mask prompts, is the same one for each."""
    maps, positions = image
    random = torch.Generator().manual_seed(2)
    sparse = torch.randn(n_objects, n_prompts, CHANNELS, generator=random)
    dense = torch.randn(1, CHANNELS, GRID, GRID, generator=random)
    shared = decoder(maps, positions, sparse, dense, True)
    each = decoder(maps, positions, sparse, dense.expand(n_objects, -1, -1, -1), True)
    assert shared[0].shape == (n_objects, 3, 4 * GRID, 4 * GRID)
    assert shared[1].shape == (n_objects, 3)
    torch.testing.assert_close(shared, each, atol=1e-4, rtol=1e-4)


def test_no_objects(decoder: MaskDecoder, image: Image) -> None:
    sparse, dense = torch.zeros(0, 2, CHANNELS), torch.zeros(1, CHANNELS, GRID, GRID)
    logits, predicted_iou = decoder(*image, sparse, dense, True)
    assert logits.shape == (0, 3, 4 * GRID, 4 * GRID)
    assert predicted_iou.shape == (0, 3)


def test_layout_of_the_embedding_does_not_matter(decoder: MaskDecoder, image: Image) -> None:
    (embedding,), positions = image
    sparse, dense = torch.ones(1, 2, CHANNELS), torch.zeros(1, CHANNELS, GRID, GRID)
    logits, _ = decoder((embedding,), positions, sparse, dense, False)
    assert logits.is_contiguous()
    channels_last = embedding.contiguous(memory_format=torch.channels_last)
    found, _ = decoder((channels_last,), positions, sparse, dense, False)
    torch.testing.assert_close(found, logits, atol=1e-4, rtol=1e-4)
